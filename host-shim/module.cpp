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

/// Everything that was said, in lower case: which stream a version of the module uses for what is not known.
std::string everything(const Called& called) {
    std::string text;
    if (called.error) text += called.error->id + "\n" + called.error->message + "\n";
    for (const auto& line : called.output) text += line + "\n";
    for (const auto& line : called.said) text += line + "\n";
    return lowered(text);
}

struct Words {
    Trouble trouble;
    std::string_view words;  ///< lower case
};

// Order matters: what names its cause precisely comes before what any failure says too.
constexpr std::array known{
    Words{Trouble::certificate_expired, "x509: certificate has expired"},
    Words{Trouble::certificate_expired, "certificate has expired or is not yet valid"},
    Words{Trouble::policy, "unauthorizedaccess"},
    Words{Trouble::policy, "pssecurityexception"},
    Words{Trouble::policy, "authorizationmanager check failed"},
    Words{Trouble::policy, "cannot be loaded because running scripts is disabled"},
    Words{Trouble::policy, "is not digitally signed"},
    Words{Trouble::policy, "untrusted publisher"},
    Words{Trouble::policy, "methodinvocationnotsupportedinconstrainedlanguage"},
    Words{Trouble::already_provisioned, "previously provisioned"},
    Words{Trouble::registration_id_refused, "registration id, and symmetric key may not be specified"},
    Words{Trouble::leftover_files, "scp: "},
    Words{Trouble::vm_missing, "virtual machine does not exist"},
    Words{Trouble::vm_off, "eflow vm is off"},
    Words{Trouble::access_denied, "permission denied (publickey"},
    Words{Trouble::access_denied, "too many authentication failures"},
    Words{Trouble::access_denied, "virtual machine name could not be retrieved"},
    Words{Trouble::unreachable, "unable to connect virtual machine with ssh"},
    Words{Trouble::unreachable, "connection refused"},
    Words{Trouble::unreachable, "connection timed out"},
    Words{Trouble::unreachable, "connection reset"},
    Words{Trouble::not_provisioned, "failed to provision"},
    Words{Trouble::not_provisioned, "service not running after provisioning"},
};

struct Advice {
    Trouble trouble;
    const char* meaning;
    const char* remedy;
};

constexpr std::array advices{
    Advice{Trouble::certificate_expired, "WSSDAgent's own certificate has expired, a year after EFLOW was installed",
           "Renew it with updateWssdCert.ps1 of github.com/Azure/iotedge-eflow (eflow-util), then run this again."},
    Advice{Trouble::policy, "PowerShell's execution policy keeps the EFLOW module out",
           "Set-ExecutionPolicy AllSigned -Force, then run Get-EflowVm once in an elevated console of this account and "
           "answer "
           "[A] Always run, so that the module's publisher is trusted."},
    Advice{Trouble::vm_missing, "There is no EFLOW VM", "Deploy it: run this again with --deploy."},
    Advice{Trouble::vm_off, "The VM is off", "Start-EflowVm, then run this again."},
    Advice{
        Trouble::access_denied, "The VM does not let this Windows account in: only the one that created it may",
        "Run this as the account that ran Deploy-Eflow; a VM for Intune or Configuration Manager must be deployed by "
        "SYSTEM (--deploy)."},
    Advice{Trouble::unreachable,
           "The VM cannot be reached by SSH: it is starting, it bans this host for too many connections, or another "
           "Windows "
           "account created it",
           "Wait a minute and run this again, as the account that ran Deploy-Eflow."},
    Advice{Trouble::leftover_files, "Files of an earlier run stand in the way in the VM",
           "Remove them: Invoke-EflowVmCommand 'sudo rm -rf /home/iotedge-user/certs /home/iotedge-user/private'"},
    Advice{Trouble::registration_id_refused, "This version of the module takes no registration ID with DpsX509", ""},
    Advice{Trouble::already_provisioned, "The module says that the VM was provisioned before", ""},
    Advice{
        Trouble::not_provisioned, "The module configured the VM, but the device did not come up",
        "The agent's findings say why; so do the service's last log lines: Invoke-EflowVmCommand 'sudo iotedge system "
        "logs'"},
};

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
    const std::string text = everything(called);
    for (const auto& [trouble, words] : known) {
        if (text.find(words) == std::string::npos) continue;
        if (trouble == Trouble::leftover_files && text.find("permission denied") == std::string::npos) continue;
        return trouble;
    }
    return called.failed() ? Trouble::other : Trouble::none;
}

Finding explain(const std::string& id, const std::string& what, const Called& called) {
    const Trouble trouble = trouble_of(called);
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
    for (const auto& advice : advices)
        if (advice.trouble == trouble) return failed(id, what + ": " + advice.meaning, detail, advice.remedy);
    return failed(id, what, detail, "Read what PowerShell says; run this again to pick up where it stopped.");
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
