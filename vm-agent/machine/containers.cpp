#include "vm-agent/machine/containers.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

namespace eflow {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Stream = beast::basic_stream<asio::local::stream_protocol>;
using nlohmann::json;

constexpr std::size_t largest_answer = 8 * 1024 * 1024;

/// One GET, from connecting to the whole answer, under one deadline. Gives the body, or why there is none.
Sight<std::string> get(const std::string& socket_path, const std::string& target, std::chrono::milliseconds deadline) {
    asio::io_context context;
    Stream stream(context);
    stream.expires_after(deadline);
    http::request<http::empty_body> request(http::verb::get, target, 11);
    request.set(http::field::host, "docker");
    request.set(http::field::connection, "close");
    beast::flat_buffer buffer(largest_answer + 64 * 1024);
    http::response_parser<http::string_body> parser;
    parser.body_limit(largest_answer);
    boost::system::error_code failure;
    const auto noted = [&failure](const boost::system::error_code& error) {
        failure = error;
        return !error;
    };
    stream.async_connect(
        asio::local::stream_protocol::endpoint(socket_path), [&](const boost::system::error_code& connected) {
            if (!noted(connected)) return;
            http::async_write(stream, request, [&](const boost::system::error_code& written, std::size_t) {
                if (!noted(written)) return;
                http::async_read(stream, buffer, parser,
                                 [&](const boost::system::error_code& read, std::size_t) { noted(read); });
            });
        });
    context.run();
    if (failure == beast::error::timeout) return Sight<std::string>::unseen(socket_path + " did not answer in time");
    if (failure) return Sight<std::string>::unseen(socket_path + ": " + failure.message());
    if (parser.get().result() != http::status::ok)
        return Sight<std::string>::unseen(socket_path + " answered " + std::to_string(parser.get().result_int()));
    return Sight<std::string>::of(std::move(parser.get().body()));
}

std::string text_in(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Sight<std::vector<ContainerSeen>> list_containers(const std::string& socket_path, std::chrono::milliseconds deadline) {
    using Containers = Sight<std::vector<ContainerSeen>>;
    // Unversioned: the engine answers in its newest form, and the fields read here are the same in all of them.
    const Sight<std::string> body = get(socket_path, "/containers/json?all=1", deadline);
    if (!body.value) return Containers::unseen(body.why);
    const json listed = json::parse(*body.value, nullptr, false);
    if (!listed.is_array())
        return Containers::unseen(socket_path + " answered something that is no list of containers");
    std::vector<ContainerSeen> containers;
    for (const auto& one : listed) {
        if (!one.is_object())
            return Containers::unseen(socket_path + " answered something that is no list of containers");
        ContainerSeen seen;
        const auto names = one.find("Names");
        if (names != one.end() && names->is_array() && !names->empty() && names->front().is_string())
            seen.name = names->front().get<std::string>();
        if (seen.name.starts_with('/')) seen.name.erase(0, 1);
        seen.image = text_in(one, "Image");
        seen.state = text_in(one, "State");
        seen.status = text_in(one, "Status");
        const auto labels = one.find("Labels");
        if (labels != one.end() && labels->is_object())
            for (const auto& [name, value] : labels->items())
                if (value.is_string()) seen.labels.emplace(name, value.get<std::string>());
        containers.push_back(std::move(seen));
    }
    return Containers::of(std::move(containers));
}

}  // namespace eflow
