#include "tests/lab/standins/standin.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>  // asio/awaitable.hpp of Boost 1.74 uses std::exchange without it

#include <grp.h>
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

void log_causes(const std::string& causes) {
    error("service encountered an error");
    std::istringstream lines(causes);
    for (std::string cause; std::getline(lines, cause);) error("caused by: " + cause);
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

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("could not read " + path + ": " + std::strerror(errno));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_file(const std::string& path, const std::string& text, unsigned mode, const std::string& owner) {
    ::unlink(path.c_str());
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) throw std::runtime_error("could not write " + path + ": " + std::strerror(errno));
    const passwd* user = getpwnam(owner.c_str());
    if (user == nullptr) throw std::runtime_error("could not query " + owner + " user information");
    if (chmod(path.c_str(), mode) != 0 || chown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
        throw std::runtime_error("could not set mode or owner of " + path + ": " + std::strerror(errno));
}

int run_service(const std::string& name, const std::function<void()>& body) {
    try {
        info("Starting service: " + name);
        body();
        info("Stopping service");
        return 0;
    } catch (const Fatal& fault) {
        log_causes(fault.what());
        return fault.code;
    } catch (const std::exception& fault) {
        log_causes(fault.what());
        return 1;
    }
}

toml::value configuration(const std::string& service) {
    const std::filesystem::path folder = "/etc/aziot/" + service + "/config.d";
    std::vector<std::filesystem::path> files;
    std::error_code fault;
    for (const auto& entry : std::filesystem::directory_iterator(folder, fault))
        if (entry.path().extension() == ".toml") files.push_back(entry.path());
    // Only aziot-edged tells bad settings from other failures: 153, upon which systemd leaves it alone.
    const int code = service == "edged" ? 153 : 1;
    if (fault) throw Fatal("could not load config\n" + folder.string() + ": " + fault.message(), code);
    if (files.empty()) throw Fatal("could not load config\nmissing field `hostname`", code);
    std::sort(files.begin(), files.end());
    toml::value merged = toml::table();
    for (const auto& file : files) {
        std::istringstream text(read_file(file));
        merge(merged, toml::parse(text, file.string()));
    }
    return merged;
}

std::string text_in(const toml::value& table, const std::string& key) {
    if (!table.is_table() || !table.contains(key) || !table.at(key).is_string()) return {};
    return table.at(key).as_string().str;
}

std::string path_of(const std::string& uri) {
    const std::string scheme = "file://";
    if (uri.compare(0, scheme.size(), scheme) != 0) throw Fatal("unrecognized scheme in " + uri);
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

void serve_one(int listener, const Handler& handler) {
    const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    const timeval patience{5, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    asio::io_context loop;
    local::socket socket(loop, local(), connection);
    try {
        beast::flat_buffer buffer;
        http::request<http::string_body> request;
        boost::system::error_code fault;
        http::read(socket, buffer, request, fault);
        if (fault) return;  // someone only looked whether the service listens
        const Answer answer =
            handler({std::string(request.method_string()), std::string(request.target()), request.body()});
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
    if (count <= 0) throw Fatal("no socket was passed by systemd");
    return {SD_LISTEN_FDS_START, count};
}

void serve(const Handler& handler) {
    const auto [first, count] = passed_sockets();
    for (;;) {
        for (int i = 0; i < count; ++i) serve_one(first + i, handler);
    }
}

int milliseconds(const char* name, int otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::atoi(text);
}

}  // namespace lab
