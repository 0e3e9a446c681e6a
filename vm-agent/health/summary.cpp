#include "vm-agent/health/summary.hpp"

#include <cstdio>

#include "vm-agent/health/check.hpp"
#include "vm-agent/health/hub_link.hpp"
#include "vm-agent/identity/inspect.hpp"

namespace eflow {

namespace {

using nlohmann::json;

json identity_of(const Observations& seen) {
    if (!seen.certificate.value || !seen.certificate.value->present) {
        if (seen.certificate_path.empty()) return nullptr;
        return {{"certificate", seen.certificate_path}, {"unseen", seen.certificate.why}};
    }
    const auto& certificates = certificates_in(seen);
    if (certificates.empty()) return {{"certificate", seen.certificate_path}, {"unseen", "it cannot be read"}};
    const CertificateFacts leaf = facts(certificates.front(), seen.now);
    return {{"common_name", leaf.common_name.value_or("")},
            {"key", leaf.key},
            {"days_left", leaf.days_left},
            {"not_after", to_text(leaf.not_after)},
            {"sha256", leaf.sha256},
            {"certificate", seen.certificate_path},
            {"private_key", seen.key_path}};
}

json provisioning_of(const Observations& seen) {
    if (!seen.config.value) return {{"unseen", seen.config.why}};
    const auto& provisioning = provisioning_in(seen);
    if (!provisioning) return nullptr;
    return {{"source", provisioning->source},
            {"method", provisioning->method},
            {"id_scope", provisioning->id_scope.value_or("")},
            {"global_endpoint", provisioning->global_endpoint.value_or("")}};
}

json services_of(const Observations& seen) {
    if (!seen.units.value) return {{"unseen", seen.units.why}};
    // aziot-edged is to run, whoever asks.
    const auto may_rest = [&](const UnitSeen& unit) {
        return is_on_demand(seen, unit) && (unit.name != "aziot-edged.service" || !is_provisioned(seen));
    };
    json services = json::object();
    for (const auto& unit : *seen.units.value) {
        if (!unit.name.ends_with(".service")) continue;
        services[unit.name.substr(0, unit.name.rfind('.'))] = unit.load == "not-found"    ? "not installed"
                                                              : unit.load == "masked"     ? "masked"
                                                              : unit.active != "inactive" ? unit.sub
                                                              : may_rest(unit)            ? "ready"
                                                                                          : "stopped";
    }
    return services;
}

json modules_of(const Observations& seen) {
    if (!seen.containers.value) return {{"unseen", seen.containers.why}};
    json modules = json::array();
    for (const auto& container : *seen.containers.value)
        if (container.is_module())
            modules.push_back({{"name", container.name}, {"state", container.state}, {"image", container.image}});
    return modules;
}

}  // namespace

std::string to_text(Instant instant) {
    const auto day = std::chrono::floor<std::chrono::days>(instant);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(instant - day);
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02ld:%02ld:%02ldZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<long>(time.hours().count()), static_cast<long>(time.minutes().count()),
                  static_cast<long>(time.seconds().count()));
    return text;
}

Report summarize(const Observations& seen, const Verdict& verdict) {
    Report report;
    report.phase = verdict.phase;
    report.findings = verdict.findings;
    report.data["because"] = verdict.because;
    report.data["next"] = verdict.next;
    report.data["observed_at"] = to_text(seen.now);
    report.data["identity"] = identity_of(seen);
    report.data["provisioning"] = provisioning_of(seen);
    if (seen.device_info.value && *seen.device_info.value)
        report.data["hub"] = {{"hub_name", (*seen.device_info.value)->hub_name},
                              {"device_id", (*seen.device_info.value)->device_id}};
    report.data["services"] = services_of(seen);
    report.data["modules"] = modules_of(seen);
    if (const auto deployment = deployment_now(seen)) report.data["deployment"] = deployment->code;
    report.exit_code = gravest(report.findings) == Severity::failed ? ExitCode::something_failed : ExitCode::done;
    return report;
}

}  // namespace eflow
