#include "vm-agent/health/check.hpp"

#include <algorithm>
#include <array>

#include "vm-agent/identity/pem.hpp"

namespace eflow {

const std::vector<Check>& checks() {
    static const std::vector<Check> all{
        {"services.installed", "IoT Edge and the IoT Identity Service are installed"},
        {"identity.cert-readable", "The certificate file is PEM and holds at least one certificate"},
        {"identity.key-readable", "The key file is one unencrypted PEM private key"},
        {"identity.key-usable", "keyd can serve the key: RSA or EC P-256"},
        {"identity.key-matches", "A certificate of the file belongs to the key"},
        {"identity.leaf-first", "The certificate that belongs to the key stands first"},
        {"identity.cn-matches-registration-id", "The leaf's CN is the registration ID"},
        {"identity.cn-valid", "The leaf's CN is a registration ID of at most 64 characters"},
        {"identity.chain-complete", "No issuer is missing between the file's certificates"},
        {"identity.chain-verifies", "Signatures, CA flags, path lengths, constraints and purposes hold"},
        {"identity.not-a-ca", "The leaf may not sign certificates"},
        {"identity.client-auth", "The leaf may be used as a TLS client"},
        {"identity.key-strength", "RSA keys have 2048 bits at least"},
        {"identity.signature-strength", "No signature is made with MD5 or SHA-1"},
        {"identity.current", "Every certificate is within its dates"},
        {"identity.expires-soon", "Every certificate has more than 30 days left"},
        {"identity.before-2038", "No certificate outlives the year 2037"},
        {"identity.edge-ca", "The Edge CA's certificate is a CA, current, and belongs to its key"},
        {"identity.trust-bundle", "The trust bundle is PEM and holds certificates"},
        {"identity.est-client", "The EST client's and bootstrap certificates are current, and belong to their keys"},
        {"identity.local-ca", "The local CA's certificate is a CA, current, and belongs to its key"},
        {"files.owner-and-mode", "Only root and IoT Edge can change config.toml and what it names, or read its secrets"},
        {"files.readable-by-aziotcs", "certd can read every certificate that is named, by upstream's own rule"},
        {"files.readable-by-aziotks", "keyd can read every key that is named, by upstream's own rule"},
        {"files.readable-by-aziotid", "identityd can read the DPS payload, by upstream's own rule"},
        {"files.key-protected", "Nobody but root and keyd can read or replace a private key"},
        {"files.no-stray-keys", "No private key lies about that no setting names"},
        {"config.well-formed", "config.toml is what IoT Edge can parse"},
        {"config.known-keys", "Every key of config.toml is one that IoT Edge knows"},
        {"config.scope-id", "The ID scope has the form that DPS gives"},
        {"config.endpoint", "The global endpoint is an https address"},
        {"config.registration-id", "The registration ID in config.toml is one"},
        {"config.matches-manifest", "config.toml says what /etc/eflow-agent/device.toml says"},
        {"config.applied", "The services run with this config.toml"},
        {"config.scope-applied", "identityd is registered by the ID scope, endpoint and registration ID of config.toml"},
        {"config.unfinished-change", "No change of this agent was interrupted and left open"},
        {"config.timeouts", "Timeouts and retries are within IoT Edge's limits"},
        {"config.hostname", "The hostname is one that certificates can carry"},
        {"services.aziot-edged", "aziot-edged.service runs"},
        {"services.aziot-identityd", "aziot-identityd.service runs, or waits to be asked"},
        {"services.aziot-keyd", "aziot-keyd.service runs, or waits to be asked"},
        {"services.aziot-certd", "aziot-certd.service runs, or waits to be asked"},
        {"services.aziot-tpmd", "aziot-tpmd.service runs, or waits to be asked"},
        {"services.docker", "The container engine runs and answers"},
        {"services.restarts", "No service is restarted again and again"},
        {"services.last-error", "What a failing service said last"},
        {"modules.edge-agent", "edgeAgent runs"},
        {"modules.edge-hub", "edgeHub runs, or has never been deployed"},
        {"modules.edge-hub-storage", "edgeAgent and edgeHub keep their state outside their containers"},
        {"modules.restart-loops", "No module ends again and again"},
        {"modules.deployment", "The deployment's status: 200, 400, 406, 412, 417 or 500"},
        {"host.clock", "The clock is synchronised, and not behind the certificate"},
        {"host.disk-space", "There is room for images, state and logs"},
        {"host.log-rotation", "The container engine bounds its modules' logs"},
        {"host.dns-server", "The container engine has DNS servers of its own"},
        {"host.engine-settings", "dockerd can start with its daemon.json"},
        {"host.proxy-consistent", "Services, engine and edgeAgent use the same proxy"},
        {"host.support-ended", "EFLOW, where this is its VM, is supported"},
        {"cloud.resolves", "The names of DPS and hub resolve", true},
        {"cloud.dps-reachable", "DPS answers with a certificate that is trusted", true},
        {"cloud.hub-reachable", "The hub answers with a certificate that is trusted", true},
        {"cloud.registration", "DPS did not refuse this device"},
    };
    return all;
}

const ContainerSeen* container(const Observations& seen, std::string_view name) {
    if (!seen.containers.value) return nullptr;
    for (const auto& one : *seen.containers.value)
        if (one.name == name) return &one;
    return nullptr;
}

const UnitSeen* unit(const Observations& seen, std::string_view name) {
    if (!seen.units.value) return nullptr;
    for (const auto& one : *seen.units.value)
        if (one.name == name) return &one;
    return nullptr;
}

const std::optional<ProvisioningSeen>& provisioning_in(const Observations& seen) {
    // Parsing is the dearest part of a judgement, asked for by many checks, and the text seldom changes between two.
    thread_local std::pair<std::string, std::optional<ProvisioningSeen>> last;
    const std::string_view text = seen.config.value ? std::string_view(seen.config.value->text) : std::string_view();
    if (last.first != text) last = {std::string(text), read_provisioning(text)};
    return last.second;
}

const Judged<std::vector<Certificate>>& certificate_file_in(const Observations& seen) {
    // Once for a file, for the same reason. Its name is part of what is said of it.
    struct Read {
        std::string text;
        std::string path;
        Judged<std::vector<Certificate>> file;
    };
    thread_local std::optional<Read> last;
    const std::string& text = seen.certificate.value->text;
    if (!last || last->text != text || last->path != seen.certificate_path)
        last = Read{text, seen.certificate_path, read_certificates(text, seen.certificate_path, {.reading = Reading::in_place})};
    return last->file;
}

const std::vector<Certificate>& certificates_in(const Observations& seen) {
    static const std::vector<Certificate> none;
    if (!seen.certificate.value || !seen.certificate.value->present) return none;
    const auto* certificates = std::get_if<std::vector<Certificate>>(&certificate_file_in(seen));
    return certificates != nullptr ? *certificates : none;
}

bool is_registered(const Observations& seen) {
    return seen.device_info.value && seen.device_info.value->has_value();
}

bool is_provisioned(const Observations& seen) {
    if (!seen.config.value)
        return !seen.certificate_path.empty() || is_registered(seen) || container(seen, "edgeAgent") != nullptr;
    if (!seen.config.value->present) return false;
    const auto& provisioning = provisioning_in(seen);
    return provisioning && provisioning->source != "none";
}

bool is_lately(const Observations& seen, Stamp stamp, std::chrono::seconds span) {
    const Stamp now(seen.now);
    return stamp > now - span && stamp < now + span;
}

bool is_up(const Observations& seen) {
    if (!is_registered(seen)) return false;
    const ContainerSeen* agent = container(seen, "edgeAgent");
    return !seen.containers.value || (agent != nullptr && agent->state == "running");
}

Stamp applied_at(const Observations& seen) {
    return std::chrono::time_point_cast<Stamp::duration>(seen.applied.since);
}

bool in_grace(const Observations& seen) {
    const UnitSeen* edged = unit(seen, "aziot-edged.service");
    if (edged == nullptr) return false;
    if (edged->active == "deactivating" || edged->active == "reloading") return true;
    if (edged->active == "activating") return edged->sub != "auto-restart";
    if (edged->active == "inactive") return is_lately(seen, edged->changed, restart_gap);
    return edged->active == "active" && is_lately(seen, edged->changed, grace);
}

bool is_deploying(const Observations& seen) {
    const auto& deployment = seen.memory.agent.deployment;
    return deployment && deployment->code == 0 &&
           (deployment->at == Stamp{} || is_lately(seen, deployment->at, fetch_patience));
}

namespace {

struct Meaning {
    int code;
    const char* text;
};

// 125 to 128 are docker's and the shell's own; 128 + n is death by signal n; 153 and 154 are aziot-edged's.
constexpr std::array meanings{
    Meaning{0, "ended by itself, without an error"},
    Meaning{1, "ended with an error of its own"},
    Meaning{125, "the container engine could not run it"},
    Meaning{126, "its command cannot be executed"},
    Meaning{127, "its command was not found in the image"},
    Meaning{128, "the container engine could not start it"},
    Meaning{129, "hung up (SIGHUP)"},
    Meaning{130, "interrupted (SIGINT)"},
    Meaning{131, "ended (SIGQUIT)"},
    Meaning{132, "crashed: an instruction this processor lacks (SIGILL)"},
    Meaning{134, "aborted (SIGABRT): it found a fault in itself"},
    Meaning{135, "crashed (SIGBUS)"},
    Meaning{136, "crashed: an arithmetic error (SIGFPE)"},
    Meaning{137, "killed (SIGKILL): out of memory, or killed by hand or by docker"},
    Meaning{139, "crashed (SIGSEGV)"},
    Meaning{141, "ended by a closed pipe (SIGPIPE)"},
    Meaning{143, "asked to end (SIGTERM)"},
    Meaning{153, "its settings are not usable"},
    Meaning{154, "restarting after it was provisioned anew"},
};

constexpr std::array service_meanings{
    Meaning{200, "its working folder is not there (CHDIR)"},
    Meaning{203, "its program is missing or cannot be executed (EXEC)"},
    Meaning{216, "its group does not exist (GROUP)"},
    Meaning{217, "its user does not exist (USER)"},
    Meaning{226, "a folder that its unit names is not there (NAMESPACE)"},
    Meaning{238, "its state folder could not be made (STATE_DIRECTORY)"},
};

template <class Table>
const char* meaning_of(int code, const Table& table) {
    for (const Meaning& one : table)
        if (one.code == code) return one.text;
    return nullptr;
}

}  // namespace

std::string explain_exit(int code) {
    const std::string number = std::to_string(code);
    if (const char* known = meaning_of(code, meanings)) return number + ", " + known;
    if (code > 128 && code < 128 + 65) return number + ", killed by signal " + std::to_string(code - 128);
    return number + ", an error of its own";
}

std::string explain_service_exit(int code) {
    if (const char* known = meaning_of(code, service_meanings)) return std::to_string(code) + ", " + known;
    return explain_exit(code);
}

}  // namespace eflow
