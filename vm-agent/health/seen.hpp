#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace eflow {

/// A point of time to the microsecond, as systemd and the journal count it; the epoch for "never".
using Stamp = std::chrono::sys_time<std::chrono::microseconds>;

/// One unit as systemd has it (org.freedesktop.systemd1.Unit and .Service).
struct UnitSeen {
    std::string name;
    std::string load;       ///< LoadState: loaded, not-found, masked
    std::string active;     ///< ActiveState
    std::string sub;        ///< SubState
    std::string result;     ///< Result; success when it never failed
    int exit_code = 0;      ///< ExecMainCode: 1 exited, 2 killed, 3 dumped (CLD_* of siginfo)
    int exit_status = 0;    ///< ExecMainStatus: the status, or the signal's number
    unsigned restarts = 0;  ///< NRestarts
    Stamp changed{};        ///< StateChangeTimestamp

    bool operator==(const UnitSeen&) const = default;
};

/// What the Docker Engine tells of one container on inspection.
struct ContainerDetail {
    int exit_code = 0;
    bool oom_killed = false;
    std::string error;           ///< why the engine could not start it, in the engine's words
    unsigned restart_count = 0;  ///< by Docker's own policy; edgeAgent's restarts do not count here
    Stamp started{};
    Stamp finished{};
    std::string health;               ///< "healthy", "unhealthy", "starting", or "" without a health check
    std::vector<std::string> mounts;  ///< paths inside the container that lie outside of it
    std::string storage_folder;       ///< of its environment variable storageFolder, "" without one

    bool operator==(const ContainerDetail&) const = default;
};

/// One container as the Docker Engine lists it.
struct ContainerSeen {
    std::string name;
    std::string image;
    std::string state;   ///< created, running, paused, restarting, removing, exited, dead
    std::string status;  ///< "Up 5 minutes", "Exited (137) 2 hours ago"
    std::map<std::string, std::string> labels;
    std::string id{};
    std::optional<ContainerDetail> detail{};  ///< of edgeAgent and edgeHub

    [[nodiscard]] bool is_module() const { return labels.count("net.azure-devices.edge.owner") > 0; }
    bool operator==(const ContainerSeen&) const = default;
};

/// The names of this machine: what IoT Edge is told, what it runs with, and what the kernel says.
struct HostnamesSeen {
    std::string machine;                    ///< empty: not looked at
    std::optional<std::string> configured;  ///< hostname of config.toml; the machine's own without one
    std::optional<std::string> rendered;    ///< that of identityd's rendered configuration
};

/// A line Environment= of a service's drop-in that systemd drops, since a quote in it is never closed.
struct DroppedLine {
    std::string path;
    std::size_t line = 0;
};

/// The services that `iotedge config apply` restarts, in upstream's order (aziotctl-common system/restart.rs).
inline constexpr std::array<const char*, 5> aziot_services{"aziot-edged.service", "aziot-identityd.service",
                                                           "aziot-keyd.service", "aziot-certd.service",
                                                           "aziot-tpmd.service"};
/// The sockets that start them on demand.
inline constexpr std::array<const char*, 6> aziot_sockets{"aziot-edged.mgmt.socket", "aziot-edged.workload.socket",
                                                          "aziot-identityd.socket",  "aziot-keyd.socket",
                                                          "aziot-certd.socket",      "aziot-tpmd.socket"};
/// The container engine's unit.
inline constexpr const char* docker_service = "docker.service";

}  // namespace eflow
