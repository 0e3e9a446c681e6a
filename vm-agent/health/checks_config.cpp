#include "vm-agent/config/judge.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/health/hostname.hpp"

namespace eflow {

namespace {

bool agent_runs(const Observations& seen) {
    const ContainerSeen* agent = container(seen, "edgeAgent");
    return agent != nullptr && agent->state == "running";
}

Finding applied(const Observations& seen, bool would_be_taken) {
    constexpr auto id = "config.applied";
    if (seen.applied.applied) return ok(id, "The services run with this config.toml");
    constexpr auto apply = "sudo iotedge config apply";
    // A remedy that upstream refuses is none.
    if (would_be_taken && seen.containers.value)
        if (const auto refused = refused_hostname(seen.hostnames, *seen.containers.value))
            return failed(id, "config.toml cannot be applied: its hostname is another one, and modules exist",
                          refused->summary() + " (" + seen.applied.why + ")", refused->remedy(seen.engine, apply));
    const std::string remedy = would_be_taken ? apply
                                              : "Correct config.toml first (config.well-formed says where): "
                                                "IoT Edge would refuse it as it is.";
    // Before the first apply that is a step to come; after it the device is not what its configuration says.
    if (seen.live && (agent_runs(seen) || (is_provisioned(seen) && is_registered(seen))))
        return failed(id, "config.toml has been changed and not applied: the services run with an older one",
                      seen.applied.why, remedy);
    return warning(id, "config.toml has not been applied yet", seen.applied.why,
                   seen.live ? remedy : "On the device: sudo iotedge config apply");
}

Finding missing(const Observations& seen) {
    constexpr auto id = "config.well-formed";
    if (seen.live && agent_runs(seen))
        return failed(id, "config.toml is gone; the services run with what was made of it",
                      "/etc/aziot/config.toml does not exist",
                      "Bring it back before the next iotedge config apply: eflow-agent provision writes it.");
    return skipped(id, "There is no config.toml", "/etc/aziot/config.toml does not exist");
}

/// Once for a text, for the same reason as provisioning_in.
const Findings& judge_text(const std::string& text) {
    thread_local std::optional<std::pair<std::string, Findings>> last;
    if (!last || last->first != text) last = {text, judge_config(text)};
    return last->second;
}

/// IoT Edge takes any text; DPS does not.
Finding registration_id(const std::string& text) {
    const auto parsed = RegistrationId::parse(text);
    if (const auto* finding = std::get_if<Finding>(&parsed))
        return warning(finding->id, finding->summary, finding->detail, finding->remedy);
    return ok("config.registration-id", "The registration ID is one", text);
}

}  // namespace

namespace {

Findings judge_file(const Observations& seen) {
    if (!seen.config.value) return {skipped("config.well-formed", "config.toml was not judged", seen.config.why)};
    if (!seen.config.value->present) return {missing(seen)};
    Findings findings = judge_text(seen.config.value->text);
    // The template as a VM comes with it: nothing has failed, the device waits for an identity.
    if (!agent_runs(seen))
        for (auto& finding : findings)
            if (finding.id == "config.well-formed" && finding.detail == no_provisioning)
                finding = skipped(finding.id, "config.toml provisions nothing yet", no_provisioning);
    if (const auto stranger = judge_machine_name(seen.hostnames))
        for (auto& finding : findings)
            if (finding.id == stranger->id && finding.severity == Severity::ok) finding = *stranger;
    if (const auto& provisioning = provisioning_in(seen)) {
        if (provisioning->registration_id) findings.push_back(registration_id(*provisioning->registration_id));
        findings.push_back(judge_manifest(seen, *provisioning));
        findings.push_back(judge_scope_applied(seen, *provisioning));
    }
    findings.push_back(applied(seen, could_be_applied(seen.config.value->text)));
    return findings;
}

}  // namespace

Findings judge_config_area(const Observations& seen) {
    Findings findings = judge_file(seen);
    findings.push_back(judge_unfinished(seen));
    return findings;
}

}  // namespace eflow
