#include "tests/lab/standins/standin.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <thread>
#include <utility>  // asio/awaitable.hpp of Boost 1.74 uses std::exchange without it

#include <grp.h>
#include <openssl/sha.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace lab {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using local = asio::local::stream_protocol;

void log(int priority, const char* level, const std::string& text) {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &parts);
    std::cerr << '<' << priority << '>' << stamp << " [" << level << "] - " << text << std::endl;
}

void merge(toml::value& into, const toml::value& from) {
    for (const auto& [key, value] : from.as_table()) {
        auto& table = into.as_table();
        const auto found = table.find(key);
        if (found == table.end()) {
            table[key] = value;
        } else if (found->second.is_table() && value.is_table()) {
            merge(found->second, value);
        } else if (found->second.is_array() && value.is_array()) {
            auto& array = found->second.as_array();
            array.insert(array.end(), value.as_array().begin(), value.as_array().end());
        } else {
            found->second = value;
        }
    }
}

/// A released aziotd has no symbols of its own: 24 frames, of which libc's one has a name (captured from 1.6).
std::string backtrace() {
    std::ostringstream frames;
    for (int frame = 0; frame < 24; ++frame)
        frames << (frame == 0 ? "" : "\n") << std::setw(4) << frame
               << (frame == 22 ? ": __libc_start_main" : ": <unknown>");
    return frames.str();
}

bool exists(const std::string& path) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0;
}

}  // namespace

void info(const std::string& text) {
    log(6, "INFO", text);
}
void warn(const std::string& text) {
    log(4, "WARN", text);
}
void error(const std::string& text) {
    log(3, "ERR!", text);
}

std::string os_error(int number) {
    return std::string(std::strerror(number)) + " (os error " + std::to_string(number) + ")";
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Fatal({os_error(errno)});
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_file(const std::string& path, const std::string& text, unsigned mode, const std::string& owner) {
    ::unlink(path.c_str());
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) throw Fatal({os_error(errno)});
    const passwd* user = getpwnam(owner.c_str());
    if (user == nullptr) throw Fatal({"could not query " + owner + " user information"});
    if (chmod(path.c_str(), mode) != 0 || chown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
        throw Fatal({os_error(errno)});
}

int run_service(const std::function<void()>& body) {
    const auto tell = [](const Causes& causes) {
        error(causes.front());
        for (std::size_t i = 1; i < causes.size(); ++i) error("caused by: " + causes[i]);
        error(backtrace());
    };
    try {
        info("Starting service...");
        info("Version - 1.5.6");
        body();
        return 0;
    } catch (const Fatal& fault) {
        // What is wrong with the configuration is its own outermost error (aziotd/src/error.rs).
        Causes causes = fault.causes;
        if (causes.front() != "could not read config")
            causes.insert(causes.begin(), std::string("service encountered an error"));
        tell(causes);
        return fault.code;
    } catch (const std::exception& fault) {
        tell({"service encountered an error", fault.what()});
        return 1;
    }
}

toml::value configuration(const std::string& service) {
    const std::filesystem::path base = "/etc/aziot/" + service;
    std::vector<std::filesystem::path> files;
    std::error_code fault;
    for (const auto& entry : std::filesystem::directory_iterator(base / "config.d", fault))
        if (entry.path().extension() == ".toml") files.push_back(entry.path());
    if (fault && fault.value() != ENOENT)
        throw Fatal({"could not read config", "could not read config from " + (base / "config.d").string(),
                     os_error(fault.value())});
    std::sort(files.begin(), files.end());
    if (exists(base / "config.toml")) files.insert(files.begin(), base / "config.toml");
    toml::value merged = toml::table();
    for (const auto& file : files) {
        const std::string where = "could not read config from " + file.string();
        try {
            std::istringstream text(read_file(file));
            merge(merged, toml::parse(text, file.string()));
        } catch (const Fatal& reason) {
            throw Fatal({"could not read config", where, reason.what()});
        } catch (const std::exception& reason) {
            throw Fatal({"could not read config", where, reason.what()});
        }
    }
    // The first field of its type that serde misses in an empty document.
    const char* needed = service == "identityd" || service == "edged" ? "hostname"
                         : service == "keyd"                          ? "aziot_keys"
                                                                      : "homedir_path";
    if (service != "tpmd" && !merged.contains(needed))
        throw Fatal({"could not read config", "could not read config", std::string("missing field `") + needed + "`"});
    return merged;
}

std::string text_in(const toml::value& table, const std::string& key) {
    if (!table.is_table() || !table.contains(key) || !table.at(key).is_string()) return {};
    return table.at(key).as_string().str;
}

std::string path_of(const std::string& uri) {
    const std::string scheme = "file://";
    if (uri.compare(0, scheme.size(), scheme) != 0) throw Fatal({"unrecognized scheme in " + uri});
    std::string path;
    for (std::size_t i = scheme.size(); i < uri.size(); ++i) {
        if (uri[i] == '%' && i + 2 < uri.size()) {
            path += static_cast<char>(std::stoi(uri.substr(i + 1, 2), nullptr, 16));
            i += 2;
        } else {
            path += uri[i];
        }
    }
    return path;
}

std::string own_file(const std::string& home, const std::string& folder, const std::string& id,
                     const std::string& suffix) {
    const std::string directory = home + "/" + folder;
    if (!exists(directory) && mkdir(directory.c_str(), 0755) != 0) throw Fatal({os_error(errno)});
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(id.data()), id.size(), hash);
    std::ostringstream name;
    for (const char c : id)
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) name << c;
    name << '-' << std::hex << std::setfill('0');
    for (const unsigned char byte : hash) name << std::setw(2) << static_cast<int>(byte);
    return directory + "/" + name.str() + suffix;
}

Answer call(const std::string& socket_path, const std::string& method, const std::string& target,
            const nlohmann::json& body) {
    asio::io_context loop;
    local::socket socket(loop);
    socket.connect(local::endpoint(socket_path));
    http::request<http::string_body> request(http::string_to_verb(method), target, 11);
    request.set(http::field::host, "localhost");
    request.set(http::field::connection, "close");
    if (!body.is_null()) {
        request.set(http::field::content_type, "application/json");
        request.body() = body.dump();
    }
    request.prepare_payload();
    http::write(socket, request);
    beast::flat_buffer buffer;
    http::response<http::string_body> response;
    http::read(socket, buffer, response);
    Answer answer{response.result_int(), nlohmann::json::parse(response.body(), nullptr, false)};
    if (answer.body.is_discarded()) answer.body = nlohmann::json::object();
    return answer;
}

Answer ask(const std::string& socket_path, const std::string& method, const std::string& target,
           const nlohmann::json& body) {
    for (int attempt = 1;; ++attempt) {
        try {
            return call(socket_path, method, target, body);
        } catch (const std::exception& fault) {
            const std::string what = std::string(fault.what()).find("end of stream") == std::string::npos
                                         ? "client error (Connect)"
                                         : "client error (SendRequest)";
            warn("Failed to send HTTP request (attempt " + std::to_string(attempt) + " of 2): " + what);
            if (attempt == 2) throw Fatal({what});
        }
        pause("LAB_RETRY_MS", 3);
    }
}

std::string status_text(unsigned status) {
    return std::to_string(status) + " " + std::string(http::obsolete_reason(http::int_to_status(status)));
}

std::string message_of(const Answer& answer) {
    return answer.body.is_object() ? answer.body.value("message", "") : std::string();
}

Answer refusal(unsigned status, const Causes& causes) {
    std::string all;
    for (std::size_t i = 0; i < causes.size(); ++i) {
        const std::string text = (i == 0 ? "" : "caused by: ") + causes[i];
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) (status == 500 ? error : info)("!!! " + line);
        all += (i == 0 ? "" : "\n") + text;
    }
    return {status, {{"message", status == 500 || status == 401 ? causes.front() : all}}};
}

void serve_one(int listener, const Handler& handler) {
    const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    asio::io_context loop;
    local::socket socket(loop, local(), connection);
    try {
        beast::flat_buffer buffer;
        http::request<http::string_body> request;
        boost::system::error_code fault;
        http::read(socket, buffer, request, fault);
        if (fault) return;  // someone only looked whether the service listens
        info("<-- " + std::string(request.method_string()) + " " + std::string(request.target()) +
             R"( {"content-type": "application/json"})");
        const Answer answer =
            handler({std::string(request.method_string()), std::string(request.target()), request.body(), peer.uid});
        info("--> " + std::to_string(answer.status) + R"( {"content-type": "application/json"})");
        http::response<http::string_body> response(static_cast<http::status>(answer.status), request.version());
        response.set(http::field::content_type, "application/json");
        response.body() = answer.body.dump();
        response.keep_alive(false);
        response.prepare_payload();
        http::write(socket, response);
    } catch (const std::exception& fault) {
        warn(std::string("a request failed: ") + fault.what());
    }
}

std::pair<int, int> passed_sockets() {
    const int count = sd_listen_fds(0);
    if (count <= 0) throw Fatal({"no socket was passed by systemd"});
    return {SD_LISTEN_FDS_START, count};
}

void serve(const Handler& handler) {
    const auto [first, count] = passed_sockets();
    info("Starting server...");
    for (;;) {
        for (int i = 0; i < count; ++i) serve_one(first + i, handler);
    }
}

std::chrono::milliseconds duration(const char* name, double seconds) {
    if (const char* text = std::getenv(name)) return std::chrono::milliseconds(std::atoi(text));
    const char* second = std::getenv("LAB_SECOND_MS");
    return std::chrono::milliseconds(static_cast<long>(seconds * (second == nullptr ? 1000 : std::atoi(second))));
}

void pause(const char* name, double seconds) {
    std::this_thread::sleep_for(duration(name, seconds));
}

}  // namespace lab
