#include <utility>

#include <CLI/CLI.hpp>

#include "vm-agent/cli/verb.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/health/verdict.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {

namespace {

std::string row(const char* name, const std::string& value) {
    return std::string(name) + std::string(12 - std::string_view(name).size(), ' ') + value + "\n";
}

std::string identity_row(const Observations& seen, Report& report) {
    if (!seen.certificate.value || !seen.certificate.value->present)
        return row("Identity", seen.certificate_path.empty() ? "none" : plain(seen.certificate.why));
    const auto judged = read_certificates(seen.certificate.value->text, seen.certificate_path);
    const auto* certificates = std::get_if<std::vector<Certificate>>(&judged);
    if (certificates == nullptr) return row("Identity", "unreadable");
    const CertificateFacts leaf = facts(certificates->front(), seen.now);
    report.data["identity"] = {{"common_name", leaf.common_name.value_or("")},
                               {"key", leaf.key},
                               {"days_left", leaf.days_left},
                               {"sha256", leaf.sha256},
                               {"certificate", seen.certificate_path},
                               {"private_key", seen.key_path}};
    return row("Identity", plain(leaf.common_name.value_or("?")) + ", " + leaf.key + ", " +
                               std::to_string(leaf.days_left) + " days left");
}

std::string provisioning_row(const Observations& seen, Report& report) {
    if (!seen.config.value) return row("DPS", "unknown: " + plain(seen.config.why));
    const auto provisioning = read_provisioning(seen.config.value->text);
    if (!provisioning) return row("DPS", "not configured");
    report.data["provisioning"] = {{"source", provisioning->source},
                                   {"method", provisioning->method},
                                   {"id_scope", provisioning->id_scope.value_or("")},
                                   {"global_endpoint", provisioning->global_endpoint.value_or("")}};
    return row("DPS", plain(provisioning->id_scope.value_or("no ID scope") + " at " +
                            provisioning->global_endpoint.value_or("no endpoint")));
}

std::string hub_row(const Observations& seen, Report& report) {
    if (!seen.device_info.value || !*seen.device_info.value) return {};
    const DeviceInfo& device = **seen.device_info.value;
    report.data["hub"] = {{"hub_name", device.hub_name}, {"device_id", device.device_id}};
    return row("IoT Hub", plain(device.device_id + " at " + device.hub_name));
}

std::string services_row(const Observations& seen) {
    if (!seen.units.value) return row("Services", "not seen: " + plain(seen.units.why));
    std::string text;
    for (const auto& unit : *seen.units.value) {
        const std::string name = unit.name.substr(0, unit.name.rfind('.'));
        const std::string state = unit.load == "not-found"    ? "not installed"
                                  : unit.active == "inactive" ? "ready"
                                                              : unit.sub;
        text += (text.empty() ? "" : ", ") + name + " " + state;
    }
    return row("Services", plain(text));
}

std::string modules_row(const Observations& seen) {
    if (!seen.containers.value) return row("Modules", "not seen: " + plain(seen.containers.why));
    std::string text;
    for (const auto& container : *seen.containers.value)
        if (container.labels.count("net.azure-devices.edge.owner") > 0)
            text += (text.empty() ? "" : ", ") + container.name + " " + container.state;
    return row("Modules", text.empty() ? "none yet" : plain(text));
}

Outcome status(const Context& context) {
    const Tree tree = tree_of(context);
    const Observations seen = observations_of(context, tree);
    Verdict verdict = judge(seen);
    Report report;
    report.phase = verdict.phase;
    report.data["because"] = verdict.because;
    report.data["next"] = verdict.next;
    std::string text = row("Phase", context.style.phase(verdict.phase) + "  " + plain(verdict.because));
    text += identity_row(seen, report) + provisioning_row(seen, report) + hub_row(seen, report);
    text += services_row(seen) + modules_row(seen);
    if (!verdict.next.empty()) text += row("Next", plain(verdict.next));
    report.findings = std::move(verdict.findings);
    const std::string findings = context.style.findings(report.findings, context.options.verbose);
    if (!findings.empty()) text += "\n" + findings;
    report.exit_code = gravest(report.findings) == Severity::failed ? ExitCode::something_failed : ExitCode::done;
    return {report, text};
}

}  // namespace

Handler declare_status(CLI::App&) {
    return [](const Context& context) { return status(context); };
}

}  // namespace eflow
