#include "host-shim/module.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "shared/failure.hpp"
#include "shared/identity.hpp"

namespace eflow {

namespace {

std::string lowered(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::optional<std::array<int, 2>> version_of(const std::string& text) {
    std::array<int, 2> parts{};
    const char* at = text.data();
    const char* const end = at + text.size();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto [stop, error] = std::from_chars(at, end, parts[i]);
        if (error != std::errc{} || parts[i] < 0) return std::nullopt;
        if (i == 0) {
            if (stop == end || *stop != '.') return std::nullopt;
            at = stop + 1;
        }
    }
    return parts;
}

/// The name this module has for a parameter that the call cannot do without.
std::string required_name(const HostFacts& facts, const std::string& cmdlet, std::initializer_list<const char*> names) {
    if (auto name = parameter_name(facts, cmdlet, names)) return *name;
    throw Failure(ExitCode::machine_lacks,
                  cmdlet + " of this EFLOW module (" + (facts.module ? facts.module->version : "?") +
                      ") has no parameter " + *names.begin(),
                  "Update EFLOW to 1.4 or 1.5.");
}

}  // namespace

Trouble trouble_of(const Called& called) {
    if (const CmdletFailure* known = recognise(called)) return known->trouble;
    return called.failed() ? Trouble::other : Trouble::none;
}

Finding explain(const std::string& id, const std::string& what, const Called& called) {
    std::string detail;
    if (called.timed_out) detail = "it took longer than it may";
    if (called.cancelled) detail = "it was cancelled";
    if (called.error) {
        detail += (detail.empty() ? "" : "; ") + called.error->message;
        if (!called.error->id.empty() && called.error->id != called.error->message)
            detail += " [" + called.error->id + "]";
        if (!called.error->position.empty()) detail += "\n" + called.error->position;
    }
    for (const auto* lines : {&called.output, &called.said})
        for (std::size_t i = lines->size() > 8 ? lines->size() - 8 : 0; i < lines->size(); ++i)
            detail += (detail.empty() ? "" : "\n") + (*lines)[i].substr(0, 400);
    if (const CmdletFailure* known = recognise(called))
        return failed(id, what + ": " + known->cause, detail, known->remedy);
    return failed(id, what, detail,
                  "This failure is not known here. Read what PowerShell says, C:\\ProgramData\\wssdagent\\log\\wssdagent.log "
                  "and what Get-EflowLogs collects; run this again to pick up where it stopped.");
}

std::optional<std::string> parameter_name(const HostFacts& facts, const std::string& cmdlet,
                                          std::initializer_list<const char*> names) {
    const auto parameters = std::find_if(facts.parameters.begin(), facts.parameters.end(),
                                         [&](const auto& entry) { return lowered(entry.first) == lowered(cmdlet); });
    if (parameters == facts.parameters.end()) return std::nullopt;
    for (const char* name : names)
        for (const auto& candidate : parameters->second)
            if (lowered(candidate) == lowered(name)) return candidate;
    return std::nullopt;
}

bool bans_busy_hosts(const std::string& version) {
    const auto parts = version_of(version);
    return !parts || *parts < std::array<int, 2>{1, 4};
}

bool is_1_1(const std::string& version) {
    const auto parts = version_of(version);
    return parts && *parts < std::array<int, 2>{1, 2};
}

nlohmann::json provision_parameters(const HostFacts& facts, const Request& request, const std::string& certificate_path,
                                    const std::string& key_path, bool with_registration_id) {
    const std::string cmdlet = "Provision-EflowVm";
    nlohmann::json parameters = nlohmann::json::object();
    parameters[required_name(facts, cmdlet, {"provisioningType"})] = "DpsX509";
    parameters[required_name(facts, cmdlet, {"scopeId"})] = request.device.scope_id;
    parameters[required_name(facts, cmdlet, {"identityCertPath"})] = certificate_path;
    parameters[required_name(facts, cmdlet, {"identityPrivateKey", "identityPrivKeyPath"})] = key_path;
    if (with_registration_id)
        if (const auto name = parameter_name(facts, cmdlet, {"registrationId"}))
            parameters[*name] = request.device.registration_id;
    if (request.device.global_endpoint) {
        const auto endpoint = DpsEndpoint::parse(*request.device.global_endpoint);
        parameters[required_name(facts, cmdlet, {"globalEndpoint"})] = std::get<DpsEndpoint>(endpoint).url();
    }
    // Without it the module may ask, and nobody is there to answer.
    if (const auto name = parameter_name(facts, cmdlet, {"headless"})) parameters[*name] = true;
    return parameters;
}

nlohmann::json deploy_parameters(const HostFacts& facts, const Deployment& deployment) {
    const std::string cmdlet = "Deploy-Eflow";
    nlohmann::json parameters = nlohmann::json::object();
    const auto put = [&](const char* name, const auto& value) {
        if (value) parameters[required_name(facts, cmdlet, {name})] = *value;
    };
    parameters[required_name(facts, cmdlet, {"acceptEula"})] = "Yes";
    parameters[required_name(facts, cmdlet, {"acceptOptionalTelemetry"})] =
        deployment.accept_optional_telemetry ? "Yes" : "No";
    put("cpuCount", deployment.cpu);
    put("memoryInMB", deployment.memory_mb);
    put("vmDataSize", deployment.disk_gb);
    put("vswitchName", deployment.switch_name);
    put("vswitchType", deployment.switch_type);
    put("ip4Address", deployment.address);
    put("ip4PrefixLength", deployment.prefix_length);
    put("ip4GatewayAddress", deployment.gateway);
    return parameters;
}

}  // namespace eflow
