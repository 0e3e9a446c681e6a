#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <toml.hpp>

/// What the lab's aziot services have in common: upstream's log lines and error records, merged configuration, HTTP
/// over unix sockets. They are stand-ins with behaviour: the requests, files, owners and failures that matter to the
/// agent are upstream's (Azure/iot-identity-service and Azure/iotedge, 1.6; a comment names the file where it counts);
/// everything else is left out. Where a stand-in differs on purpose it says so.
namespace lab {

inline constexpr const char* api_version = "?api-version=2020-09-01";

/// An error and its causes, outermost first. A cause may have more lines than one, as upstream's may.
using Causes = std::vector<std::string>;

/// A failure with the chain that upstream's errors carry. At the end of a service it is logged, and exits with `code`.
struct Fatal : std::runtime_error {
    explicit Fatal(Causes chain, int exit_code = 1)
        : std::runtime_error(chain.front()), causes(std::move(chain)), code(exit_code) {}
    Causes causes;
    int code;
};

/// One line for the journal: "<6>2026-01-31T12:00:00Z [INFO] - text" (logger/src/lib.rs).
void info(const std::string& text);
void warn(const std::string& text);
void error(const std::string& text);

/// Throws Fatal with the reason as Rust words it, e.g. "Permission denied (os error 13)".
std::string read_file(const std::string& path);
/// Not atomic, like upstream: unlink, write, chmod; owner as given.
void write_file(const std::string& path, const std::string& text, unsigned mode, const std::string& owner);
/// "Permission denied (os error 13)" for errno's value, as std::io::Error displays it.
std::string os_error(int number);

/// Runs a service of aziotd: its start lines; what `body` throws is a record of message, causes and a backtrace, the
/// frames after the first without a priority (aziotd/src/main.rs:18-32). The exit code is returned.
int run_service(const std::function<void()>& body);

/// The merged /etc/aziot/SERVICE/config.toml and config.d/*.toml, later files winning (config-common/src/lib.rs).
/// Throws Fatal "could not read config" with its reason.
toml::value configuration(const std::string& service);
std::string text_in(const toml::value& table, const std::string& key);

/// The path of a file: URI, percent-decoded.
std::string path_of(const std::string& uri);
/// Where keyd and certd keep what they made: HOME/FOLDER/IDONLYALNUM-SHA256.SUFFIX
/// (aziot-keys/src/implementation.rs:533, aziot-certd-config/src/util.rs get_path). The directory is made.
std::string own_file(const std::string& home, const std::string& folder, const std::string& id,
                     const std::string& suffix);

struct Answer {
    unsigned status = 200;
    nlohmann::json body = nlohmann::json::object();
};

/// One request to the HTTP server behind a unix socket. Throws std::runtime_error when it cannot be reached.
Answer call(const std::string& socket, const std::string& method, const std::string& target,
            const nlohmann::json& body = {});
/// The same as upstream's clients do it: a second attempt 3 s later, each failure a warning; then Fatal.
Answer ask(const std::string& socket, const std::string& method, const std::string& target,
           const nlohmann::json& body = {});
/// "404 Not Found", as Rust displays a status.
std::string status_text(unsigned status);
/// The message of an answer that is an error.
std::string message_of(const Answer& answer);

struct Call {
    std::string method;
    std::string target;
    std::string body;
    unsigned uid = 0;  ///< of the caller
};
using Handler = std::function<Answer(const Call&)>;

/// An error answer as upstream's services give it (http/mod.rs, to_http_error): every line goes to the journal after
/// "!!! "; to the caller go all lines, or with 500 and 401 only the first.
Answer refusal(unsigned status, const Causes& causes);

/// Answers one connection on the listening descriptor `listener`, and logs both directions (http-common/src/server.rs).
void serve_one(int listener, const Handler& handler);
/// Answers for ever on the sockets that systemd passed.
[[noreturn]] void serve(const Handler& handler);
/// The descriptors that systemd passed: the first and how many.
std::pair<int, int> passed_sockets();

/// How long something takes: `name` of the environment in milliseconds, else upstream's `seconds`, each of them as long
/// as LAB_SECOND_MS says (1000, a real one, unless told), so that a lab need not wait as long as a device.
std::chrono::milliseconds duration(const char* name, double seconds);
void pause(const char* name, double seconds);

}  // namespace lab
