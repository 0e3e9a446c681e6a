#include "shared/written_text.hpp"

#include <algorithm>

#include "shared/utf16.hpp"

namespace eflow {

namespace {

enum class Form { utf8, utf16_little, utf16_big, utf32 };

struct Encoded {
    Form form;
    std::string_view content;  ///< behind the mark
};

Encoded form_of(std::string_view bytes) {
    constexpr std::string_view little32("\xff\xfe\0\0", 4);
    constexpr std::string_view big32("\0\0\xfe\xff", 4);
    if (bytes.starts_with(little32) || bytes.starts_with(big32)) return {Form::utf32, bytes.substr(4)};
    if (bytes.starts_with("\xef\xbb\xbf")) return {Form::utf8, bytes.substr(3)};
    if (bytes.starts_with("\xff\xfe")) return {Form::utf16_little, bytes.substr(2)};
    if (bytes.starts_with("\xfe\xff")) return {Form::utf16_big, bytes.substr(2)};
    // Without a mark: what is written for machines begins with ASCII, of which UTF-16 makes a zero byte each.
    if (bytes.size() >= 4 && bytes.size() % 2 == 0) {
        const auto zero = [&](std::size_t at) { return bytes[at] == '\0'; };
        if (!zero(0) && zero(1) && !zero(2) && zero(3)) return {Form::utf16_little, bytes};
        if (zero(0) && !zero(1) && zero(2) && !zero(3)) return {Form::utf16_big, bytes};
    }
    return {Form::utf8, bytes};
}

std::optional<std::string> from_utf16(std::string_view bytes, bool big) {
    if (bytes.size() % 2 != 0) return std::nullopt;
    std::u16string units(bytes.size() / 2, u'\0');
    for (std::size_t i = 0; i < units.size(); ++i) {
        const auto first = static_cast<unsigned char>(bytes[2 * i]);
        const auto second = static_cast<unsigned char>(bytes[2 * i + 1]);
        units[i] = static_cast<char16_t>(big ? first << 8 | second : second << 8 | first);
    }
    return utf8_of(units);
}

/// Where the text stops being UTF-8.
std::size_t first_fault(std::string_view text) {
    std::size_t good = 0;
    while (good < text.size()) {
        const std::size_t most = std::min<std::size_t>(4, text.size() - good);
        std::size_t length = 1;
        while (length <= most && !utf16_of(text.substr(good, length))) ++length;
        if (length > most) return good;
        good += length;
    }
    return good;
}

}  // namespace

std::optional<std::string> written_text(std::string_view bytes) {
    const Encoded encoded = form_of(bytes);
    switch (encoded.form) {
        case Form::utf8:
            if (!utf16_of(encoded.content)) return std::nullopt;
            return std::string(encoded.content);
        case Form::utf16_little: return from_utf16(encoded.content, false);
        case Form::utf16_big: return from_utf16(encoded.content, true);
        case Form::utf32: break;
    }
    return std::nullopt;
}

std::string text_fault(std::string_view bytes) {
    const Encoded encoded = form_of(bytes);
    switch (encoded.form) {
        case Form::utf32: return "it is UTF-32; save it as UTF-8";
        case Form::utf16_little:
        case Form::utf16_big: return "it is UTF-16 and cut short or damaged; save it as UTF-8";
        case Form::utf8: break;
    }
    return "it is not UTF-8 from byte " + std::to_string(first_fault(encoded.content) + 1) +
           " on (an ANSI code page?); save it as UTF-8";
}

std::string place_in(std::string_view text, std::size_t byte) {
    const std::string_view before = text.substr(0, byte > 0 ? byte - 1 : 0);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto last = before.rfind('\n');
    const auto column = before.size() - (last == std::string_view::npos ? 0 : last + 1) + 1;
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace eflow
