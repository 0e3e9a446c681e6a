#pragma once

#include <optional>
#include <string>

namespace eflow {

/// Where the container engine that IoT Edge uses listens.
struct EngineAddress {
    std::string socket = "/run/docker.sock";  ///< path; empty when the uri names none
    bool is_default = true;                   ///< docker.service's own socket
    std::string why;                          ///< why there is no socket to look at

    /// "docker" as root has to call it: with -H where the engine is not the usual one.
    [[nodiscard]] std::string command() const;
    bool operator==(const EngineAddress&) const = default;
};

/// The address that [moby_runtime] uri of config.toml stands for (edgelet/iotedge super_config.rs:111), read as
/// http-common/src/connector.rs:190 reads it; the usual one for none.
[[nodiscard]] EngineAddress engine_address(const std::optional<std::string>& moby_uri);

}  // namespace eflow
