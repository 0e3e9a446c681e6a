#include "vm-agent/cloud/reach.hpp"

#include <array>
#include <optional>
#include <utility>  // asio/awaitable.hpp of Boost 1.74 uses std::exchange without it

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

namespace eflow {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Stream = beast::ssl_stream<beast::tcp_stream>;

struct Target {
    std::string host;
    std::string port;
};

Target parse_proxy(std::string text) {
    if (const auto scheme = text.find("://"); scheme != std::string::npos) text = text.substr(scheme + 3);
    text = text.substr(0, text.find('/'));
    if (const auto at = text.rfind('@'); at != std::string::npos) text = text.substr(at + 1);
    const auto colon = text.rfind(':');
    if (colon == std::string::npos) return {text, "80"};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

/// One attempt, step by step, each noting how far it came.
class Attempt {
public:
    Attempt(const Target& target, const Target& via, bool proxied, std::chrono::milliseconds deadline, ReachSeen& seen)
        : target_(target), via_(via), proxied_(proxied), seen_(seen), tls_(asio::ssl::context::tls_client), resolver_(loop_),
          timer_(loop_) {
        const std::string roots = trusted_roots();
        boost::system::error_code ignored;
        if (!roots.empty()) tls_.load_verify_file(roots, ignored);
        tls_.set_verify_mode(asio::ssl::verify_none);  // judged after the handshake, so that "connected" is told apart
        stream_.emplace(loop_, tls_);
        timer_.expires_after(deadline);
    }

    void run() {
        timer_.async_wait([this](const boost::system::error_code& cancelled) {
            if (cancelled) return;
            seen_.why = "no answer in time";
            loop_.stop();
        });
        resolver_.async_resolve(via_.host, via_.port, [this](const auto& fault, const auto& found) {
            if (!fine(fault)) return;
            seen_.address = found.begin()->endpoint().address().to_string();
            beast::get_lowest_layer(*stream_).async_connect(found, [this](const auto& fault_, const auto&) {
                if (!fine(fault_)) return;
                proxied_ ? ask_proxy() : shake_hands();
            });
        });
        loop_.run();
    }

private:
    bool fine(const boost::system::error_code& fault) {
        if (!fault) return true;
        seen_.why = fault.message();
        timer_.cancel();
        return false;
    }

    void ask_proxy() {
        request_.version(11);
        request_.method(http::verb::connect);
        request_.target(target_.host + ":" + target_.port);
        request_.set(http::field::host, target_.host + ":" + target_.port);
        http::async_write(stream_->next_layer(), request_, [this](const auto& fault, std::size_t) {
            if (!fine(fault)) return;
            parser_.skip(true);
            http::async_read_header(stream_->next_layer(), buffer_, parser_, [this](const auto& fault_, std::size_t) {
                if (!fine(fault_)) return;
                if (parser_.get().result() == http::status::ok) return shake_hands();
                seen_.why = "the proxy answered " + std::to_string(parser_.get().result_int());
                timer_.cancel();
            });
        });
    }

    void shake_hands() {
        seen_.connected = true;
        SSL_set_tlsext_host_name(stream_->native_handle(), target_.host.c_str());
        SSL_set1_host(stream_->native_handle(), target_.host.c_str());
        stream_->async_handshake(asio::ssl::stream_base::client, [this](const auto& fault) {
            if (!fine(fault)) return;
            const long result = SSL_get_verify_result(stream_->native_handle());
            seen_.trusted = result == X509_V_OK;
            if (!seen_.trusted) seen_.why = X509_verify_cert_error_string(result);
            timer_.cancel();
            boost::system::error_code ignored;
            beast::get_lowest_layer(*stream_).socket().close(ignored);
        });
    }

    Target target_;
    Target via_;
    bool proxied_;
    ReachSeen& seen_;
    asio::io_context loop_;
    asio::ssl::context tls_;
    std::optional<Stream> stream_;
    tcp::resolver resolver_;
    asio::steady_timer timer_;
    http::request<http::empty_body> request_;
    http::response_parser<http::empty_body> parser_;
    beast::flat_buffer buffer_;
};

}  // namespace

std::string trusted_roots() {
    // Debian, Ubuntu; CBL-Mariner, Azure Linux, Fedora; older Red Hat; SUSE.
    static constexpr std::array places{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                       "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem"};
    for (const char* place : places)
        if (access(place, R_OK) == 0) return place;
    return {};
}

ReachSeen reach(const std::string& host, const std::string& port, const std::string& proxy,
                std::chrono::milliseconds deadline) {
    ReachSeen seen;
    seen.host = host;
    const Target target{host, port};
    try {
        Attempt(target, proxy.empty() ? target : parse_proxy(proxy), !proxy.empty(), deadline, seen).run();
    } catch (const std::exception& fault) {
        seen.why = fault.what();
    }
    return seen;
}

}  // namespace eflow
