#include "vm-agent/watch/metrics_server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "shared/failure.hpp"

namespace eflow {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::chrono::seconds patience{10};
constexpr unsigned most_clients = 16;
constexpr std::size_t longest_request = 8 * 1024;

http::response<http::string_body> answer(const http::request<http::empty_body>& request,
                                         const MetricsServer::Render& render) {
    http::response<http::string_body> response;
    response.version(11);
    response.set(http::field::server, "eflow-agent");
    response.set(http::field::cache_control, "no-store");
    response.keep_alive(false);
    const auto target = std::string(request.target());
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
        response.result(http::status::method_not_allowed);
        response.set(http::field::allow, "GET, HEAD");
    } else if (target.substr(0, target.find('?')) != "/metrics") {
        response.result(http::status::not_found);
        response.set(http::field::content_type, "text/plain; charset=utf-8");
        response.body() = "eflow-agent: the metrics are at /metrics\n";
    } else {
        const bool openmetrics =
            std::string(request[http::field::accept]).find("application/openmetrics-text") != std::string::npos;
        response.set(http::field::content_type, openmetrics
                                                    ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                                    : "text/plain; version=0.0.4; charset=utf-8");
        response.body() = render(openmetrics);
    }
    if (request.method() == http::verb::head) response.body().clear();
    response.prepare_payload();
    return response;
}

/// One client: a request, an answer, and good-bye.
template <class Protocol>
class Session : public std::enable_shared_from_this<Session<Protocol>> {
public:
    Session(typename Protocol::socket socket, const MetricsServer::Render& render, std::shared_ptr<unsigned> clients)
        : stream_(std::move(socket)), render_(render), clients_(std::move(clients)) {
        ++*clients_;
        parser_.header_limit(longest_request);
        parser_.body_limit(0);
    }
    ~Session() { --*clients_; }

    void start() {
        stream_.expires_after(patience);
        http::async_read(stream_, buffer_, parser_,
                         [self = this->shared_from_this()](const boost::system::error_code& fault, std::size_t) {
                             if (!fault) self->reply();
                         });
    }

private:
    void reply() {
        response_ = answer(parser_.get(), render_);
        http::async_write(stream_, response_,
                          [self = this->shared_from_this()](const boost::system::error_code&, std::size_t) {
                              boost::system::error_code ignored;
                              self->stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
                          });
    }

    beast::basic_stream<Protocol> stream_;
    MetricsServer::Render render_;
    std::shared_ptr<unsigned> clients_;
    beast::flat_buffer buffer_{longest_request * 2};
    http::request_parser<http::empty_body> parser_;
    http::response<http::string_body> response_;
};

/// Keeps the acceptor: a client that has come before it is closed may still be handed over after that.
template <class Protocol>
void accept(const std::shared_ptr<typename Protocol::acceptor>& acceptor, const MetricsServer::Render& render,
            const std::shared_ptr<unsigned>& clients) {
    acceptor->async_accept([acceptor, render, clients](const boost::system::error_code& fault,
                                                       typename Protocol::socket socket) {
        if (fault == asio::error::operation_aborted || !acceptor->is_open()) return;
        if (!fault && *clients < most_clients)
            std::make_shared<Session<Protocol>>(std::move(socket), render, clients)->start();
        accept<Protocol>(acceptor, render, clients);
    });
}

template <class Protocol>
void listen(typename Protocol::acceptor& acceptor, const typename Protocol::endpoint& endpoint) {
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen();
}

}  // namespace

struct MetricsServer::State {
    explicit State(asio::io_context& loop) : tcp(loop), local(loop) {}
    asio::ip::tcp::acceptor tcp;
    asio::local::stream_protocol::acceptor local;
    std::shared_ptr<unsigned> clients = std::make_shared<unsigned>(0);
    std::string path;
};

MetricsServer::MetricsServer(asio::io_context& loop, const std::string& host, unsigned short port,
                             const std::string& path, Render render)
    : state_(std::make_shared<State>(loop)) {
    try {
        if (!host.empty()) {
            listen<asio::ip::tcp>(state_->tcp, {asio::ip::make_address(host), port});
            accept<asio::ip::tcp>({state_, &state_->tcp}, render, state_->clients);
            return;
        }
        // Only a socket that an earlier run left is taken away; anything else at that path is somebody's.
        struct stat status {};
        if (lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path.c_str());
        listen<asio::local::stream_protocol>(state_->local, path);
        state_->path = path;
        chmod(path.c_str(), 0660);
        accept<asio::local::stream_protocol>({state_, &state_->local}, render, state_->clients);
    } catch (const boost::system::system_error& fault) {
        throw Failure(ExitCode::machine_lacks,
                      "the metrics cannot be served on " + (host.empty() ? path : host + ":" + std::to_string(port)) +
                          ": " + fault.code().message(),
                      "Choose another metrics.listen in /etc/eflow-agent/watch.toml.");
    }
}

MetricsServer::~MetricsServer() {
    boost::system::error_code ignored;
    state_->tcp.close(ignored);
    state_->local.close(ignored);
    if (!state_->path.empty()) unlink(state_->path.c_str());
}

}  // namespace eflow
