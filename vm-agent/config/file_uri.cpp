#include "vm-agent/config/file_uri.hpp"

#include <array>
#include <cstdio>

namespace eflow {

std::string file_uri(std::string_view absolute_path) {
    // The path set of the WHATWG URL standard, with the percent sign, as the Rust crate url encodes file paths.
    constexpr std::string_view encoded = " \"#<>?`{}%";
    std::string uri = "file://";
    for (const char c : absolute_path) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x1f || byte >= 0x7f || encoded.find(c) != std::string_view::npos) {
            std::array<char, 4> escape{};
            std::snprintf(escape.data(), escape.size(), "%%%02X", byte);
            uri += escape.data();
        } else {
            uri += c;
        }
    }
    return uri;
}

std::optional<std::string> path_of_file_uri(std::string_view uri) {
    constexpr std::string_view scheme = "file://";
    if (!uri.starts_with(scheme)) return std::nullopt;
    uri.remove_prefix(scheme.size());
    if (uri.starts_with("localhost/")) uri.remove_prefix(9);
    if (!uri.starts_with('/')) return std::nullopt;
    const auto hex = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
    };
    std::string path;
    for (std::size_t i = 0; i < uri.size(); ++i) {
        if (uri[i] == '%' && i + 2 < uri.size() && hex(uri[i + 1]) >= 0 && hex(uri[i + 2]) >= 0) {
            path += static_cast<char>(hex(uri[i + 1]) * 16 + hex(uri[i + 2]));
            i += 2;
        } else {
            path += uri[i];
        }
    }
    if (path.find('\0') != std::string::npos) return std::nullopt;
    return path;
}

}  // namespace eflow
