#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// How the shim deploys a VM: [host.deploy] of device.toml, or eflow-userconfig.json. What is not set is the module's
/// own default.
struct Deployment {
    std::optional<int> cpu;
    std::optional<int> memory_mb;  ///< even, 1024 at least
    std::optional<int> disk_gb;    ///< the data partition
    bool accept_eula = false;
    bool accept_optional_telemetry = false;
    std::optional<std::string> switch_name;
    std::optional<std::string> switch_type;  ///< "Internal" or "External"
    std::optional<std::string> address;
    std::optional<int> prefix_length;
    std::optional<std::string> gateway;
    std::vector<std::string> dns_servers;
};

/// Reads [host.deploy] of a device.toml that parse_manifest accepted; nothing when it has none. Strict in the same way:
/// all faults in one Failure(refused).
std::optional<Deployment> parse_deployment(std::string_view manifest);

/// What makes `deployment` one that Deploy-Eflow would not take, a sentence each.
std::vector<std::string> faults_of(const Deployment& deployment);

}  // namespace eflow
