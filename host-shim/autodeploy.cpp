#include <algorithm>
#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "host-shim/request.hpp"
#include "shared/failure.hpp"
#include "shared/written_text.hpp"

namespace eflow {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& why) {
    throw Failure(ExitCode::refused, "the autodeploy configuration cannot be used: " + why,
                  "Correct it, or give the values as options or in a device.toml.");
}

bool is_set(const json& value) {
    if (value.is_null()) return false;
    if (value.is_string()) return !value.get<std::string>().empty();
    if (value.is_number()) return value != 0;
    if (value.is_boolean()) return value.get<bool>();
    return !value.empty();
}

const json& section(const json& root, const char* name) {
    static const json none = json::object();
    const auto found = root.find(name);
    if (found == root.end() || found->is_null()) return none;
    if (!found->is_object()) refuse(std::string(name) + " must be an object");
    return *found;
}

std::optional<std::string> text(const json& from, const std::string& where, const char* key) {
    const auto found = from.find(key);
    if (found == from.end() || !is_set(*found)) return std::nullopt;
    if (!found->is_string()) refuse(where + "." + key + " must be a text");
    return found->get<std::string>();
}

/// A number, which that file may write as a text.
std::optional<int> number(const json& from, const std::string& where, const char* key) {
    const auto found = from.find(key);
    if (found == from.end() || !is_set(*found)) return std::nullopt;
    if (found->is_number_integer() && *found > 0 && *found <= 1'000'000'000) return found->get<int>();
    if (found->is_string()) {
        const auto digits = found->get<std::string>();
        if (digits.size() <= 9 && digits.find_first_not_of("0123456789") == std::string::npos) return std::stoi(digits);
    }
    refuse(where + "." + key + " must be a whole number");
}

/// "Yes", "yes", true: the file's own script compares without case.
bool yes(const json& from, const char* key) {
    const auto found = from.find(key);
    if (found == from.end()) return false;
    if (found->is_boolean()) return found->get<bool>();
    if (!found->is_string()) return false;
    const auto word = found->get<std::string>();
    return word.size() == 3 && (word[0] | 32) == 'y' && (word[1] | 32) == 'e' && (word[2] | 32) == 's';
}

bool same_word(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return (x | 32) == (y | 32); });
}

// The other types of eflowAutoDeploy.ps1 ($eflowProvisioningProperties).
constexpr std::array<std::string_view, 4> other_types{"ManualConnectionString", "ManualX509", "DpsTPM", "DpsSymmetricKey"};

// What this program reads, and what only describes the file.
constexpr std::array<std::string_view, 20> read_keys{"schemaVersion",
                                                     "version",
                                                     "eflowProduct",
                                                     "enduser.acceptEula",
                                                     "enduser.acceptOptionalTelemetry",
                                                     "network.vswitchName",
                                                     "network.vswitchType",
                                                     "network.ip4Address",
                                                     "network.ip4GatewayAddress",
                                                     "network.ip4PrefixLength",
                                                     "network.dnsServers",
                                                     "vmConfig.cpuCount",
                                                     "vmConfig.memoryInMB",
                                                     "vmConfig.vmDataSize",
                                                     "eflowProvisioning.provisioningType",
                                                     "eflowProvisioning.scopeId",
                                                     "eflowProvisioning.registrationId",
                                                     "eflowProvisioning.identityCertPath",
                                                     "eflowProvisioning.identityPrivKeyPath",
                                                     "eflowProvisioning.globalEndpoint"};

std::string unused(const json& root) {
    std::string names;
    const auto name = [&](const std::string& path, const json& value) {
        if (is_set(value) && std::find(read_keys.begin(), read_keys.end(), path) == read_keys.end())
            names += (names.empty() ? "" : ", ") + path;
    };
    for (const auto& entry : root.items()) {
        if (entry.value().is_object())
            for (const auto& inner : entry.value().items()) name(entry.key() + "." + inner.key(), inner.value());
        else
            name(entry.key(), entry.value());
    }
    return names;
}

}  // namespace

AutodeployConfig parse_autodeploy(std::string_view source) {
    const auto text_of_it = written_text(source);
    if (!text_of_it) refuse(text_fault(source));
    json root;
    try {
        root = json::parse(*text_of_it);
    } catch (const json::parse_error& error) {
        // The library's own words quote the text, where a key or a connection string may stand.
        refuse("it is no JSON: " + place_in(*text_of_it, error.byte));
    } catch (const json::exception&) {
        refuse("a number in it is out of range");
    }
    if (!root.is_object()) refuse("it is no JSON object");
    const json& provisioning = section(root, "eflowProvisioning");
    const json& network = section(root, "network");
    const json& vm = section(root, "vmConfig");
    const json& user = section(root, "enduser");

    const std::string type = text(provisioning, "eflowProvisioning", "provisioningType").value_or("");
    if (!same_word(type, "DpsX509")) {
        const auto known =
            std::find_if(other_types.begin(), other_types.end(), [&](auto name) { return same_word(type, name); });
        // Whatever else stands there may be a secret in the wrong place.
        refuse("eflowProvisioning.provisioningType is " +
               (known != other_types.end() ? std::string(*known) : std::string("missing or no known type")) +
               "; this program provisions with DpsX509");
    }

    AutodeployConfig config;
    config.device.scope_id = text(provisioning, "eflowProvisioning", "scopeId").value_or("");
    config.device.registration_id = text(provisioning, "eflowProvisioning", "registrationId").value_or("");
    config.device.certificate = text(provisioning, "eflowProvisioning", "identityCertPath").value_or("");
    config.device.private_key = text(provisioning, "eflowProvisioning", "identityPrivKeyPath").value_or("");
    config.device.global_endpoint = text(provisioning, "eflowProvisioning", "globalEndpoint");
    config.deployment.cpu = number(vm, "vmConfig", "cpuCount");
    config.deployment.memory_mb = number(vm, "vmConfig", "memoryInMB");
    config.deployment.disk_gb = number(vm, "vmConfig", "vmDataSize");
    config.deployment.accept_eula = yes(user, "acceptEula");
    config.deployment.accept_optional_telemetry = yes(user, "acceptOptionalTelemetry");
    config.deployment.switch_name = text(network, "network", "vswitchName");
    config.deployment.switch_type = text(network, "network", "vswitchType");
    config.deployment.address = text(network, "network", "ip4Address");
    config.deployment.gateway = text(network, "network", "ip4GatewayAddress");
    config.deployment.prefix_length = number(network, "network", "ip4PrefixLength");
    if (const auto servers = network.find("dnsServers"); servers != network.end() && is_set(*servers)) {
        if (servers->is_string()) config.deployment.dns_servers.push_back(servers->get<std::string>());
        if (servers->is_array())
            for (const auto& server : *servers)
                if (server.is_string()) config.deployment.dns_servers.push_back(server.get<std::string>());
    }
    if (const std::string names = unused(root); !names.empty())
        config.findings.push_back(warning("config.autodeploy", "Parts of the autodeploy configuration are not used",
                                          names,
                                          "Set what they stand for otherwise: the proxy in device.toml, the product by "
                                          "installing its MSI."));
    return config;
}

}  // namespace eflow
