#include "shared/pem_text.hpp"

#include <algorithm>
#include <optional>

namespace eflow {

namespace {

using Kind = PemFault::Kind;

constexpr std::string_view dashes = "-----";
constexpr std::string_view begin_mark = "-----BEGIN ";
constexpr std::string_view end_mark = "-----END ";
constexpr std::string_view utf8_mark = "\xef\xbb\xbf";
constexpr std::size_t most_faults = 16;

unsigned unit_at(std::string_view bytes, std::size_t at, bool big_endian) {
    const auto first = static_cast<unsigned char>(bytes[at]);
    const auto second = static_cast<unsigned char>(bytes[at + 1]);
    return big_endian ? first * 256U + second : second * 256U + first;
}

/// UTF-16 as UTF-8; what is no character becomes U+FFFD, which no PEM block has.
SecretBytes converted_from_utf16(std::string_view bytes) {
    const bool marked = bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff");
    const bool big_endian = marked ? bytes[0] == '\xfe' : bytes[0] == '\0';
    SecretBytes text(bytes.size() / 2 * 3 + 3);
    std::size_t size = 0;
    const auto put = [&](unsigned byte) { text.data()[size++] = static_cast<char>(byte); };
    for (std::size_t at = marked ? 2 : 0; at + 1 < bytes.size(); at += 2) {
        unsigned character = unit_at(bytes, at, big_endian);
        if (character >= 0xd800 && character < 0xe000) {
            const unsigned low = at + 3 < bytes.size() ? unit_at(bytes, at + 2, big_endian) : 0;
            const bool pair = character < 0xdc00 && low >= 0xdc00 && low < 0xe000;
            character = pair ? 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
            if (pair) at += 2;
        }
        if (character < 0x80) {
            put(character);
        } else if (character < 0x800) {
            put(0xc0 | character >> 6);
            put(0x80 | (character & 0x3f));
        } else {
            put(character < 0x10000 ? 0xe0 | character >> 12 : 0xf0 | character >> 18);
            if (character >= 0x10000) put(0x80 | (character >> 12 & 0x3f));
            put(0x80 | (character >> 6 & 0x3f));
            put(0x80 | (character & 0x3f));
        }
    }
    return SecretBytes(std::string_view(text.data(), size));
}

/// As OpenSSL's reader ends a line: everything up to a blank goes, bytes over 0x7f too (pem_lib.c sanitize_line).
std::string_view without_trailing_blanks(std::string_view line) {
    while (!line.empty() && static_cast<signed char>(line.back()) <= ' ') line.remove_suffix(1);
    return line;
}

bool is_label(std::string_view text) {
    return !text.empty() && text.find(dashes) == std::string_view::npos;
}

/// The label of a line that OpenSSL takes for a BEGIN line.
std::optional<std::string_view> label_begun(std::string_view line) {
    if (line.size() < begin_mark.size() + dashes.size() || !line.starts_with(begin_mark) || !line.ends_with(dashes)) return std::nullopt;
    const std::string_view label = line.substr(begin_mark.size(), line.size() - begin_mark.size() - dashes.size());
    return is_label(label) ? std::optional(label) : std::nullopt;
}

/// The label of a line that OpenSSL takes for an END line; what stands behind the dashes does not matter to it.
std::optional<std::string_view> label_ended(std::string_view line) {
    if (!line.starts_with(end_mark)) return std::nullopt;
    const std::size_t size = line.substr(end_mark.size()).find(dashes);
    if (size == std::string_view::npos || size == 0) return std::nullopt;
    return line.substr(end_mark.size(), size);
}

bool is_base64(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
}

/// One that a person or an editor has typed for a hyphen: U+2010 to U+2015, U+2212.
std::size_t other_dash_before(std::string_view text) {
    if (text.size() < 3) return 0;
    const std::string_view last = text.substr(text.size() - 3);
    const auto third = static_cast<unsigned char>(last[2]);
    return (last.starts_with("\xe2\x80") && third >= 0x90 && third <= 0x95) || last == "\xe2\x88\x92" ? 3 : 0;
}

/// What is wrong with a line in which BEGIN or END of a label stands between dashes, given that OpenSSL does not take the
/// line for one; nothing for prose that speaks of such a line.
std::optional<Kind> kind_of_marker(std::string_view line, std::size_t word, std::size_t word_size) {
    std::string_view before = line.substr(0, word);
    std::size_t hyphens = 0;
    bool other = false;
    for (;;) {
        const std::size_t wide = other_dash_before(before);
        if (wide == 0 && !before.ends_with('-')) break;
        other = other || wide > 0;
        ++hyphens;
        before.remove_suffix(wide > 0 ? wide : 1);
    }
    if (hyphens == 0) return std::nullopt;
    std::string_view after = line.substr(word + word_size);
    const std::size_t label =
        std::min(after.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 #"), after.size());
    if (label == 0) return std::nullopt;
    after.remove_prefix(label);
    const std::size_t trailing = std::min(after.find_first_not_of('-'), after.size());
    if (!after.empty() && trailing == 0 && !after.starts_with("\xe2")) return std::nullopt;
    const std::string_view rest = after.substr(trailing);
    if (rest.starts_with("\\n") || rest.starts_with("\\r")) return Kind::escaped;
    const bool counts = hyphens == dashes.size() && trailing >= dashes.size() && !other;
    if (before.empty() && !counts) return Kind::dashes;
    if (before.empty()) return Kind::joined;
    if (is_base64(before.back()) || before.ends_with('-')) return Kind::joined;
    const bool blank_before = before.back() == ' ' || before.back() == '\t';
    const std::string_view speaking = without_trailing_blanks(before);
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    constexpr std::string_view opening = "#>/*;|\"'`:=,([{";
    const bool prose = blank_before && std::any_of(speaking.begin(), speaking.end(), letter) &&
                       opening.find(speaking.front()) == std::string_view::npos &&
                       opening.find(speaking.back()) == std::string_view::npos;
    if (prose) return std::nullopt;
    return Kind::wrapped;
}

std::optional<Kind> marker_in(std::string_view line, std::size_t from = 0) {
    for (const std::string_view word : {std::string_view("BEGIN "), std::string_view("END ")})
        for (std::size_t at = line.find(word, from); at != std::string_view::npos; at = line.find(word, at + word.size()))
            if (const auto kind = kind_of_marker(line, at, word.size())) return kind;
    return std::nullopt;
}

}  // namespace

TextEncoding encoding_of(std::string_view bytes) {
    if (bytes.starts_with(utf8_mark)) return TextEncoding::utf8_bom;
    if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) return TextEncoding::utf16;
    const auto text = [](char c) { return c == '-' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
    if (bytes.size() >= 4 && ((text(bytes[0]) && bytes[1] == '\0' && bytes[3] == '\0') ||
                              (bytes[0] == '\0' && text(bytes[1]) && bytes[2] == '\0')))
        return TextEncoding::utf16;
    return TextEncoding::plain;
}

PemText::PemText(std::string_view bytes) : encoding_(encoding_of(bytes)), text_(bytes) {
    if (encoding_ == TextEncoding::utf8_bom) text_.remove_prefix(utf8_mark.size());
    if (encoding_ == TextEncoding::utf16) {
        converted_ = converted_from_utf16(bytes);
        text_ = converted_.reveal();
        if (text_.starts_with(utf8_mark)) text_.remove_prefix(utf8_mark.size());
    }
    scan();
}

void PemText::scan() {
    struct Open {
        std::string_view label;
        std::size_t at;
        std::size_t line;
    };
    Open open{};
    bool is_open = false;
    const auto fault = [this](Kind kind, std::size_t line) {
        if (faults_.size() < most_faults) faults_.push_back({kind, line});
    };
    // A file of one "line" with CRs in it is one whose lines end in CR.
    if (text_.find('\n') == std::string_view::npos && text_.find('\r') != std::string_view::npos &&
        text_.find(begin_mark) != std::string_view::npos && text_.find('\r') + 1 < text_.size())
        return fault(Kind::carriage_returns, 1);

    std::size_t number = 0;
    for (std::size_t at = 0; at < text_.size();) {
        const std::size_t end = std::min(text_.find('\n', at), text_.size());
        const std::string_view line = without_trailing_blanks(text_.substr(at, end - at));
        ++number;
        if (const auto label = label_begun(line)) {
            if (is_open) fault(Kind::not_ended, open.line);
            open = {*label, at, number};
            is_open = true;
        } else if (const auto ended = label_ended(line)) {
            const std::size_t size = end_mark.size() + ended->size() + dashes.size();
            if (!is_open)
                fault(Kind::not_begun, number);
            else if (open.label != *ended)
                fault(Kind::label_differs, number);
            else
                blocks_.push_back({open.label, text_.substr(open.at, at + size - open.at), open.line});
            is_open = false;
            if (marker_in(line, size)) {
                fault(Kind::joined, number);
                open = {*ended, at, number};
                is_open = true;
            }
        } else if (const auto kind = marker_in(line)) {
            fault(*kind, number);
            is_open = false;
        }
        at = end + 1;
    }
    if (is_open) fault(Kind::not_ended, open.line);
}

std::string to_text(const PemFault& fault) {
    const auto what = [&]() -> std::string_view {
        switch (fault.kind) {
            case Kind::not_ended: return "the block that begins here has no END line: the file is cut";
            case Kind::not_begun: return "this END line has no BEGIN line before it: the file is cut";
            case Kind::label_differs: return "the END line names another kind of block than the BEGIN line";
            case Kind::joined: return "two lines have become one; BEGIN and END must each stand in a line of their own";
            case Kind::wrapped: return "the BEGIN or END line is indented, quoted or commented out, so that OpenSSL passes it over";
            case Kind::escaped: return "line ends are written as \\n, as in JSON or program text";
            case Kind::dashes: return "the BEGIN or END line has not five hyphens on both sides";
            case Kind::carriage_returns: return "its lines end in CR alone, which OpenSSL takes for one line";
        }
        return "";
    }();
    return "line " + std::to_string(fault.line) + ": " + std::string(what);
}

}  // namespace eflow
