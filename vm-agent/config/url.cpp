#include "vm-agent/config/url.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace eflow {

namespace {

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr int hex_value(char c) {
    return is_digit(c) ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}
bool is_one_of(char c, std::string_view set) {
    return set.find(c) != std::string_view::npos;
}

/// Controls and blanks around a URL do not count, tabs and line ends nowhere (parser.rs, Input).
std::string trimmed(std::string_view text) {
    const auto outer = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
    while (!text.empty() && outer(text.front())) text.remove_prefix(1);
    while (!text.empty() && outer(text.back())) text.remove_suffix(1);
    std::string out(text);
    out.erase(std::remove_if(out.begin(), out.end(), [](char c) { return is_one_of(c, "\t\n\r"); }), out.end());
    return out;
}

bool is_drive(std::string_view text) {
    return text.size() == 2 && is_letter(text[0]) && (text[1] == ':' || text[1] == '|');
}

/// 0 to 2^32-1, "none" by -1, too large by -2 (host.rs:295, parse_ipv4number).
std::int64_t ip4_number(std::string_view text) {
    if (text.empty()) return -1;
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        base = 16;
        text.remove_prefix(2);
    } else if (text.size() > 1 && text[0] == '0') {
        base = 8;
        text.remove_prefix(1);
    }
    std::int64_t number = 0;
    for (const char c : text) {
        const int digit = hex_value(c);
        if (digit < 0 || digit >= base) return -1;
        if (number >= 0) number = number * base + digit;
        if (number > 0xffffffffLL) number = -2;
    }
    return number;
}

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto found = text.find(at);
        parts.push_back(text.substr(0, found));
        if (found == std::string_view::npos) return parts;
        text.remove_prefix(found + 1);
    }
}

bool ends_in_number(const std::vector<std::string_view>& labels) {
    std::string_view last = labels.back();
    if (last.empty() && labels.size() > 1) last = labels[labels.size() - 2];
    return !last.empty() && (std::all_of(last.begin(), last.end(), is_digit) || ip4_number(last) != -1);
}

bool is_ip4(std::vector<std::string_view> labels) {
    if (labels.back().empty()) labels.pop_back();
    if (labels.empty() || labels.size() > 4) return false;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const std::int64_t number = ip4_number(labels[i]);
        const std::int64_t most = i + 1 < labels.size() ? 0xff : 0xffffffffLL >> (8 * i);
        if (number < 0 || number > most) return false;
    }
    return true;
}

/// host.rs:369, parse_ipv6addr.
bool is_ip6(std::string_view text) {
    int pieces = 0;
    bool compressed = false;
    std::size_t at = 0;
    if (text.size() < 2) return false;
    if (text[0] == ':') {
        if (text[1] != ':') return false;
        at = 2;
        pieces = 1;
        compressed = true;
    }
    while (at < text.size()) {
        if (pieces == 8) return false;
        if (text[at] == ':') {
            if (compressed) return false;
            compressed = true;
            ++at;
            ++pieces;
            continue;
        }
        const std::size_t start = at;
        while (at < text.size() && at < start + 4 && hex_value(text[at]) >= 0) ++at;
        if (at < text.size() && text[at] == '.') {
            const auto parts = split(text.substr(start), '.');
            const auto byte = [](std::string_view part) {
                return !part.empty() && part.size() <= 3 && std::all_of(part.begin(), part.end(), is_digit) &&
                       (part.size() == 1 || part[0] != '0') && (part.size() < 3 || part <= "255");
            };
            if (at == start || pieces > 6 || parts.size() != 4 || !std::all_of(parts.begin(), parts.end(), byte))
                return false;
            pieces += 2;
            break;
        }
        if (at < text.size()) {
            if (text[at] != ':' || ++at == text.size()) return false;
        }
        ++pieces;
    }
    return compressed || pieces == 8;
}

/// A label behind "xn--": punycode of at least one character outside ASCII (RFC 3492).
bool is_punycode(std::string_view text) {
    const auto dash = text.rfind('-');
    std::uint64_t count = dash == std::string_view::npos ? 0 : dash;
    std::size_t at = dash == std::string_view::npos ? 0 : dash + 1;
    if (at >= text.size()) return false;
    constexpr std::uint64_t most = 0x10ffff;
    std::uint64_t code = 128;
    std::uint64_t bias = 72;
    std::uint64_t place = 0;
    for (bool first = true; at < text.size(); first = false) {
        const std::uint64_t before = place;
        std::uint64_t weight = 1;
        for (std::uint64_t k = 36;; k += 36) {
            if (at >= text.size()) return false;
            const char c = text[at++];
            if (!is_digit(c) && !is_letter(c)) return false;
            const auto digit = static_cast<std::uint64_t>(is_digit(c) ? c - '0' + 26 : lower(c) - 'a');
            place += digit * weight;
            if (place > most * 64) return false;
            const std::uint64_t threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
            if (digit < threshold) break;
            weight *= 36 - threshold;
            if (weight > most * 64) return false;
        }
        ++count;
        std::uint64_t delta = (place - before) / (first ? 700 : 2);
        delta += delta / count;
        std::uint64_t k = 0;
        for (; delta > 455; k += 36) delta /= 35;
        bias = k + 36 * delta / (delta + 38);
        code += place / count;
        place = place % count + 1;
        // Controls and surrogates are letters of no name.
        if (code < 0xa0 || code > most || (code >= 0xd800 && code <= 0xdfff)) return false;
    }
    return true;
}

/// The host of http, https, ws, wss, ftp and file (host.rs:88, Host::parse_cow); nothing when it is none. Which
/// letters outside ASCII IDNA forbids is not known here: they are taken as they are.
std::optional<std::string> special_host(std::string_view text) {
    if (text.starts_with('['))
        return text.ends_with(']') && is_ip6(text.substr(1, text.size() - 2)) ? std::optional(std::string(text))
                                                                              : std::nullopt;
    std::string host = percent_decoded(text);
    std::transform(host.begin(), host.end(), host.begin(), lower);
    const auto forbidden = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte <= ' ' || byte == 0x7f || is_one_of(c, "%#/:<>?@[\\]^|");
    };
    if (host.empty() || std::any_of(host.begin(), host.end(), forbidden)) return std::nullopt;
    const auto labels = split(host, '.');
    for (const auto label : labels)
        if (label.starts_with("xn--") && !is_punycode(label.substr(4))) return std::nullopt;
    if (ends_in_number(labels) && !is_ip4(labels)) return std::nullopt;
    return host;
}

std::optional<std::string> opaque_host(std::string_view text) {
    if (text.starts_with('[')) return special_host(text);
    const auto forbidden = [](char c) { return c == '\0' || is_one_of(c, " #/:<>?@[\\]^|"); };
    if (std::any_of(text.begin(), text.end(), forbidden)) return std::nullopt;
    return std::string(text);
}

/// The path of a file URL without its dot segments (parser.rs:1187, parse_path).
std::string resolved(std::string_view text) {
    std::vector<std::string> segments;
    const std::string_view path = text.substr(0, text.find_first_of("?#"));
    for (std::size_t at = 0; at <= path.size();) {
        const std::size_t end = std::min(path.find_first_of("/\\", at), path.size());
        std::string segment(path.substr(at, end - at));
        // The longest spelling of a dot segment is "%2e%2e".
        std::string plain = segment.size() <= 6 ? segment : "";
        for (std::size_t dot; (dot = std::min(plain.find("%2e"), plain.find("%2E"))) != std::string::npos;)
            plain.replace(dot, 3, ".");
        const bool last = end == path.size();
        if (plain == "..") {
            if (!segments.empty() && !(segments.size() == 1 && is_drive(segments[0]))) segments.pop_back();
            if (last) segments.emplace_back();
        } else if (plain == ".") {
            if (last) segments.emplace_back();
        } else {
            if (segments.empty() && is_drive(segment)) segment[1] = ':';
            // Empty segments at the start go (parser.rs, "while url's path's size is greater than 1").
            if (!segments.empty() || !segment.empty() || last) segments.push_back(std::move(segment));
        }
        at = end + 1;
    }
    std::string out;
    for (const auto& segment : segments) out += "/" + segment;
    return out.empty() ? "/" : out;
}

std::optional<Url> file_url(std::string_view rest) {
    Url url{.scheme = "file", .host = {}, .path = {}};
    const auto slash = [&](std::size_t at) { return at < rest.size() && (rest[at] == '/' || rest[at] == '\\'); };
    if (!slash(0) || !slash(1)) {
        if (slash(0)) rest.remove_prefix(1);
        url.path = resolved(rest);
        return url;
    }
    rest.remove_prefix(2);
    const std::string_view host = rest.substr(0, rest.find_first_of("/\\?#"));
    if (!is_drive(host)) {
        if (!host.empty()) {
            const auto read = special_host(host);
            if (!read) return std::nullopt;
            if (*read != "localhost") url.host = *read;
        }
        rest.remove_prefix(host.size());
        if (slash(0)) rest.remove_prefix(1);
    }
    url.path = resolved(rest);
    // A drive letter takes the host away (parser.rs:1277).
    if (url.path.size() >= 3 && is_drive(std::string_view(url.path).substr(1, 2)) &&
        (url.path.size() == 3 || url.path[3] == '/'))
        url.host.clear();
    return url;
}

/// What follows `//` of any other scheme: user, host and port (parser.rs:880).
bool is_authority(std::string_view rest, bool special, Url& url) {
    rest = rest.substr(0, rest.find_first_of(special ? "/\\?#" : "/?#"));
    const auto sign = rest.rfind('@');
    const bool has_user = sign != std::string_view::npos;
    if (has_user) {
        const std::string_view user = rest.substr(0, sign);
        rest.remove_prefix(sign + 1);
        if (rest.empty() && (user.empty() || user != ":" || special)) return false;
    }
    std::size_t colon = std::string_view::npos;
    bool bracket = false;
    for (std::size_t i = 0; i < rest.size() && colon == std::string_view::npos; ++i) {
        if (rest[i] == '[') bracket = true;
        if (rest[i] == ']') bracket = false;
        if (rest[i] == ':' && !bracket) colon = i;
    }
    const std::string_view name = rest.substr(0, colon);
    if (name.empty() && (special || colon != std::string_view::npos)) return false;
    const auto host = special ? special_host(name) : opaque_host(name);
    if (!host) return false;
    url.host = *host;
    if (colon == std::string_view::npos) return true;
    unsigned long port = 0;
    for (const char c : rest.substr(colon + 1)) {
        if (!is_digit(c)) return c == '\\';
        port = port * 10 + static_cast<unsigned long>(c - '0');
        if (port > 65535) return false;
    }
    return true;
}

}  // namespace

std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
            out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::optional<Url> parse_url(std::string_view text) {
    const std::string all = trimmed(text);
    std::size_t colon = 0;
    const auto in_scheme = [](char c) { return is_letter(c) || is_digit(c) || is_one_of(c, "+-."); };
    while (colon < all.size() && in_scheme(all[colon])) ++colon;
    if (colon == 0 || colon == all.size() || all[colon] != ':' || !is_letter(all[0])) return std::nullopt;
    Url url;
    url.scheme = all.substr(0, colon);
    std::transform(url.scheme.begin(), url.scheme.end(), url.scheme.begin(), lower);
    std::string_view rest = std::string_view(all).substr(colon + 1);
    if (url.scheme == "file") return file_url(rest);
    constexpr std::array<std::string_view, 5> special_schemes{"http", "https", "ws", "wss", "ftp"};
    const bool special = std::find(special_schemes.begin(), special_schemes.end(), url.scheme) != special_schemes.end();
    if (special) {
        rest.remove_prefix(std::min(rest.find_first_not_of("/\\"), rest.size()));
    } else if (rest.starts_with("//")) {
        rest.remove_prefix(2);
    } else {
        url.path = std::string(rest.substr(0, rest.find_first_of("?#")));
        return url;
    }
    if (!is_authority(rest, special, url)) return std::nullopt;
    const auto path = rest.find_first_of(special ? "/\\?#" : "/?#");
    if (path != std::string_view::npos) {
        rest.remove_prefix(path);
        url.path = std::string(rest.substr(0, rest.find_first_of("?#")));
    }
    return url;
}

}  // namespace eflow
