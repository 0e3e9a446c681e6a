#include "shared/printable.hpp"

#include <algorithm>
#include <array>

namespace eflow {

namespace {

struct Range {
    char32_t first;
    char32_t last;
};

/// Unicode's general categories Cc, Cf, Zl and Zp, private use, the fillers that show as nothing, and what is no character.
constexpr std::array<Range, 29> hidden{{
    {0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},     {0x61c, 0x61c},
    {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x115f, 0x1160},   {0x17b4, 0x17b5},
    {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},   {0xd800, 0xf8ff},
    {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd},
    {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0x2800, 0x2800},
}};
constexpr char32_t first_plane_without_letters = 0xe0000;  // tags, variation selectors, private use

bool is_hidden(char32_t character) {
    return character >= first_plane_without_letters ||
           std::any_of(hidden.begin(), hidden.end(),
                       [&](const Range& range) { return character >= range.first && character <= range.last; });
}

}  // namespace

Glyph glyph_at(std::string_view text, std::size_t at) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) return {1, first >= 0x20 && first != 0x7f};
    const std::size_t size = first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;
    if (size == 0 || text.size() - at < size) return {};
    char32_t character = first & (0xffU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        const auto next = static_cast<unsigned char>(text[at + i]);
        if ((next & 0xc0) != 0x80) return {};
        character = (character << 6) | (next & 0x3fU);
    }
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    if (character < least[size] || (character >= 0xd800 && character <= 0xdfff) || character > 0x10ffff) return {};
    return {size, !is_hidden(character)};
}

std::string printable(std::string_view text, std::size_t most) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string shown;
    for (std::size_t at = 0; at < text.size();) {
        const Glyph glyph = glyph_at(text, at);
        if (at + glyph.size > most) return shown + "...";
        for (const char c : text.substr(at, glyph.size)) {
            if (glyph.shows) {
                shown += c;
            } else {
                const auto byte = static_cast<unsigned char>(c);
                shown += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
            }
        }
        at += glyph.size;
    }
    return shown;
}

}  // namespace eflow
