#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>
#include <toml.hpp>

/// What the lab's aziot services have in common: upstream's log lines, merged configuration, HTTP over unix sockets.
/// They are stand-ins with behaviour: the requests, files, owners and failures that matter to the agent are upstream's
/// (Azure/iot-identity-service and Azure/iotedge); everything else is left out.
namespace lab {

inline constexpr const char* api_version = "?api-version=2020-09-01";

/// The service cannot go on: main logs it as upstream does, a line a cause ('\n' between them), and exits with `code`.
struct Fatal : std::runtime_error {
    explicit Fatal(const std::string& causes, int exit_code = 1) : std::runtime_error(causes), code(exit_code) {}
    int code;
};

/// One line for the journal: "<6>2026-01-31T12:00:00Z [INFO] - text" (logger/src/lib.rs).
void info(const std::string& text);
void warn(const std::string& text);
void error(const std::string& text);

std::string read_file(const std::string& path);
/// Not atomic, like upstream: unlink, write, chmod; owner as given.
void write_file(const std::string& path, const std::string& text, unsigned mode, const std::string& owner);

/// Runs `body`; what it throws is logged and becomes the exit code.
int run_service(const std::string& name, const std::function<void()>& body);

/// The merged /etc/aziot/SERVICE/config.d/*.toml, later files winning. Throws Fatal when there is none.
toml::value configuration(const std::string& service);
std::string text_in(const toml::value& table, const std::string& key);

/// The path of a file: URI, percent-decoded. Throws Fatal for another scheme.
std::string path_of(const std::string& uri);

struct Answer {
    unsigned status = 200;
    nlohmann::json body = nlohmann::json::object();
};

/// One request to the HTTP server behind a unix socket. Throws std::runtime_error when it cannot be reached.
Answer call(const std::string& socket, const std::string& method, const std::string& target,
            const nlohmann::json& body = {});

struct Call {
    std::string method;
    std::string target;
    std::string body;
};
using Handler = std::function<Answer(const Call&)>;

/// Answers one connection on the listening descriptor `listener`.
void serve_one(int listener, const Handler& handler);
/// Answers for ever on the sockets that systemd passed.
[[noreturn]] void serve(const Handler& handler);
/// The descriptors that systemd passed. Throws Fatal when there is none.
std::pair<int, int> passed_sockets();

/// Milliseconds from the environment, so that the lab need not wait as long as a device: `name` or `otherwise`.
int milliseconds(const char* name, int otherwise);

}  // namespace lab
