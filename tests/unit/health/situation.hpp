#pragma once

#include <functional>
#include <map>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/test_certificates.hpp"
#include "vm-agent/config/engine_address.hpp"
#include "vm-agent/health/verdict.hpp"

namespace eflow::testing {

/// One way in which a device differs from a healthy one.
using Change = std::function<void(Observations&)>;

/// A row of the table of situations. `findings` names every check that is not well: all warnings and failures, no
/// other. Checks that are well or skipped may be named too. `words` stand somewhere in what the verdict says.
struct Situation {
    const char* name;
    std::vector<Change> changes;
    Phase phase;
    std::map<std::string, Severity> findings = {};
    std::vector<std::string> words = {};
};

inline void PrintTo(const Situation& situation, std::ostream* out) {
    *out << situation.name;
}

using namespace std::chrono_literals;

// The phases as the rows name them; Phase::failed is written out, since a severity has that name too.
inline constexpr auto not_provisioned = Phase::not_provisioned;
inline constexpr auto provisioning = Phase::provisioning;
inline constexpr auto awaiting_deployment = Phase::awaiting_deployment;
inline constexpr auto deploying = Phase::deploying;
inline constexpr auto running = Phase::running;
inline constexpr auto degraded = Phase::degraded;
inline constexpr auto unknown = Phase::unknown;

inline Stamp ago(std::chrono::seconds span) {
    return Stamp(now) - span;
}

/// The table, in the parts that its files hold.
std::vector<Situation> situations_of_services();
std::vector<Situation> situations_of_modules();
std::vector<Situation> situations_of_hub_link();
std::vector<Situation> situations_of_files();
std::vector<Situation> situations_of_machines();

/// Root, intermediate and device certificate of the healthy device.
struct Identities {
    Pair root = make(Wish::authority("Root"));
    Pair intermediate = make(Wish::authority("Intermediate"), &root);
    Pair leaf = make({}, &intermediate);
    static const Identities& all() {
        static const Identities one;
        return one;
    }
};

inline constexpr auto healthy_config = R"(auto_reprovisioning_mode = "Dynamic"
hostname = "plant7-gw-03"
[provisioning]
source = "dps"
global_endpoint = "https://global.azure-devices-provisioning.net/"
id_scope = "0ne00A1B2C3"
[provisioning.attestation]
method = "x509"
registration_id = "device-1"
identity_cert = "file:///var/aziot/certs/device-id-01234567.cert.pem"
identity_pk = "file:///var/aziot/secrets/device-id-01234567.key.pem"
)";

inline UnitSeen unit_seen(std::string name, std::string active, std::string sub) {
    return {std::move(name), "loaded", std::move(active), std::move(sub), "success", 0, 0, 0, ago(24h)};
}

inline ContainerSeen module_seen(const std::string& name) {
    ContainerSeen module;
    module.name = name;
    module.image = "mcr.microsoft.com/azureiotedge-" + name + ":1.5";
    module.state = "running";
    module.status = "Up 23 hours";
    module.labels["net.azure-devices.edge.owner"] = "Microsoft.Azure.Devices.Edge.Agent";
    module.id = name + "-id";
    module.detail = ContainerDetail{};
    module.detail->started = ago(23h);
    module.detail->mounts = {"/iotedge/storage"};
    module.detail->storage_folder = "/iotedge/storage";
    return module;
}

/// What edgeAgent says after it has reached its hub.
inline HubLink reached_link(std::chrono::seconds since) {
    HubLink link;
    link.state = HubLink::State::reached;
    link.text = "Edge agent connected to IoT Hub via Amqp_Tcp_Only.";
    link.transport = "Amqp_Tcp_Only";
    link.at = ago(since);
    link.was_reached = true;
    return link;
}

/// A device on which all is well, as root's `check` sees it.
inline Observations healthy_device() {
    Observations seen;
    seen.now = now;
    seen.config = Sight<FileSeen>::of({true, healthy_config});
    seen.manifest = Sight<FileSeen>::of({});
    seen.certificate_path = "/var/aziot/certs/device-id-01234567.cert.pem";
    seen.key_path = "/var/aziot/secrets/device-id-01234567.key.pem";
    const Identities& all = Identities::all();
    seen.certificate = Sight<FileSeen>::of({true, all.leaf.pem() + all.intermediate.pem()});
    seen.key = Sight<std::optional<SecretBytes>>::of(SecretBytes(all.leaf.key_pem()));
    seen.missing_users = Sight<std::vector<std::string>>::of({});
    seen.key_access = "0440 root:aziotks";
    for (const char* id : {"files.owner-and-mode", "files.readable-by-aziotcs", "files.readable-by-aziotks",
                           "files.readable-by-aziotid", "files.key-protected", "files.no-stray-keys"})
        seen.files.push_back(ok(id, "As it should be"));
    seen.applied = {true, {}, {}};
    std::vector<UnitSeen> units;
    for (const char* name : aziot_services) units.push_back(unit_seen(name, "active", "running"));
    units.back() = unit_seen("aziot-tpmd.service", "inactive", "dead");
    for (const char* name : aziot_sockets) units.push_back(unit_seen(name, "active", "listening"));
    units.push_back(unit_seen(docker_service, "active", "running"));
    seen.units = Sight<std::vector<UnitSeen>>::of(std::move(units));
    seen.journals["aziot-identityd.service"] = {"2026-05-31T12:00:09Z [INFO] - DPS registration complete."};
    seen.containers = Sight<std::vector<ContainerSeen>>::of(
        {module_seen("edgeAgent"), module_seen("edgeHub"), module_seen("SimulatedTemperatureSensor")});
    seen.device_info = Sight<std::optional<DeviceInfo>>::of(DeviceInfo{"plant7.azure-devices.net", "device-1", {}});
    seen.clock = Sight<ClockSeen>::of({true, 1ms});
    constexpr std::uint64_t gibibyte = 1024ull * 1024 * 1024;
    seen.disks = {{"/var", 16 * gibibyte, 8 * gibibyte}, {"/run", gibibyte, gibibyte}};
    seen.daemon_json = Sight<FileSeen>::of({true, R"({"log-driver":"local","dns":["10.0.0.53"]})"});
    seen.dps = ReachSeen{"global.azure-devices-provisioning.net", "10.1.2.3", true, true, ""};
    seen.hub = ReachSeen{"plant7.azure-devices.net", "10.1.2.4", true, true, ""};
    seen.memory.agent_has_run = seen.memory.hub_has_run = true;
    seen.memory.agent.deployment = Deployment{200, "Plan execution ended for deployment 7", ago(23h)};
    seen.memory.agent.link = reached_link(23h - 10s);
    return seen;
}

// --- units ---

inline Change service(std::string name, std::function<void(UnitSeen&)> change) {
    return [name = std::move(name), change = std::move(change)](Observations& seen) {
        for (auto& unit : seen.units.value.value())
            if (unit.name.substr(0, unit.name.rfind('.')) == name || unit.name == name) return change(unit);
        throw std::logic_error("no unit " + name);
    };
}

/// Its main process ended with `status`, or by that signal, and systemd waits to start it again.
inline Change looping(std::string name, int status, bool by_signal = false, unsigned restarts = 1) {
    return service(std::move(name), [=](UnitSeen& unit) {
        unit.active = "activating";
        unit.sub = "auto-restart";
        unit.result = by_signal ? "signal" : "exit-code";
        unit.exit_code = by_signal ? 2 : 1;
        unit.exit_status = status;
        unit.restarts = restarts;
        unit.changed = ago(2s);
    });
}

/// The same, and systemd leaves it so.
inline Change given_up(std::string name, int status, std::string result = "exit-code") {
    return service(std::move(name), [=](UnitSeen& unit) {
        unit.active = unit.sub = "failed";
        unit.result = result;
        unit.exit_code = 1;
        unit.exit_status = status;
        unit.changed = ago(5min);
    });
}

inline Change state(std::string name, std::string active, std::string sub, std::chrono::seconds since = 24h) {
    return service(std::move(name), [=](UnitSeen& unit) {
        unit.active = active;
        unit.sub = sub;
        unit.changed = ago(since);
    });
}

inline Change load(std::string name, std::string word) {
    return service(std::move(name), [=](UnitSeen& unit) {
        unit.load = word;
        unit.active = "inactive";
        unit.sub = "dead";
    });
}

inline Change restarted(std::string name, std::chrono::seconds since) {
    return state(std::move(name), "active", "running", since);
}

inline Change no_systemd(std::string why) {
    return [=](Observations& seen) { seen.units = Sight<std::vector<UnitSeen>>::unseen(why); };
}

inline Change unit_log(std::string unit, std::vector<std::string> lines) {
    return [=](Observations& seen) { seen.journals[unit] = lines; };
}

/// identityd's log after a failure to provision, as aziotd's main writes it.
inline Change dps_said(std::string message) {
    return [=](Observations& seen) {
        seen.journals["aziot-identityd.service"] = {"2026-06-01T11:59:00Z [INFO] - Sending DPS registration request.",
                              "2026-06-01T11:59:01Z [ERR!] - service encountered an error",
                              "2026-06-01T11:59:01Z [ERR!] - caused by: DPS client error",
                              "2026-06-01T11:59:01Z [ERR!] - caused by: " + message};
    };
}

// --- modules ---

inline Change module(std::string name, std::function<void(ContainerSeen&)> change) {
    return [name = std::move(name), change = std::move(change)](Observations& seen) {
        for (auto& one : seen.containers.value.value())
            if (one.name == name) return change(one);
        throw std::logic_error("no container " + name);
    };
}

inline Change module_state(std::string name, std::string state) {
    return module(std::move(name), [=](ContainerSeen& one) { one.state = one.status = state; });
}

inline Change ended(std::string name, int code, std::string state = "exited") {
    return module(std::move(name), [=](ContainerSeen& one) {
        one.state = state;
        one.status = "Exited (" + std::to_string(code) + ") 3 minutes ago";
        one.detail->exit_code = code;
    });
}

inline Change without(std::string name) {
    return [=](Observations& seen) {
        std::erase_if(seen.containers.value.value(), [&](const ContainerSeen& one) { return one.name == name; });
    };
}

inline Change no_engine(std::string why) {
    return [=](Observations& seen) { seen.containers = Sight<std::vector<ContainerSeen>>::unseen(why); };
}

/// What the watcher remembers of unwanted ends.
inline Change ends(std::string name, std::size_t count, std::chrono::seconds apart = 60s) {
    return [=](Observations& seen) {
        for (std::size_t i = count; i > 0; --i) seen.memory.note_end(name, ago(apart * static_cast<long>(i)));
    };
}

inline Change deployment(int code, std::chrono::seconds since = 60s, std::string text = "edgeAgent's words") {
    return [=](Observations& seen) {
        seen.memory.agent.deployment = Deployment{code, text, ago(since)};
        seen.memory.agent.deployment->last = ago(since);
    };
}

inline Change forgotten() {
    return [](Observations& seen) { seen.memory = {}; };
}

/// edgeAgent's log since it was started a minute ago, and nothing else that is known of it.
inline Change agent_says(std::vector<std::string> lines) {
    return [=](Observations& seen) {
        seen.memory.agent = {};
        for (auto& one : seen.containers.value.value())
            if (one.name == "edgeAgent") one.detail->started = ago(60s);
        auto since = 59s;
        for (const auto& line : lines) seen.memory.agent.hear(line, ago(since > 1s ? since-- : since));
    };
}

/// As before the first deployment: edgeAgent has reached its hub, which has none, and nothing else was ever there.
inline Change never_deployed() {
    return [](Observations& seen) {
        seen.memory = {};
        seen.memory.agent_has_run = true;
        seen.memory.agent.link = reached_link(23h - 10s);
        seen.memory.agent.deployment =
            Deployment{417, "Deployment config in edge agent's desired properties is empty.", ago(23h - 10s)};
        without("edgeHub")(seen);
        without("SimulatedTemperatureSensor")(seen);
    };
}

/// What the record says that the device, as identityd remembers it, registered by.
inline Change registered_by(const std::string& scope) {
    return [scope](Observations& seen) {
        const DeviceInfo& info = **seen.device_info.value;
        seen.registered_by = RegisteredBy{scope, "https://global.azure-devices-provisioning.net/", "device-1",
                                          info.hub_name, info.device_id};
    };
}

/// A run of provision was killed after its commit.
inline Change left_open() {
    return [](Observations& seen) { seen.unfinished = Unfinished{"provision", "2026-06-01T11:00:00Z", 4711, false, true}; };
}

/// As before the device has its identity: no container, no memory.
inline Change unregistered() {
    return [](Observations& seen) {
        seen.memory = {};
        seen.containers.value->clear();
        seen.device_info = Sight<std::optional<DeviceInfo>>::of(std::nullopt);
        seen.journals.erase("aziot-identityd.service");
        seen.hub.reset();
    };
}

// --- files ---

inline Change config(std::string from, std::string to) {
    return [=](Observations& seen) {
        std::string& text = seen.config.value.value().text;
        const auto at = text.find(from);
        if (at == std::string::npos) throw std::logic_error("config.toml has no " + from);
        text.replace(at, from.size(), to);
    };
}

/// Another config.toml, without an identity of files.
inline Change config_text(std::string text) {
    return [=](Observations& seen) {
        seen.config = Sight<FileSeen>::of({true, text});
        seen.certificate_path.clear();
        seen.key_path.clear();
        seen.certificate = Sight<FileSeen>::unseen("no certificate file is known");
        seen.key = Sight<std::optional<SecretBytes>>::unseen("config.toml names no key file");
    };
}

inline Change no_config() {
    return [](Observations& seen) {
        config_text("")(seen);
        seen.config = Sight<FileSeen>::of({});
        seen.applied = {false, "/etc/aziot/config.toml does not exist", {}};
        seen.files.clear();
    };
}

/// As somebody sees it who is not root.
inline Change config_unseen() {
    return [](Observations& seen) {
        seen.config = Sight<FileSeen>::unseen("/etc/aziot/config.toml: Permission denied");
        seen.applied = {false, "/etc/aziot/keyd/config.d: Permission denied", {}};
        seen.device_info = Sight<std::optional<DeviceInfo>>::unseen("Permission denied");
        seen.key = Sight<std::optional<SecretBytes>>::unseen("Permission denied");
        seen.key_path.clear();
        seen.files.clear();
    };
}

inline Change not_applied(std::string why) {
    return [=](Observations& seen) { seen.applied = {false, why, {}}; };
}

inline Change applied_before(std::chrono::seconds span) {
    return [=](Observations& seen) { seen.applied = {true, {}, ago(span)}; };
}

inline Change file_finding(Finding finding) {
    return [=](Observations& seen) {
        for (auto& one : seen.files)
            if (one.id == finding.id) one = finding;
    };
}

/// A pair that config.toml names besides the identity; a file that is nothing does not exist, a key of a pair whose
/// certificate is there was not looked at.
inline Change credential(CredentialUse use, std::optional<std::string> certificate, std::optional<std::string> key) {
    return [=](Observations& seen) {
        CredentialSeen one{use, "edge_ca", "/var/aziot/certs/edge-ca.pem", "/var/aziot/secrets/edge-ca.key.pem", {}, {}};
        one.certificate = Sight<FileSeen>::of({certificate.has_value(), certificate.value_or("")});
        if (key) one.key = Sight<std::optional<SecretBytes>>::of(SecretBytes(std::string_view(*key)));
        seen.credentials.push_back(std::move(one));
    };
}

inline Change edge_ca(std::optional<std::string> certificate, std::optional<std::string> key) {
    return credential(CredentialUse::edge_ca, std::move(certificate), std::move(key));
}

inline Change trust_bundle(std::optional<std::string> text) {
    return [=](Observations& seen) {
        seen.trust_bundle_path = "/var/aziot/certs/root.pem";
        seen.trust_bundle = Sight<FileSeen>::of({text.has_value(), text.value_or("")});
    };
}

inline Change manifest(std::string text) {
    return [=](Observations& seen) { seen.manifest = Sight<FileSeen>::of({true, text}); };
}

/// The identity's files hold these instead.
inline Change material(std::function<std::pair<std::string, std::string>()> make_files) {
    return [=](Observations& seen) {
        const auto [certificates, key] = make_files();
        seen.certificate = Sight<FileSeen>::of({true, certificates});
        seen.key = Sight<std::optional<SecretBytes>>::of(SecretBytes(key));
    };
}

/// The device's certificate is made by this wish.
inline Change leaf(std::function<void(Wish&)> change) {
    return material([=] {
        Wish wish;
        change(wish);
        const Pair pair = make(wish, &Identities::all().intermediate);
        return std::pair(pair.pem() + Identities::all().intermediate.pem(), pair.key_pem());
    });
}

inline Change expires_in(std::chrono::seconds span) {
    return leaf([=](Wish& wish) { wish.not_after = now + span; });
}

inline Change disk(std::string path, std::uint64_t mebibytes, std::uint64_t free) {
    return [=](Observations& seen) { seen.disks.push_back({path, mebibytes << 20, free << 20}); };
}

inline Change daemon_json(std::string text) {
    return [=](Observations& seen) { seen.daemon_json = Sight<FileSeen>::of({!text.empty(), text}); };
}

inline Change proxy(std::string unit, std::string variable, std::string value) {
    return [=](Observations& seen) { seen.unit_proxies[unit][variable] = value; };
}

inline Change offline() {
    return [](Observations& seen) {
        seen.dps.reset();
        seen.hub.reset();
        seen.no_reach = "left out with --offline";
    };
}

/// As below --root: files alone.
inline Change below_root() {
    return [](Observations& seen) {
        const std::string why = "below --root no service is looked at";
        seen.live = false;
        seen.units = Sight<std::vector<UnitSeen>>::unseen(why);
        seen.containers = Sight<std::vector<ContainerSeen>>::unseen(why);
        seen.device_info = Sight<std::optional<DeviceInfo>>::unseen(why);
        seen.clock = Sight<ClockSeen>::unseen(why);
        seen.journals.erase("aziot-identityd.service");
        seen.disks.clear();
        seen.memory = {};
        offline()(seen);
    };
}

}  // namespace eflow::testing
