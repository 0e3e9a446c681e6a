#pragma once

#include <string>
#include <string_view>

namespace eflow {

/// What the watcher is told in /etc/eflow-agent/watch.toml; the defaults hold without the file.
///
///     schema = 1
///     [metrics]
///     listen = "127.0.0.1:9619"      # or "[::1]:9619", or "unix:/run/eflow-agent/metrics.sock"; not served without
///     textfile = "/var/lib/eflow-agent/watch/eflow.prom"
struct WatchSettings {
    std::string metrics_listen;
    std::string metrics_textfile;

    bool operator==(const WatchSettings&) const = default;
};

/// Strict: an unknown key is an error that names the nearest known one; an address that is no loopback address is
/// refused, for the metrics are not for everybody. Throws Failure(refused).
WatchSettings parse_watch_settings(std::string_view text);

/// Where metrics are served. Throws Failure(refused) unless it is a loopback address with a port or a unix socket.
struct MetricsAddress {
    std::string unix_path;  ///< absolute; empty for TCP
    std::string host;       ///< "127.0.0.1" or "::1"
    unsigned short port = 0;
};
MetricsAddress parse_metrics_address(const std::string& text);

}  // namespace eflow
