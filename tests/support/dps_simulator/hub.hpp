#pragma once

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/support/dps_simulator/message.hpp"

namespace eflow::dps {

/// The module identities of the IoT Hub behind DPS, as identityd asks for them
/// (iot-identity-service aziot-cloud-client-async/src/hub/mod.rs): list, get, create, update, delete. A device has
/// `$edgeAgent` and `$edgeHub` from the start, as every IoT Edge device of a hub does.
class Hub {
public:
    /// A request for `/devices/{device}/modules[/{module}]` from a device that the hub knows. Never throws.
    Response answer(const Request& request, const std::string& device, const std::string& module, Instant now);

private:
    std::map<std::string, std::map<std::string, nlohmann::json>> modules_;  ///< by device, by name
};

/// An error as the hub words it: what identityd reads is `Message` (hub/mod.rs:11, HubError).
Response hub_error(int status, const std::string& message, Instant now);

}  // namespace eflow::dps
