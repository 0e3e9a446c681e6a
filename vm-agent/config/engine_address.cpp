#include "vm-agent/config/engine_address.hpp"

#include <string_view>

#include "shared/shell_quote.hpp"

namespace eflow {

namespace {

int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
    return -1;
}

/// The path of unix:///PATH, percent-decoded as url's to_file_path does; nothing for another host or a relative path.
std::optional<std::string> path_of(std::string_view rest) {
    if (rest.starts_with("//")) {
        rest.remove_prefix(2);
        if (rest.starts_with("localhost/")) rest.remove_prefix(std::string_view("localhost").size());
    }
    if (!rest.starts_with('/')) return std::nullopt;
    std::string path;
    for (std::size_t i = 0; i < rest.size(); ++i) {
        const int high = rest[i] == '%' && i + 2 < rest.size() ? digit_of(rest[i + 1]) : -1;
        const int low = high >= 0 ? digit_of(rest[i + 2]) : -1;
        path += low >= 0 ? static_cast<char>(high * 16 + low) : rest[i];
        if (low >= 0) i += 2;
    }
    return path;
}

}  // namespace

std::string EngineAddress::command() const {
    return is_default ? "docker" : "docker -H " + shell_quoted("unix://" + socket);
}

EngineAddress engine_address(const std::optional<std::string>& moby_uri) {
    constexpr std::string_view scheme = "unix:";
    if (!moby_uri) return {};
    if (!moby_uri->starts_with(scheme))
        return {"", false, "[moby_runtime] uri in config.toml names no unix socket, and only those are looked at"};
    const auto path = path_of(std::string_view(*moby_uri).substr(scheme.size()));
    if (!path) return {"", false, "[moby_runtime] uri in config.toml is not of the form unix:///PATH"};
    // /var/run is /run.
    if (*path == "/var" + EngineAddress{}.socket || *path == EngineAddress{}.socket) return {};
    return {*path, false, ""};
}

}  // namespace eflow
