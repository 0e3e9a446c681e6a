#include "vm-agent/health/verdict.hpp"

#include <algorithm>

#include "vm-agent/config/judge.hpp"
#include "vm-agent/health/dps_answer.hpp"
#include "vm-agent/identity/judge.hpp"

namespace eflow {

namespace {

struct Told {
    Phase phase;
    std::string because;
    std::string next;
};

const ContainerSeen* container(const Observations& seen, std::string_view name) {
    if (!seen.containers.value) return nullptr;
    for (const auto& one : *seen.containers.value)
        if (one.name == name) return &one;
    return nullptr;
}

/// A service that failed, or keeps being restarted. Socket-activated services that are inactive are well.
bool is_failing(const UnitSeen& unit) {
    return unit.active == "failed" || unit.sub == "auto-restart";
}

/// aziot-edged ends with 153 when it has no usable configuration, and systemd leaves it so
/// (aziot-edged/src/error.rs, RestartPreventExitStatus): on a device that nobody has provisioned that is how it looks.
bool awaits_configuration(const UnitSeen& unit, bool provisioned) {
    return !provisioned && unit.name == "aziot-edged.service" && unit.active == "failed" && unit.exit_status == 153;
}

/// identityd is fine and the cloud is not there: systemd starts it again until it is.
bool tries_again(const DpsAnswer& answer) {
    return answer.kind != DpsAnswer::Kind::nothing && answer.kind != DpsAnswer::Kind::refused;
}

bool is_provisioned(const Observations& seen) {
    return seen.config.value && seen.config.value->present && read_provisioning(seen.config.value->text).has_value();
}

std::string id_of(const UnitSeen& unit) {
    std::string name = unit.name.substr(0, unit.name.rfind('.'));
    return "services." + name;
}

Findings judge_units(const Observations& seen, const DpsAnswer& answer) {
    Findings findings;
    if (!seen.units.value) {
        for (const char* unit : aziot_services)
            findings.push_back(skipped(id_of(UnitSeen{unit, {}, {}, {}, {}, 0, 0}), "Not looked at", seen.units.why));
        return findings;
    }
    for (const auto& unit : *seen.units.value) {
        const std::string state = unit.active + " (" + unit.sub + ")";
        if (unit.load == "not-found")
            findings.push_back(failed(id_of(unit), unit.name + " is not installed", "systemd knows no such unit",
                                      "Install IoT Edge: aziot-identity-service, aziot-edge and moby-engine."));
        else if (awaits_configuration(unit, is_provisioned(seen)))
            findings.push_back(skipped(id_of(unit), unit.name + " waits for a configuration",
                                       state + ", exit status 153: it has none, as expected before provisioning"));
        else if (is_failing(unit) && unit.name == "aziot-identityd.service" && tries_again(answer))
            findings.push_back(warning(id_of(unit), unit.name + " is started again and again until DPS can be reached",
                                       state + ", restarted " + std::to_string(unit.restarts) + " times",
                                       "See cloud.registration."));
        else if (is_failing(unit))
            findings.push_back(failed(id_of(unit), unit.name + " is failing",
                                      state + ", result " + unit.result + ", exit status " +
                                          std::to_string(unit.exit_status) + ", restarted " +
                                          std::to_string(unit.restarts) + " times",
                                      "Read what it says: journalctl -u " + unit.name + " -n 50"));
        else
            findings.push_back(
                ok(id_of(unit),
                   unit.name + (unit.active == "inactive" ? " is ready, started on demand" : " is " + unit.active),
                   state));
    }
    return findings;
}

Finding judge_applied(const Observations& seen) {
    constexpr auto id = "config.applied";
    if (seen.applied.applied) return ok(id, "The services run with this config.toml");
    return warning(id, "config.toml has not been applied", seen.applied.why, "sudo iotedge config apply");
}

/// edgeHub is expected only after a deployment; told in the words that the portal and iotedge check use.
Findings judge_modules(const Observations& seen) {
    if (!seen.containers.value)
        return {skipped("modules.edge-agent", "edgeAgent was not looked at", seen.containers.why),
                skipped("modules.edge-hub", "edgeHub was not looked at", seen.containers.why)};
    Findings findings;
    const auto* agent = container(seen, "edgeAgent");
    const auto* hub = container(seen, "edgeHub");
    if (agent == nullptr)
        findings.push_back(skipped("modules.edge-agent", "edgeAgent has not been created yet",
                                   "aziot-edged creates it once the device has its identity"));
    else if (agent->state == "running")
        findings.push_back(ok("modules.edge-agent", "edgeAgent is running", agent->status));
    else
        findings.push_back(failed("modules.edge-agent", "edgeAgent is not running", agent->status,
                                  "Read what it says: docker logs --tail 50 edgeAgent"));
    if (hub == nullptr)
        findings.push_back(
            skipped("modules.edge-hub", "edgeHub has not been created yet, as expected before the first deployment",
                    "The portal shows 417 -- The device's deployment configuration is not set, and iotedge check says "
                    "Could not "
                    "check current state of edgeHub container; both are normal until a deployment exists."));
    else if (hub->state == "running")
        findings.push_back(ok("modules.edge-hub", "edgeHub is running", hub->status));
    else
        findings.push_back(failed("modules.edge-hub", "edgeHub is not running", hub->status,
                                  "Read what it says: docker logs --tail 50 edgeHub"));
    return findings;
}

bool failed_in(const Findings& findings, std::string_view area) {
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
        return finding.severity == Severity::failed && std::string_view(finding.id).starts_with(area);
    });
}

Told phase_of(const Observations& seen, const Findings& findings, const DpsAnswer& answer) {
    if (!seen.config.value)
        return {Phase::unknown, "config.toml could not be read: " + seen.config.why,
                "Run eflow-agent status with sudo."};
    const auto provisioning = seen.config.value->present ? read_provisioning(seen.config.value->text) : std::nullopt;
    if (failed_in(findings, "config.") && seen.config.value->present && !provisioning)
        return {Phase::failed, "config.toml cannot be used", "Mend what config.well-formed names."};
    if (!provisioning || provisioning->source == "none")
        return {Phase::not_provisioned, "config.toml provisions nothing", "eflow-agent provision --help"};
    if (gravest(findings) == Severity::failed &&
        (failed_in(findings, "identity.") || failed_in(findings, "files.") || failed_in(findings, "config.")))
        return {seen.applied.applied && container(seen, "edgeAgent") != nullptr ? Phase::degraded : Phase::failed,
                "something about the identity or its files has failed", "Mend what has failed; each line says how."};
    if (!seen.applied.applied)
        return {Phase::not_provisioned, "the identity is in place and waits to be applied (" + seen.applied.why + ")",
                seen.live ? "sudo iotedge config apply" : "On the device: sudo iotedge config apply"};
    if (!seen.live)
        return {Phase::unknown, "below --root the services are not looked at", "On the device: eflow-agent status"};
    if (answer.kind == DpsAnswer::Kind::refused)
        return {Phase::failed, "DPS refused this device: " + answer.text, "See cloud.registration."};
    if (failed_in(findings, "services."))
        return {Phase::failed, "a service is failing", "Mend what has failed; each line says how."};
    if (!seen.units.value) return {Phase::unknown, "systemd could not be asked: " + seen.units.why, ""};
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
    const auto* agent = container(seen, "edgeAgent");
    const auto* hub = container(seen, "edgeHub");
    if (agent == nullptr)
        return {Phase::provisioning, "aziot-edged has not created edgeAgent yet",
                "Wait; sudo journalctl -u aziot-edged -f shows it."};
    if (failed_in(findings, "modules."))
        return {Phase::degraded, "a module of the runtime is not running", "Mend what has failed; each line says how."};
    if (hub == nullptr)
        return {Phase::awaiting_deployment,
                "edgeAgent runs, and no deployment has been made yet; that is expected on a new device (the portal "
                "shows 417)",
                "Create a deployment for this device in IoT Hub: Set modules."};
    return {Phase::running, "edgeAgent and edgeHub are running", ""};
}

}  // namespace

Verdict judge(const Observations& seen) {
    Verdict verdict;
    Findings& findings = verdict.findings;
    if (seen.certificate.value && seen.certificate.value->present) {
        IdentityExpectation expectation;
        expectation.now = seen.now;
        expectation.allow_after_2038 = true;  // it was accepted when it was placed
        append(findings, judge_certificate(seen.certificate.value->text, seen.certificate_path, expectation));
    } else if (!seen.certificate_path.empty() && seen.certificate.value) {
        findings.push_back(failed("identity.cert-readable", "The certificate that config.toml names does not exist",
                                  seen.certificate_path, "Run eflow-agent provision again, with the certificate."));
    } else {
        findings.push_back(skipped("identity.cert-readable", "The certificate was not judged", seen.certificate.why));
    }
    append(findings, seen.files);
    if (seen.config.value && seen.config.value->present) {
        append(findings, judge_config(seen.config.value->text));
        findings.push_back(judge_applied(seen));
    } else {
        findings.push_back(skipped("config.well-formed", "config.toml was not judged",
                                   seen.config.value ? "it does not exist" : seen.config.why));
    }
    const DpsAnswer answer = read_dps_answer(seen.identityd_log);
    append(findings, judge_units(seen, answer));
    append(findings, judge_modules(seen));
    if (answer.kind != DpsAnswer::Kind::nothing) findings.push_back(judge_dps_answer(answer));
    Told told = phase_of(seen, findings, answer);
    verdict.phase = told.phase;
    verdict.because = std::move(told.because);
    verdict.next = std::move(told.next);
    return verdict;
}

}  // namespace eflow
