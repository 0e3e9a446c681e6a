// A Device Provisioning Service for tests: dps_simulator --help. Not for anything that faces a network.
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <mutex>
#include <semaphore>
#include <sstream>
#include <thread>
#include <utility>  // asio/awaitable.hpp of Boost 1.74 uses std::exchange without it

#include <sys/socket.h>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/dps_simulator/service.hpp"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Stream = asio::ssl::stream<tcp::socket>;

constexpr int most_connections = 64;
constexpr timeval patience{30, 0};
constexpr std::size_t longest_body = 96 * 1024;

eflow::Instant now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// A port of the hub that opens and closes again: AMQP and MQTT as far as a look whether they can be reached goes.
void keep_door(const std::string& address, unsigned short port) {
    std::thread([=] {
        asio::io_context loop;
        tcp::acceptor door(loop, {asio::ip::make_address(address), port});
        for (;;) {
            boost::system::error_code ignored;
            tcp::socket visitor(loop);
            door.accept(visitor, ignored);
        }
    }).detach();
}

/// Any client certificate passes the handshake: what is wrong with it is said in HTTP, as DPS does. Sessions are never
/// resumed, since the server sees only the leaf on a resumed one.
asio::ssl::context tls(const std::string& chain, const std::string& key) {
    asio::ssl::context context(asio::ssl::context::tls_server);
    context.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    context.use_certificate_chain_file(chain);
    context.use_private_key_file(key, asio::ssl::context::pem);
    SSL_CTX_set_session_cache_mode(context.native_handle(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context.native_handle(), 0);
    context.set_verify_mode(asio::ssl::verify_peer);
    context.set_verify_callback([](bool, asio::ssl::verify_context&) { return true; });
    return context;
}

std::vector<eflow::Certificate> sent_chain(SSL* ssl) {
    std::vector<eflow::Certificate> chain;
    const auto add = [&](X509* certificate) {
        X509_up_ref(certificate);
        chain.emplace_back(std::shared_ptr<X509>(certificate, X509_free));
    };
    if (X509* leaf = SSL_get0_peer_certificate(ssl)) add(leaf);
    // A server's view of the chain leaves the leaf out.
    if (const STACK_OF(X509)* rest = SSL_get_peer_cert_chain(ssl))
        for (int i = 0; i < sk_X509_num(rest); ++i) add(sk_X509_value(rest, i));
    return chain;
}

class Simulator {
public:
    explicit Simulator(std::string directory) : directory_(std::move(directory)) {}

    void serve(tcp::socket socket, asio::ssl::context& context) {
        setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        Stream stream(std::move(socket), context);
        stream.handshake(Stream::server);
        beast::flat_buffer buffer;
        for (;;) {
            http::request_parser<http::string_body> parser;
            parser.body_limit(longest_body);
            boost::system::error_code fault;
            http::read(stream, buffer, parser, fault);
            if (fault) return;
            const auto& message = parser.get();
            const eflow::dps::Response response = answer(message, sent_chain(stream.native_handle()));
            if (response.delay.count() > 0) std::this_thread::sleep_for(response.delay);
            if (response.status == 0) return;
            http::response<http::string_body> reply(static_cast<http::status>(response.status), message.version());
            for (const auto& [name, value] : response.headers) reply.set(name, value);
            reply.body() = response.body;
            reply.keep_alive(message.keep_alive());
            reply.prepare_payload();
            if (message.method() == http::verb::head) {
                http::response_serializer<http::string_body> only(reply);
                http::write_header(stream, only);
            } else {
                http::write(stream, reply);
            }
            if (!reply.keep_alive()) break;
        }
        boost::system::error_code ignored;
        stream.shutdown(ignored);
    }

private:
    eflow::dps::Response answer(const http::request<http::string_body>& message,
                                std::vector<eflow::Certificate> chain) {
        eflow::dps::Request request{std::string(message.method_string()),
                                    std::string(message.target()),
                                    std::string(message[http::field::content_type]),
                                    message.body(),
                                    std::move(chain),
                                    message.find(http::field::if_match) != message.end()};
        const std::lock_guard lock(mutex_);
        eflow::dps::Response response;
        try {
            // Read anew each time: a test changes what DPS thinks by replacing the file.
            response = service_.handle(eflow::dps::Directory::parse(read_file(directory_)), request, now());
        } catch (const std::exception& fault) {
            std::cerr << "dps_simulator: " << fault.what() << std::endl;
            response.status = 500;
        }
        nlohmann::json line = {{"method", request.method}, {"target", request.target}, {"status", response.status}};
        for (const auto& certificate : request.chain) line["chain"].push_back(certificate.subject());
        std::cerr << line.dump() << std::endl;
        return response;
    }

    std::string directory_;
    std::mutex mutex_;
    eflow::dps::Service service_;
};

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("A Device Provisioning Service and an IoT Hub for tests");
    std::string address = "127.0.0.1";
    unsigned short port = 0;
    std::string directory;
    std::string certificate;
    std::string key;
    app.add_option("--address", address, "where to listen; a loopback address")->capture_default_str();
    app.add_option("--port", port, "0: any; the first line of output says which")->capture_default_str();
    std::vector<unsigned short> doors;
    app.add_option("--door", doors, "a port that accepts connections and closes them, e.g. the hub's 5671 and 8883");
    app.add_option("--directory", directory,
                   "JSON: scopes, hub, enrollments, groups, cas, images, faults; read for every request")
        ->required();
    app.add_option("--cert", certificate, "PEM chain of the server")->required();
    app.add_option("--key", key, "PEM key of the server")->required();
    CLI11_PARSE(app, argc, argv);
    try {
        eflow::dps::Directory::parse(read_file(directory));
        asio::ssl::context context = tls(certificate, key);
        asio::io_context loop;
        tcp::acceptor acceptor(loop, {asio::ip::make_address(address), port});
        std::cout << acceptor.local_endpoint().port() << std::endl;
        for (const unsigned short door : doors) keep_door(address, door);
        Simulator simulator(directory);
        std::counting_semaphore<most_connections> room(most_connections);
        for (;;) {
            room.acquire();
            std::thread([&, socket = acceptor.accept()]() mutable {
                try {
                    simulator.serve(std::move(socket), context);
                } catch (const std::exception& fault) {
                    std::cerr << "dps_simulator: " << fault.what() << std::endl;
                }
                room.release();
            }).detach();
        }
    } catch (const std::exception& fault) {
        std::cerr << "dps_simulator: " << fault.what() << std::endl;
        return EXIT_FAILURE;
    }
}
