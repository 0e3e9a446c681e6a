#include "tests/lab/standins/cloud.hpp"

#include <utility>  // asio/awaitable.hpp of Boost 1.74 uses std::exchange without it

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

namespace lab::cloud {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using nlohmann::json;
using Stream = beast::ssl_stream<beast::tcp_stream>;

/// One asynchronous operation within what is left of an attempt's time.
template <typename Start>
error_code within(asio::io_context& loop, std::chrono::steady_clock::time_point deadline, const Start& start) {
    error_code result;
    start([&](const error_code& fault, const auto&...) { result = fault; });
    loop.restart();
    loop.run_until(deadline);
    // tokio's Elapsed as an io::Error (request.rs:249).
    if (!loop.stopped()) throw Fault({"timed out"}, true);
    return result;
}

/// What hyper says of a connection that could not be made.
[[noreturn]] void not_connected(Causes why) {
    why.insert(why.begin(), std::string("client error (Connect)"));
    throw Fault(why, true);
}

std::string tls_reason(const error_code& fault, SSL* ssl) {
    char text[256] = {};
    ERR_error_string_n(static_cast<unsigned long>(fault.value()), text, sizeof text);
    const std::string plain = std::string(text) + ":../ssl/statem/statem_clnt.c:1889:";
    const long verdict = SSL_get_verify_result(ssl);
    return verdict == X509_V_OK ? plain : plain + ": " + X509_verify_cert_error_string(verdict);
}

/// What is wrong with our own certificate and key is found while the connection is made ready, and is no network fault
/// (aziot-cloud-client-async/src/connector.rs from_auth).
asio::ssl::context tls(const Credentials& credentials) {
    asio::ssl::context context(asio::ssl::context::tls_client);
    context.load_verify_file("/etc/ssl/certs/ca-certificates.crt");
    context.set_verify_mode(asio::ssl::verify_peer);
    try {
        context.use_certificate_chain(asio::buffer(credentials.chain));
        context.use_private_key(asio::buffer(credentials.key), asio::ssl::context::pem);
    } catch (const boost::system::system_error& fault) {
        char text[256] = {};
        ERR_error_string_n(static_cast<unsigned long>(fault.code().value()), text, sizeof text);
        throw Fault({std::string(text) + ":../crypto/x509/x509_cmp.c:405:"}, false);
    }
    return context;
}

Response attempt(const Endpoint& endpoint, const Credentials& credentials, const Request& request) {
    asio::ssl::context context = tls(credentials);
    const auto deadline = std::chrono::steady_clock::now() + duration("LAB_CLOUD_TIMEOUT_MS", request.timeout);
    asio::io_context loop;
    Stream stream(loop, context);
    stream.set_verify_callback(asio::ssl::host_name_verification(endpoint.host));
    SSL_set_tlsext_host_name(stream.native_handle(), endpoint.host.c_str());

    asio::ip::tcp::resolver::results_type addresses;
    asio::ip::tcp::resolver resolver(loop);
    error_code fault = within(loop, deadline, [&](auto done) {
        resolver.async_resolve(endpoint.host, endpoint.port, [&addresses, done](const error_code& why, auto found) {
            addresses = found;
            done(why);
        });
    });
    if (fault)
        not_connected({"dns error", "failed to lookup address information: " +
                                        std::string(fault == asio::error::host_not_found_try_again
                                                        ? "Temporary failure in name resolution"
                                                        : "Name or service not known")});
    fault = within(loop, deadline, [&](auto done) {
        beast::get_lowest_layer(stream).async_connect(addresses,
                                                      [done](const error_code& why, const auto&) { done(why); });
    });
    if (fault) not_connected({"tcp connect error", os_error(fault.value())});
    fault = within(loop, deadline, [&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, done); });
    if (fault) {
        if (fault.category() != asio::error::get_ssl_category()) not_connected({"unexpected EOF"});
        const std::string reason = tls_reason(fault, stream.native_handle());
        not_connected({reason, reason.substr(0, reason.find(":: ") + 1)});
    }

    http::request<http::string_body> message(http::string_to_verb(request.method), request.target, 11);
    message.set(http::field::host, endpoint.host);
    if (request.if_match) message.set(http::field::if_match, "*");
    if (!request.body.is_null()) {
        message.set(http::field::content_type, "application/json");
        message.body() = request.body.dump();
    }
    message.prepare_payload();
    fault = within(loop, deadline, [&](auto done) { http::async_write(stream, message, done); });
    beast::flat_buffer buffer;
    http::response<http::string_body> answer;
    if (!fault) fault = within(loop, deadline, [&](auto done) { http::async_read(stream, buffer, answer, done); });
    // Not "connect" to hyper, and so no network fault to identityd.
    if (fault) throw Fault({"client error (SendRequest)", "connection closed before message completed"}, false);
    const std::string type(answer[http::field::content_type]);
    if (answer.result_int() != 429 && !type.empty() && type.find("application/json") == std::string::npos)
        throw Fault({"invalid Content-Type; expected JSON"}, false);
    return {answer.result_int(), answer.body()};
}

json parsed(const std::string& body) {
    json document = json::parse(body, nullptr, false);
    if (document.is_discarded()) throw Fault({"expected value at line 1 column 1"}, false);
    return document;
}

}  // namespace

Endpoint::Endpoint(const std::string& url) {
    const auto start = url.find("://");
    std::string rest = start == std::string::npos ? url : url.substr(start + 3);
    rest = rest.substr(0, rest.find('/'));
    const auto colon = rest.find(':');
    host = rest.substr(0, colon);
    if (colon != std::string::npos) port = rest.substr(colon + 1);
}

Response send(const Endpoint& endpoint, const Credentials& credentials, const Request& request) {
    // http-common/src/backoff.rs DEFAULT_BACKOFF, without its jitter.
    static const int waits[] = {65, 125, 190, 310};
    for (int count = 1;; ++count) {
        const std::string of = "(attempt " + std::to_string(count) + " of ";
        try {
            Response response = attempt(endpoint, credentials, request);
            if (response.status != 429) return response;
        } catch (const Fault& fault) {
            // An answer of another type was an answer: it is not asked for again (request.rs:149).
            if (fault.causes.front() == "invalid Content-Type; expected JSON") throw;
            warn("Failed to send HTTP request " + of + std::to_string(request.retries + 1) + "): " + fault.what());
            if (count > request.retries) throw;
            pause("LAB_RETRY_MS", 3);
            continue;
        }
        if (count > 4) {
            warn("Final HTTP request throttled " + of + "5).");
            throw Fault({"429: Too many requests"}, false);
        }
        warn("HTTP request throttled " + of + "5). Sleeping for " + std::to_string(waits[count - 1]) + " seconds.");
        pause("LAB_THROTTLED_MS", waits[count - 1]);
    }
}

std::string field(const json& object, const char* name, const std::string& body) {
    if (object.is_object() && object.contains(name) && object.at(name).is_string())
        return object.at(name).get<std::string>();
    throw Fault({std::string("missing field `") + name + "` at line 1 column " + std::to_string(body.size())}, false);
}

json of_dps(const Response& response, std::initializer_list<unsigned> statuses, const char* expected) {
    for (const unsigned status : statuses)
        if (response.status == status) return parsed(response.body);
    if (response.status < 400)
        throw Fault({std::string("Expected one of ") + expected + ", got " + status_text(response.status)}, false);
    if (response.body.empty()) throw Fault({"HTTP error " + status_text(response.status)}, false);
    const json error = parsed(response.body);
    if (!error.is_object() || (!error.contains("code") && !error.contains("errorCode")))
        field(error, "code", response.body);
    throw Fault({field(error, error.contains("errorMessage") ? "errorMessage" : "message", response.body)}, false);
}

json of_hub(const Response& response) {
    if (response.status == 200) return parsed(response.body);
    if (response.status < 400) throw Fault({"Expected one of [200], got " + status_text(response.status)}, false);
    if (response.body.empty()) throw Fault({"HTTP error " + status_text(response.status)}, false);
    const json error = parsed(response.body);
    throw Fault({field(error, error.contains("errorMessage") ? "errorMessage" : "Message", response.body)},
                response.status == 500 || error.value("networkError", false));
}

}  // namespace lab::cloud
