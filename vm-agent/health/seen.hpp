#pragma once

#include <array>
#include <map>
#include <string>

namespace eflow {

/// One unit as systemd has it (org.freedesktop.systemd1.Unit and .Service).
struct UnitSeen {
    std::string name;
    std::string load;       ///< LoadState: loaded, not-found, masked
    std::string active;     ///< ActiveState
    std::string sub;        ///< SubState
    std::string result;     ///< Result; success when it never failed
    int exit_status = 0;    ///< ExecMainStatus
    unsigned restarts = 0;  ///< NRestarts
};

/// One container as the Docker Engine lists it.
struct ContainerSeen {
    std::string name;
    std::string image;
    std::string state;   ///< created, running, paused, restarting, exited, dead
    std::string status;  ///< "Up 5 minutes", "Exited (137) 2 hours ago"
    std::map<std::string, std::string> labels;
};

/// The services that `iotedge config apply` restarts, in upstream's order (aziotctl-common system/restart.rs).
inline constexpr std::array<const char*, 5> aziot_services{"aziot-edged.service", "aziot-identityd.service",
                                                           "aziot-keyd.service", "aziot-certd.service",
                                                           "aziot-tpmd.service"};

}  // namespace eflow
