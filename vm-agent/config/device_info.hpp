#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace eflow {

/// What identityd remembers of its last provisioning: /var/lib/aziot/identityd/device_info (aziot-identityd, lib.rs).
struct DeviceInfo {
    std::string hub_name;
    std::string device_id;
};

/// Nothing when the text is not that file.
std::optional<DeviceInfo> parse_device_info(std::string_view text);

}  // namespace eflow
