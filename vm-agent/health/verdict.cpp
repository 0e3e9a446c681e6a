#include "vm-agent/health/verdict.hpp"

#include <algorithm>
#include <array>

#include "vm-agent/health/check.hpp"
#include "vm-agent/health/hub_link.hpp"

namespace eflow {

namespace {

struct Told {
    Phase phase;
    std::string because;
    std::string next;
};

constexpr auto each_says_how = "Fix what has failed; each line says how.";

bool runs(const ContainerSeen* container) {
    return container != nullptr && container->state == "running";
}

/// While the runtime is up, faults degrade it; else they are why it is not.
Phase broken(const Observations& seen) {
    return runs(container(seen, "edgeAgent")) || runs(container(seen, "edgeHub")) ? Phase::degraded : Phase::failed;
}

/// Which failure is the cause, where several are told: what lies below comes first. A row is the beginning of an id.
constexpr std::array causes_first{
    "config.well-formed",  "host.disk-space",        "services.docker",          "config.scope-id",
    "config.endpoint",     "config.registration-id", "config.timeouts",          "config.hostname",
    "identity.current",    "identity.",              "files.readable-by-",       "config.applied",
    "cloud.registration",  "services.aziot-keyd",    "services.aziot-certd",     "services.aziot-tpmd",
    "host.clock",          "services.aziot-identityd", "services.aziot-edged",   "services.",
    "host.",               "modules.edge-agent",     "modules.deployment",       "modules.edge-hub",
    "modules.",            "cloud.",                 "config.",                  "files.",
};

std::size_t rank_of(std::string_view id) {
    const auto* const found = std::find_if(causes_first.begin(), causes_first.end(),
                                           [&](std::string_view start) { return id.starts_with(start); });
    return static_cast<std::size_t>(found - causes_first.begin());
}

/// The failure that the others come of; nullptr when nothing has failed.
const Finding* cause_in(const Findings& findings) {
    const Finding* cause = nullptr;
    for (const auto& finding : findings)
        if (finding.severity == Severity::failed && (cause == nullptr || rank_of(finding.id) < rank_of(cause->id)))
            cause = &finding;
    return cause;
}

/// Broken, when a finding of these areas has failed; in the words of the cause.
std::optional<Told> fault_in(const Observations& seen, const Findings& findings,
                             std::initializer_list<std::string_view> areas) {
    for (const auto area : areas)
        for (const auto& finding : findings)
            if (finding.severity == Severity::failed && std::string_view(finding.id).starts_with(area))
                return Told{broken(seen), cause_in(findings)->summary,
                            cause_in(findings)->id == "config.matches-manifest" ? cause_in(findings)->remedy
                                                                                : each_says_how};
    return std::nullopt;
}

bool has_trouble(const Findings& findings) {
    return gravest(findings) == Severity::failed;
}

/// What stands in the files, before anything is said of what runs; nothing when that decides.
std::optional<Told> phase_of_files(const Observations& seen, const Findings& findings) {
    if (auto told = fault_in(seen, findings, {"config."})) return told;
    const bool readable = seen.config.value.has_value();
    if (readable && !is_provisioned(seen) && !runs(container(seen, "edgeAgent")))
        return Told{Phase::not_provisioned,
                    seen.config.value->present ? "config.toml provisions nothing" : "there is no config.toml yet",
                    "eflow-agent provision --help"};
    if (auto told = fault_in(seen, findings, {"identity.", "files."})) return told;
    if (readable && !seen.applied.applied)
        return Told{Phase::not_provisioned,
                    "the identity is in place and waits to be applied (" + seen.applied.why + ")",
                    seen.live ? "sudo iotedge config apply" : "On the device: sudo iotedge config apply"};
    if (!readable && (!seen.live || !is_provisioned(seen)) && !has_trouble(findings))
        return Told{Phase::unknown, "config.toml could not be read: " + seen.config.why,
                    "Run eflow-agent status with sudo."};
    if (!seen.live)
        return Told{Phase::unknown, "below --root the services are not looked at", "On the device: eflow-agent status"};
    return std::nullopt;
}

/// The way from DPS to an identity; nothing when it has been gone.
std::optional<Told> phase_of_provisioning(const Observations& seen, const Reasons& reasons) {
    // A registered device goes on with what identityd remembers.
    const bool serves = is_registered(seen) && runs(container(seen, "edgeAgent"));
    if (reasons.tries_again() && !serves) {
        const Finding told = judge_registration(reasons.registration());
        return Told{Phase::provisioning, told.summary + " (" + reasons.registration()->words() + ")", told.remedy};
    }
    if (seen.device_info.value && !is_registered(seen))
        return Told{Phase::provisioning, "identityd has no identity from IoT Hub yet",
                    "Wait; sudo journalctl -u aziot-identityd -f shows it."};
    return std::nullopt;
}

Told phase_of_modules(const Observations& seen) {
    const ContainerSeen* agent = container(seen, "edgeAgent");
    const ContainerSeen* hub = container(seen, "edgeHub");
    const char* agent_log = "Wait; docker logs -f edgeAgent shows it.";
    if (agent == nullptr)
        return {Phase::provisioning, "aziot-edged has not created edgeAgent yet",
                "Wait; sudo journalctl -u aziot-edged -f shows it."};
    if (!runs(agent))
        return {Phase::deploying, "aziot-edged brings edgeAgent up (it is " + agent->state + ")", "Wait a minute."};
    const auto deployment = deployment_now(seen);
    if (hub == nullptr && deployment && deployment->code == 0)
        return {Phase::deploying, "edgeAgent carries out a deployment", agent_log};
    // That it reached its hub and found nothing there is shown by its own words alone: it looks the same from outside
    // when it never came so far.
    if (hub == nullptr && has_reached_hub(seen) && deployment && deployment->code == 417)
        return {Phase::awaiting_deployment,
                "edgeAgent has reached IoT Hub, and no deployment has been made yet; that is expected on a new device "
                "(the portal shows 417)",
                "Create a deployment for this device in IoT Hub: Set modules."};
    if (hub == nullptr) {
        Missing missing = what_is_missing(seen);
        return {Phase::provisioning, std::move(missing.what), std::move(missing.remedy)};
    }
    if (!runs(hub)) return {Phase::deploying, "edgeHub is not up yet (" + hub->state + ")", agent_log};
    if (fails_to_reach_hub(seen))
        return {Phase::running, "edgeAgent and edgeHub are running, and edgeAgent cannot reach IoT Hub now", ""};
    return {Phase::running, "edgeAgent and edgeHub are running", ""};
}

/// Nothing is wrong with the modules but that edgeAgent does not come to its hub, which it never did.
std::optional<Told> phase_without_hub(const Observations& seen, const Findings& findings) {
    if (!is_registered(seen) || was_deployed(seen) || !fails_to_reach_hub(seen)) return std::nullopt;
    if (seen.memory.agent.link.state == HubLink::State::refused) return std::nullopt;
    const Finding* link = nullptr;
    for (const auto& finding : findings) {
        if (finding.severity != Severity::failed || !finding.id.starts_with("modules.")) continue;
        if (finding.id != "modules.edge-agent") return std::nullopt;
        link = &finding;
    }
    if (link == nullptr) return std::nullopt;
    return Told{Phase::provisioning, link->summary, link->remedy};
}

/// Without IoT Edge nothing else is a cause; nothing when it is there.
std::optional<Told> phase_of_installation(const Observations& seen, const Findings& findings) {
    const Finding& first = findings.front();
    if (first.id != "services.installed" || first.severity != Severity::failed) return std::nullopt;
    return Told{is_provisioned(seen) ? broken(seen) : Phase::not_provisioned, first.summary, first.remedy};
}

Told phase_of(const Observations& seen, const Findings& findings, const Reasons& reasons) {
    if (auto told = phase_of_installation(seen, findings)) return *told;
    if (auto told = phase_of_files(seen, findings)) return *told;
    if (const Diagnosis* met = reasons.registration(); met != nullptr && !reasons.tries_again())
        return {broken(seen), judge_registration(met).summary, "See cloud.registration."};
    if (auto told = fault_in(seen, findings, {"host.", "services."})) return *told;
    if (auto told = phase_without_hub(seen, findings)) return *told;
    if (auto told = fault_in(seen, findings, {"modules."})) {
        // The services are well, and aziot-edged and edgeAgent bring back what has ended.
        told->phase = Phase::degraded;
        return *told;
    }
    if (!seen.units.value)
        return {Phase::unknown, "systemd could not be asked: " + seen.units.why, "Run eflow-agent status with sudo."};
    if (auto told = phase_of_provisioning(seen, reasons)) return *told;
    if (!seen.containers.value)
        return {Phase::unknown, "the containers could not be seen: " + seen.containers.why,
                "Run eflow-agent status with sudo, or as a member of the group docker."};
    if (auto told = fault_in(seen, findings, {"cloud."})) return *told;
    return phase_of_modules(seen);
}

/// What others wrote (logs, names, an engine's words) stands in the texts: nothing in them may steer a terminal or
/// break a line of the journal. Control characters of ASCII and of Latin-1 as UTF-8 (C2 80 to C2 9F) become spaces.
void make_printable(std::string& text, bool lines) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
                        static_cast<unsigned char>(text[i + 1]) <= 0x9f;
        if (c1) text[i + 1] = ' ';
        if (c1 || (byte < 0x20 && !(lines && byte == '\n')) || byte == 0x7f) text[i] = ' ';
    }
}

}  // namespace

Verdict judge(const Observations& seen) {
    Verdict verdict;
    Findings& findings = verdict.findings;
    // What identityd said of a configuration that is gone says nothing of now.
    Journals journals = seen.journals;
    if (seen.config.value && !is_provisioned(seen)) journals.erase("aziot-identityd.service");
    const Reasons reasons = read_reasons(journals);
    findings.push_back(judge_installation(seen));
    append(findings, judge_identity_area(seen));
    append(findings, seen.files);
    append(findings, judge_config_area(seen));
    append(findings, judge_services_area(seen, reasons));
    append(findings, judge_modules_area(seen, reasons));
    append(findings, judge_host_area(seen));
    append(findings, judge_cloud_area(seen, reasons));
    if (const auto units = troubled_units(seen, reasons); !units.empty())
        verdict.consequence = reasons.consequence_of(units);
    Told told = phase_of(seen, findings, reasons);
    verdict.phase = told.phase;
    verdict.because = std::move(told.because);
    verdict.next = std::move(told.next);
    if (const Finding unfinished = judge_unfinished(seen); unfinished.severity != Severity::ok)
        verdict.next += (verdict.next.empty() ? "" : " ") + unfinished.summary + ": " + unfinished.remedy;
    for (auto& finding : findings) {
        make_printable(finding.summary, false);
        make_printable(finding.detail, true);
        make_printable(finding.remedy, true);
    }
    make_printable(verdict.because, false);
    make_printable(verdict.next, true);
    return verdict;
}

}  // namespace eflow
