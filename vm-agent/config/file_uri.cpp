#include "vm-agent/config/file_uri.hpp"

#include <array>
#include <cstdio>

#include "vm-agent/config/url.hpp"

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
    const auto url = parse_url(uri);
    if (!url || !url->is_local_file()) return std::nullopt;
    std::string path = percent_decoded(url->path);
    if (path.find('\0') != std::string::npos) return std::nullopt;
    return path;
}

}  // namespace eflow
