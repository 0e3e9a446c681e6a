#include "vm-agent/health/verdict.hpp"

#include <algorithm>

#include "vm-agent/config/judge.hpp"
#include "vm-agent/health/check.hpp"

namespace eflow {

namespace {

struct Told {
    Phase phase;
    std::string because;
    std::string next;
};

bool failed_in(const Findings& findings, std::string_view area) {
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
        return finding.severity == Severity::failed && std::string_view(finding.id).starts_with(area);
    });
}

/// The first failed finding of an area, in its words.
std::string fault_in(const Findings& findings, std::string_view area) {
    for (const auto& finding : findings)
        if (finding.severity == Severity::failed && std::string_view(finding.id).starts_with(area))
            return finding.summary;
    return {};
}

constexpr auto mend = "Mend what has failed; each line says how.";

/// Once the runtime is up, faults degrade it; before that they are why it does not come up.
Phase broken(const Observations& seen) {
    const ContainerSeen* agent = container(seen, "edgeAgent");
    return agent != nullptr && agent->state == "running" ? Phase::degraded : Phase::failed;
}

Told phase_of(const Observations& seen, const Findings& findings, const DpsAnswer& answer) {
    if (!seen.config.value)
        return {Phase::unknown, "config.toml could not be read: " + seen.config.why,
                "Run eflow-agent status with sudo."};
    if (failed_in(findings, "config.well-formed"))
        return {Phase::failed, "config.toml cannot be used", "Mend what config.well-formed names."};
    if (!is_provisioned(seen)) return {Phase::not_provisioned, "config.toml provisions nothing", "eflow-agent provision --help"};
    for (const char* area : {"identity.", "files.", "config."})
        if (failed_in(findings, area)) return {broken(seen), fault_in(findings, area), mend};
    if (!seen.applied.applied) {
        const ContainerSeen* agent = container(seen, "edgeAgent");
        const std::string command = seen.live ? "sudo iotedge config apply" : "On the device: sudo iotedge config apply";
        if (agent != nullptr && agent->state == "running")
            return {Phase::degraded, "config.toml has been changed and not applied (" + seen.applied.why + ")", command};
        return {Phase::not_provisioned, "the identity is in place and waits to be applied (" + seen.applied.why + ")", command};
    }
    if (!seen.live)
        return {Phase::unknown, "below --root the services are not looked at", "On the device: eflow-agent status"};
    if (answer.kind == DpsAnswer::Kind::refused)
        return {Phase::failed, "DPS refused this device: " + answer.text, "See cloud.registration."};
    if (!seen.units.value) return {Phase::unknown, "systemd could not be asked: " + seen.units.why, ""};
    if (failed_in(findings, "services."))
        return {broken(seen), fault_in(findings, "services."), mend};
    if (tries_again(answer)) {
        const Finding told = judge_dps_answer(answer);
        return {Phase::provisioning, told.summary + " (" + answer.text + ")", told.remedy};
    }
    if (seen.device_info.value && !*seen.device_info.value)
        return {Phase::provisioning, "identityd has not registered with DPS yet",
                "Wait; sudo journalctl -u aziot-identityd -f shows it."};
    if (!seen.containers.value)
        return {Phase::unknown, "the containers could not be seen: " + seen.containers.why,
                "Run eflow-agent status with sudo, or as a member of the group docker."};
    if (failed_in(findings, "modules."))
        return {Phase::degraded, fault_in(findings, "modules."), mend};
    const ContainerSeen* agent = container(seen, "edgeAgent");
    const ContainerSeen* hub = container(seen, "edgeHub");
    if (agent == nullptr)
        return {Phase::provisioning, "aziot-edged has not created edgeAgent yet",
                "Wait; sudo journalctl -u aziot-edged -f shows it."};
    if (agent->state != "running")
        return {Phase::deploying, "aziot-edged has just started and brings edgeAgent back", "Wait a minute."};
    for (const char* area : {"host.", "cloud."})
        if (failed_in(findings, area)) return {Phase::degraded, fault_in(findings, area), mend};
    if (hub == nullptr && seen.memory.deployment && seen.memory.deployment->code == 0)
        return {Phase::deploying, "edgeAgent carries out a deployment", "Wait; docker logs -f edgeAgent shows it."};
    if (hub == nullptr)
        return {Phase::awaiting_deployment,
                "edgeAgent runs, and no deployment has been made yet; that is expected on a new device (the portal "
                "shows 417)",
                "Create a deployment for this device in IoT Hub: Set modules."};
    if (hub->state != "running")
        return {Phase::deploying, "edgeHub is not up yet (" + hub->state + ")", "Wait; docker logs -f edgeAgent shows it."};
    return {Phase::running, "edgeAgent and edgeHub are running", ""};
}

}  // namespace

Verdict judge(const Observations& seen) {
    Verdict verdict;
    Findings& findings = verdict.findings;
    const DpsAnswer answer = read_dps_answer(seen.identityd_log);
    append(findings, judge_identity_area(seen));
    append(findings, seen.files);
    append(findings, judge_config_area(seen));
    append(findings, judge_services_area(seen, answer));
    append(findings, judge_modules_area(seen));
    append(findings, judge_host_area(seen));
    append(findings, judge_cloud_area(seen, answer));
    Told told = phase_of(seen, findings, answer);
    verdict.phase = told.phase;
    verdict.because = std::move(told.because);
    verdict.next = std::move(told.next);
    return verdict;
}

}  // namespace eflow
