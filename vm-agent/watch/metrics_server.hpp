#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

namespace eflow {

/// GET /metrics over HTTP on a loopback address or a unix socket, in the loop. Everything else is 404, another method
/// 405; a client has ten seconds, and sixteen may be connected at once.
class MetricsServer {
public:
    /// `render` makes the text: OpenMetrics when asked for it, else Prometheus' own form. `host` is an address, or empty for
    /// the unix socket at `path`. Throws Failure(machine_lacks) when it cannot listen there.
    using Render = std::function<std::string(bool openmetrics)>;
    MetricsServer(boost::asio::io_context& loop, const std::string& host, unsigned short port, const std::string& path,
                  Render render);
    ~MetricsServer();
    MetricsServer(const MetricsServer&) = delete;
    MetricsServer& operator=(const MetricsServer&) = delete;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace eflow
