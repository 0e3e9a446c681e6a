#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace eflow {

/// Where identityd keeps it (identity.rs DEVICE_BACKUP_LOCATION). With it identityd starts without asking DPS, whatever
/// its configuration says by then ("Provisioned with backup", identity.rs dps_provision).
inline constexpr const char* device_info_path = "/var/lib/aziot/identityd/device_info";

/// What identityd remembers of its last provisioning (identity.rs HubDeviceInfo).
struct DeviceInfo {
    std::string hub_name;
    std::string device_id;
    /// When the file was written, which identityd does with each registration; the epoch when that is not known.
    std::chrono::sys_time<std::chrono::microseconds> written{};
};

/// Nothing when the text is not that file.
std::optional<DeviceInfo> parse_device_info(std::string_view text);

}  // namespace eflow
