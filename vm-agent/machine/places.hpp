#pragma once

namespace eflow::places {

/// Where the watcher puts what it sees: systemd makes and removes the first with the unit (RuntimeDirectory=), the second
/// stays over reboots (StateDirectory=).
inline constexpr const char* runtime_folder = "/run/eflow-agent";
inline constexpr const char* status_file = "/run/eflow-agent/status.json";
inline constexpr const char* watch_lock = "watch.lock";  ///< in runtime_folder; held while a watcher lives
inline constexpr const char* watch_folder = "/var/lib/eflow-agent/watch";
inline constexpr const char* memory_file = "/var/lib/eflow-agent/watch/memory.json";
inline constexpr const char* watch_settings = "/etc/eflow-agent/watch.toml";

}  // namespace eflow::places
