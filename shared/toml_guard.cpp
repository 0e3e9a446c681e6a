#include "shared/toml_guard.hpp"

#include <algorithm>

namespace eflow {

namespace {

constexpr int deepest = 64;

/// Length of the UTF-8 sequence at `at`, 0 when it is none (RFC 3629: no overlong forms, no surrogates).
std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) {
        return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
    };
    const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
        return byte(i) >= low && byte(i) <= high;
    };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef)
        return follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
    if (first >= 0xf0 && first <= 0xf4)
        return follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
    return 0;
}

}  // namespace

std::optional<std::size_t> first_bad_byte(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = utf8_length(text, at);
        if (length == 0 || text[at] == '\0') return at;
        at += length;
    }
    return std::nullopt;
}

std::size_t line_of(std::string_view text, std::size_t offset) {
    return 1 + static_cast<std::size_t>(std::count(
                   text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size())), '\n'));
}

std::optional<std::string> toml_hazard(std::string_view text) {
    const auto at_line = [&](std::size_t offset) { return " in line " + std::to_string(line_of(text, offset)); };
    int depth = 0;
    bool line_is_blank = true;
    bool in_comment = false;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = utf8_length(text, at);
        if (length == 0) return "it is not UTF-8" + at_line(at);
        const char c = text[at];
        if (c == '\0') return "it holds a NUL byte" + at_line(at);
        // Strings are not told from the rest: nothing legitimate comes near the limit either way.
        if (c == '#' && line_is_blank) in_comment = true;
        if (c == '\n') in_comment = false;
        line_is_blank = c == '\n' || (line_is_blank && (c == ' ' || c == '\t'));
        if (!in_comment && (c == '[' || c == '{')) ++depth;
        if (!in_comment && (c == ']' || c == '}')) depth = std::max(0, depth - 1);
        if (depth > deepest) return "it is nested more than 64 deep" + at_line(at);
        at += length;
    }
    return std::nullopt;
}

}  // namespace eflow
