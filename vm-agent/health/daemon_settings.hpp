#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// /etc/docker/daemon.json as dockerd reads it at its next start (moby, daemon/config/config.go getConflictFreeConfiguration
/// and Validate): an empty file is one without settings, a byte order mark is heeded, and one key of another type, one
/// word that is no JSON or one log option that the driver does not know keeps it from starting.
struct DaemonSettings {
    /// What dockerd would not start with, each with its place; none of the values that stand there is repeated.
    std::vector<std::string> faults;
    bool readable = true;  ///< false: it is no JSON object, and nothing below is known

    std::string log_driver;  ///< "" for dockerd's own, json-file
    std::string max_size;
    std::string max_file;
    std::vector<std::string> dns;
    std::optional<std::string> https_proxy;  ///< of "proxies", which go before the unit's environment (Docker 23)
    std::optional<std::string> no_proxy;

    /// Whether the modules' logs cannot fill the disk: the driver writes none, or bounds them itself, or max-size does
    /// (max-file is 1 then; daemon/logger/jsonfilelog).
    [[nodiscard]] bool bounds_logs() const;
};

/// `bytes` as they stand in the file.
[[nodiscard]] DaemonSettings read_daemon_settings(std::string_view bytes);

}  // namespace eflow
