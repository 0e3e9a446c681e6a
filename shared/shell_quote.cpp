#include "shared/shell_quote.hpp"

#include <cstddef>

#include "shared/printable.hpp"

namespace eflow {

namespace {

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_./:@%+=,-").find(c) != std::string_view::npos;
}

}  // namespace

std::string shell_quoted(std::string_view text) {
    bool plain_word = !text.empty() && text.front() != '-';
    bool hidden = false;
    for (std::size_t at = 0; at < text.size();) {
        const Glyph glyph = glyph_at(text, at);
        hidden = hidden || !glyph.shows;
        plain_word = plain_word && glyph.size == 1 && is_plain(text[at]);
        at += glyph.size;
    }
    if (plain_word) return std::string(text);

    std::string word = hidden ? "$'" : "'";
    for (std::size_t at = 0; at < text.size();) {
        const Glyph glyph = glyph_at(text, at);
        const std::string_view bytes = text.substr(at, glyph.size);
        at += glyph.size;
        if (!glyph.shows) {
            for (const char c : bytes) {
                const auto byte = static_cast<unsigned char>(c);
                word += {'\\', static_cast<char>('0' + byte / 64), static_cast<char>('0' + byte / 8 % 8),
                         static_cast<char>('0' + byte % 8)};
            }
        } else if (bytes == "'") {
            word += hidden ? "\\'" : "'\\''";
        } else if (hidden && bytes == "\\") {
            word += "\\\\";
        } else {
            word += bytes;
        }
    }
    return word + "'";
}

std::string shell_path(std::string_view path) {
    return shell_quoted(path.starts_with('-') ? "./" + std::string(path) : std::string(path));
}

}  // namespace eflow
