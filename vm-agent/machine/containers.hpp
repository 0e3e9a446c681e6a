#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vm-agent/health/observations.hpp"

namespace eflow {

/// The Docker Engine behind a unix socket, asked over one connection. No socket, no permission, garbage, half an answer,
/// silence past the deadline or too much are a reason why nothing was seen, never an exception and never a hang.
class Engine {
public:
    Engine(std::string socket_path, std::chrono::milliseconds deadline);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// All containers, running or not, without detail.
    Sight<std::vector<ContainerSeen>> list();
    /// One container with its detail; nothing in it when there is none of that name or ID.
    Sight<std::optional<ContainerSeen>> inspect(const std::string& name);
    /// The last lines of a container's log, its two streams as one, control characters replaced.
    /// Each line with its time before it: read_logged_line.
    Sight<std::vector<std::string>> logs(const std::string& name, std::size_t lines);
    /// Any GET below the negotiated version, as the engine answers it, at most 8 MiB.
    Sight<std::string> get(const std::string& target);

    /// The path's prefix of the API version spoken: the engine's own, 1.41 at most ("/v1.41").
    Sight<std::string> version_prefix();

private:
    struct Connection;
    std::unique_ptr<Connection> connection_;
};

/// All containers, and the detail of edgeAgent and edgeHub.
Sight<std::vector<ContainerSeen>> observe_containers(Engine& engine);

/// What the engine tells of one container when it happens (Engine API, /events).
struct ContainerEvent {
    std::string action;  ///< create, start, die, kill, destroy, rename, health_status: healthy, …
    std::string id;
    std::string name;
    std::string image;
    std::map<std::string, std::string> labels;
    int exit_code = 0;        ///< of a die
    std::int64_t nanos = 0;  ///< since the epoch

    [[nodiscard]] Stamp at() const { return Stamp(std::chrono::microseconds(nanos / 1000)); }
};

/// One line of the engine's event stream; nothing for an event of another kind, and for a line that is none.
std::optional<ContainerEvent> read_event(std::string_view line);

/// The engine's answers as data; `who` is its socket's path, for the reason why not.
Sight<std::vector<ContainerSeen>> read_container_list(const std::string& body, const std::string& who);
Sight<std::optional<ContainerSeen>> read_container(unsigned status, const std::string& body, const std::string& who);
/// An answer of the engine's that is no success, in words: "/run/docker.sock answered 501: the log driver ...".
std::string describe_answer(const std::string& who, unsigned status, const std::string& body);

/// The path's prefix for the Api-Version that /_ping gave ("/v1.41"); nothing when that is none.
std::optional<std::string> version_prefix_of(const std::string& api_version);

/// Splits the engine's log stream (eight-byte headers before each piece; none with a terminal) into lines, each cut at
/// `longest` bytes.
std::vector<std::string> split_log(const std::string& stream, std::size_t longest = 1000);

/// A line of a log that was asked for with timestamps=1.
struct LoggedLine {
    Stamp at{};  ///< when the container wrote it; the epoch where the line does not say
    std::string text;
};
LoggedLine read_logged_line(std::string_view line);

/// "2026-01-31T12:00:00.123456789Z" as the engine writes it; the epoch for anything else.
Stamp parse_time(const std::string& text);

}  // namespace eflow
