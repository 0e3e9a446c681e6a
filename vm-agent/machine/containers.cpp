#include "vm-agent/machine/containers.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

#include "shared/json_text.hpp"

namespace eflow {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Stream = beast::basic_stream<asio::local::stream_protocol>;
using nlohmann::json;

constexpr std::size_t largest_answer = 8 * 1024 * 1024;
constexpr int newest_minor = 41;  // what the fields read here were checked against; Mariner ships newer engines

struct Answer {
    unsigned status = 0;
    std::string version;  ///< Api-Version header
    std::string body;
};

std::string text_in(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const json& object_in(const json& object, const char* key) {
    static const json empty = json::object();
    const auto found = object.find(key);
    return found != object.end() && found->is_object() ? *found : empty;
}

std::map<std::string, std::string> labels_in(const json& object) {
    std::map<std::string, std::string> labels;
    const json& found = object_in(object, "Labels");
    for (const auto& [name, value] : found.items())
        if (value.is_string()) labels.emplace(name, value.get<std::string>());
    return labels;
}

std::string without_slash(std::string name) {
    if (name.starts_with('/')) name.erase(0, 1);
    return name;
}

int number_in(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<int>() : 0;
}

/// A name as a part of a path: what Docker does not allow in names is not sent.
bool is_name(const std::string& name) {
    return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
    });
}

ContainerSeen inspected(const json& one) {
    ContainerSeen seen;
    seen.id = text_in(one, "Id");
    seen.name = without_slash(text_in(one, "Name"));
    const json& config = object_in(one, "Config");
    seen.image = text_in(config, "Image");
    seen.labels = labels_in(config);
    const json& state = object_in(one, "State");
    seen.state = text_in(state, "Status");
    ContainerDetail detail;
    detail.exit_code = number_in(state, "ExitCode");
    detail.error = text_in(state, "Error");
    const auto oom = state.find("OOMKilled");
    detail.oom_killed = oom != state.end() && oom->is_boolean() && oom->get<bool>();
    detail.restart_count = static_cast<unsigned>(std::max(0, number_in(one, "RestartCount")));
    detail.started = parse_time(text_in(state, "StartedAt"));
    detail.finished = parse_time(text_in(state, "FinishedAt"));
    detail.health = text_in(object_in(state, "Health"), "Status");
    const auto mounts = one.find("Mounts");
    if (mounts != one.end() && mounts->is_array())
        for (const auto& mount : *mounts)
            if (mount.is_object()) detail.mounts.push_back(text_in(mount, "Destination"));
    const auto environment = config.find("Env");
    constexpr std::string_view folder = "storagefolder=";
    if (environment != config.end() && environment->is_array())
        for (const auto& variable : *environment) {
            if (!variable.is_string()) continue;
            const auto text = variable.get<std::string>();
            const bool is_folder = text.size() > folder.size() &&
                                   std::equal(folder.begin(), folder.end(), text.begin(),
                                              [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
            if (is_folder) detail.storage_folder = text.substr(folder.size());
        }
    seen.status = seen.state == "running" ? "running" : seen.state + ", exit code " + std::to_string(detail.exit_code);
    seen.detail = std::move(detail);
    return seen;
}

}  // namespace

struct Engine::Connection {
    Connection(std::string path, std::chrono::milliseconds patience)
        : socket_path(std::move(path)), deadline(patience), stream(context) {}

    /// One GET under one deadline, over the connection that is open, or a new one when the engine has closed it.
    Sight<Answer> get(const std::string& target) {
        const bool reused = open;
        auto answer = attempt(target);
        // A connection that was kept may have been closed meanwhile; silence is an answer of its own.
        if (!answer.value && reused && !timed_out) answer = attempt(target);
        return answer;
    }

    Sight<Answer> attempt(const std::string& target) {
        context.restart();
        stream.expires_after(deadline);
        http::request<http::empty_body> request(http::verb::get, target, 11);
        request.set(http::field::host, "docker");
        beast::flat_buffer buffer(largest_answer + 64 * 1024);
        http::response_parser<http::string_body> parser;
        parser.body_limit(largest_answer);
        boost::system::error_code failure;
        const auto noted = [&failure](const boost::system::error_code& error) {
            failure = error;
            return !error;
        };
        const auto ask = [&] {
            http::async_write(stream, request, [&](const boost::system::error_code& written, std::size_t) {
                if (!noted(written)) return;
                http::async_read(stream, buffer, parser,
                                 [&](const boost::system::error_code& read, std::size_t) { noted(read); });
            });
        };
        if (open) {
            ask();
        } else {
            stream.async_connect(asio::local::stream_protocol::endpoint(socket_path),
                                 [&](const boost::system::error_code& connected) {
                                     if (noted(connected)) ask();
                                 });
        }
        context.run();
        open = !failure && parser.get().keep_alive();
        if (!open) close();
        timed_out = failure == beast::error::timeout;
        if (timed_out) return Sight<Answer>::unseen(socket_path + " did not answer in time");
        if (failure) return Sight<Answer>::unseen(socket_path + ": " + failure.message());
        return Sight<Answer>::of({parser.get().result_int(), std::string(parser.get()["Api-Version"]),
                                  std::move(parser.get().body())});
    }

    void close() {
        boost::system::error_code ignored;
        stream.socket().close(ignored);
        open = false;
    }

    std::string socket_path;
    std::chrono::milliseconds deadline;
    asio::io_context context;
    Stream stream;
    bool open = false;
    bool timed_out = false;  ///< the last attempt
    std::string prefix;
};

Engine::Engine(std::string socket_path, std::chrono::milliseconds deadline)
    : connection_(std::make_unique<Connection>(std::move(socket_path), deadline)) {}
Engine::~Engine() = default;

Sight<std::string> Engine::version_prefix() {
    using Prefix = Sight<std::string>;
    if (connection_->prefix.empty()) {
        const Sight<Answer> ping = connection_->get("/_ping");
        if (!ping.value) return Prefix::unseen(ping.why);
        const auto prefix = ping.value->status == 200 ? version_prefix_of(ping.value->version) : std::nullopt;
        if (!prefix) return Prefix::unseen(connection_->socket_path + " is no container engine");
        connection_->prefix = *prefix;
    }
    return Prefix::of(connection_->prefix);
}

Sight<std::string> Engine::get(const std::string& target) {
    const auto prefix = version_prefix();
    if (!prefix.value) return prefix;
    const Sight<Answer> answer = connection_->get(*prefix.value + target);
    if (!answer.value) return Sight<std::string>::unseen(answer.why);
    if (answer.value->status != 200)
        return Sight<std::string>::unseen(
            describe_answer(connection_->socket_path, answer.value->status, answer.value->body));
    return Sight<std::string>::of(answer.value->body);
}

Sight<std::vector<ContainerSeen>> Engine::list() {
    const Sight<std::string> body = get("/containers/json?all=1");
    if (!body.value) return Sight<std::vector<ContainerSeen>>::unseen(body.why);
    return read_container_list(*body.value, connection_->socket_path);
}

Sight<std::optional<ContainerSeen>> Engine::inspect(const std::string& name) {
    using Container = Sight<std::optional<ContainerSeen>>;
    if (!is_name(name)) return Container::unseen("not the name of a container");
    const auto prefix = version_prefix();
    if (!prefix.value) return Container::unseen(prefix.why);
    const Sight<Answer> answer = connection_->get(*prefix.value + "/containers/" + name + "/json");
    if (!answer.value) return Container::unseen(answer.why);
    return read_container(answer.value->status, answer.value->body, connection_->socket_path);
}

Sight<std::vector<std::string>> Engine::logs(const std::string& name, std::size_t lines) {
    using Lines = Sight<std::vector<std::string>>;
    if (!is_name(name)) return Lines::unseen("not the name of a container");
    const auto body =
        get("/containers/" + name + "/logs?stdout=1&stderr=1&timestamps=1&tail=" + std::to_string(lines));
    if (!body.value) return Lines::unseen(body.why);
    return Lines::of(split_log(*body.value));
}

std::string describe_answer(const std::string& who, unsigned status, const std::string& body) {
    constexpr std::size_t longest = 200;
    std::string text = who + " answered " + std::to_string(status);
    const json said = json::parse(body, nullptr, false);
    if (said.is_object() && said.contains("message") && said["message"].is_string())
        text += ": " + said["message"].get<std::string>().substr(0, longest);
    return text;
}

std::optional<std::string> version_prefix_of(const std::string& api_version) {
    int minor = 0;
    if (std::sscanf(api_version.c_str(), "1.%3d", &minor) != 1) return std::nullopt;
    return "/v1." + std::to_string(std::clamp(minor, 12, newest_minor));
}

Sight<std::vector<ContainerSeen>> read_container_list(const std::string& body, const std::string& who) {
    using Containers = Sight<std::vector<ContainerSeen>>;
    const auto garbage = Containers::unseen(who + " answered something that is no list of containers");
    const json listed = parse_json(body);
    if (!listed.is_array()) return garbage;
    std::vector<ContainerSeen> containers;
    for (const auto& one : listed) {
        if (!one.is_object()) return garbage;
        ContainerSeen seen;
        const auto names = one.find("Names");
        if (names != one.end() && names->is_array() && !names->empty() && names->front().is_string())
            seen.name = without_slash(names->front().get<std::string>());
        seen.id = text_in(one, "Id");
        seen.image = text_in(one, "Image");
        seen.state = text_in(one, "State");
        seen.status = text_in(one, "Status");
        seen.labels = labels_in(one);
        containers.push_back(std::move(seen));
    }
    return Containers::of(std::move(containers));
}

Sight<std::optional<ContainerSeen>> read_container(unsigned status, const std::string& body, const std::string& who) {
    using Container = Sight<std::optional<ContainerSeen>>;
    if (status == 404) return Container::of(std::nullopt);
    const json one = parse_json(body);
    if (status != 200 || !one.is_object()) return Container::unseen(who + " answered something that is no container");
    return Container::of(inspected(one));
}

std::optional<ContainerEvent> read_event(std::string_view line) {
    const json one = parse_json(line);
    if (!one.is_object() || text_in(one, "Type") != "container") return std::nullopt;
    const json& actor = object_in(one, "Actor");
    ContainerEvent event;
    event.action = text_in(one, "Action");
    event.id = text_in(actor, "ID");
    if (event.action.empty() || event.id.empty()) return std::nullopt;
    // The attributes are the container's labels and a few names of the engine's own.
    const json& attributes = object_in(actor, "Attributes");
    for (const auto& [name, value] : attributes.items()) {
        if (!value.is_string()) continue;
        const auto text = value.get<std::string>();
        if (name == "name")
            event.name = text;
        else if (name == "image")
            event.image = text;
        else if (name == "exitCode")
            event.exit_code = std::atoi(text.c_str());
        else
            event.labels.emplace(name, text);
    }
    const auto nanos = one.find("timeNano");
    if (nanos != one.end() && nanos->is_number_integer()) event.nanos = nanos->get<std::int64_t>();
    return event;
}

Sight<std::vector<ContainerSeen>> observe_containers(Engine& engine) {
    auto seen = engine.list();
    if (!seen.value) return seen;
    for (auto& one : *seen.value) {
        if (one.name != "edgeAgent" && one.name != "edgeHub") continue;
        const auto detail = engine.inspect(one.name);
        if (detail.value && *detail.value) one.detail = (*detail.value)->detail;
    }
    return seen;
}

std::vector<std::string> split_log(const std::string& stream, std::size_t longest) {
    std::string text;
    const auto is_header = [&](std::size_t at) {
        return at + 8 <= stream.size() && static_cast<unsigned char>(stream[at]) <= 2 && stream[at + 1] == 0 &&
               stream[at + 2] == 0 && stream[at + 3] == 0;
    };
    if (is_header(0)) {
        for (std::size_t at = 0; is_header(at);) {
            std::size_t size = 0;
            for (std::size_t i = 4; i < 8; ++i) size = size << 8 | static_cast<unsigned char>(stream[at + i]);
            size = std::min(size, stream.size() - at - 8);
            text.append(stream, at + 8, size);
            at += 8 + size;
        }
    } else {
        text = stream;
    }
    std::vector<std::string> lines;
    for (std::size_t from = 0; from < text.size();) {
        const auto to = std::min(text.find('\n', from), text.size());
        std::string line = text.substr(from, std::min(to - from, longest));
        for (char& c : line)
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
        lines.push_back(std::move(line));
        from = to + 1;
    }
    return lines;
}

Stamp parse_time(const std::string& text) {
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second) != 6 || year < 1970)
        return {};
    const auto days = std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day));
    return Stamp(days) + std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

LoggedLine read_logged_line(std::string_view line) {
    const auto space = line.find(' ');
    const std::string stamp(line.substr(0, space == std::string_view::npos ? 0 : space));
    LoggedLine read{stamp.ends_with('Z') ? parse_time(stamp) : Stamp{}, std::string(line)};
    if (read.at == Stamp{}) return read;
    read.text.erase(0, space + 1);
    int micros = 0;
    if (const auto point = stamp.find('.'); point != std::string::npos)
        for (std::size_t i = point + 1, unit = 100'000; unit > 0 && i < stamp.size() && stamp[i] >= '0' && stamp[i] <= '9';
             ++i, unit /= 10)
            micros += static_cast<int>(unit) * (stamp[i] - '0');
    read.at += std::chrono::microseconds(micros);
    return read;
}

}  // namespace eflow
