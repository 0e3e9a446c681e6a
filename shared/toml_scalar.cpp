#include "shared/toml_scalar.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "shared/utf8.hpp"

namespace eflow {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    const char low = static_cast<char>(c | 32);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}
bool is_bare(char c) {
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_';
}

void append_utf8(std::string& to, unsigned long code) {
    const auto push = [&](unsigned long byte) { to += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (code < 0x80) {
        push(code);
    } else if (code < 0x800) {
        push(0xc0 | (code >> 6));
        push(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        push(0xe0 | (code >> 12));
        push(0x80 | ((code >> 6) & 0x3f));
        push(0x80 | (code & 0x3f));
    } else {
        push(0xf0 | (code >> 18));
        push(0x80 | ((code >> 12) & 0x3f));
        push(0x80 | ((code >> 6) & 0x3f));
        push(0x80 | (code & 0x3f));
    }
}

using Newer = std::function<void(const char*)>;

/// Behind a backslash (toml_parser src/decoder/string.rs, escape_seq_char).
void escape(TomlCursor& at, std::string& to, const Newer& newer) {
    constexpr std::string_view letters = "btnfr\"\\e";
    constexpr std::string_view meaning = "\b\t\n\f\r\"\\\x1b";
    const char c = at.peek();
    if (const auto which = letters.find(c); c != '\0' && which != std::string_view::npos) {
        if (c == 'e') newer("the escape \\e");
        to += meaning[which];
        at.skip(1);
        return;
    }
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0)
        at.fail("a backslash in a string is followed by no escape",
                "Write \\\\ for a backslash, or put the string in single quotes.");
    if (c == 'x') newer("the escape \\x");
    at.skip(1);
    unsigned long code = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        const int digit = hex_value(at.peek(i));
        if (digit < 0)
            at.fail("a \\u, \\U or \\x in a string lacks its hexadecimal digits",
                    "Write \\\\ for a backslash, or put the string in single quotes.");
        code = code * 16 + static_cast<unsigned long>(digit);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        at.fail("an escape in a string names no Unicode character", "Write another one.");
    at.skip(digits);
    append_utf8(to, code);
}

[[noreturn]] void open_string(const TomlCursor& at, std::size_t line, char quote) {
    TomlCursor::fail_at(line, "a string is not closed", std::string("Close it with ") + quote + " on the same line.");
    (void)at;
}

std::string one_line_string(TomlCursor& at, const Newer& newer) {
    const char quote = at.peek();
    const std::size_t line = at.line();
    at.skip(1);
    std::string out;
    for (;;) {
        const char c = at.peek();
        if (at.ended() || c == '\n' || (c == '\r' && at.peek(1) == '\n')) open_string(at, line, quote);
        if (c == quote) break;
        if (is_control(c)) at.fail("a control character stands in a string", "Take it out, or write it as an escape.");
        at.skip(1);
        if (c == '\\' && quote == '"')
            escape(at, out, newer);
        else
            out += c;
    }
    at.skip(1);
    return out;
}

/// A line end that a backslash swallows, with the blanks and lines after it; false when none stands here.
bool continued(TomlCursor& at) {
    const std::string_view rest = at.text();
    const auto mark = rest.find_first_not_of(" \t");
    if (mark == std::string_view::npos || (rest[mark] != '\n' && !rest.substr(mark).starts_with("\r\n"))) return false;
    const auto next = rest.find_first_not_of(" \t\r\n");
    at.skip(next == std::string_view::npos ? rest.size() : next);
    return true;
}

std::string long_string(TomlCursor& at, const Newer& newer) {
    const char quote = at.peek();
    const std::string marks(3, quote);
    const std::size_t line = at.line();
    at.skip(3);
    if (at.starts_with("\r\n"))
        at.skip(2);
    else if (at.peek() == '\n')
        at.skip(1);
    std::string out;
    for (;;) {
        if (at.ended())
            TomlCursor::fail_at(line, "a string of several lines is not closed", "Close it with " + marks + ".");
        if (at.starts_with(marks)) break;
        const char c = at.peek();
        if (c == '\r' && at.peek(1) != '\n')
            at.fail("a carriage return stands alone", "End lines with a line feed, alone or after the return.");
        if (is_control(c) && c != '\n' && c != '\r')
            at.fail("a control character stands in a string", "Take it out, or write it as an escape.");
        at.skip(1);
        if (c == '\\' && quote == '"') {
            if (!continued(at)) escape(at, out, newer);
        } else {
            out += c;
        }
    }
    at.skip(3);
    for (int more = 0; more < 2 && at.peek() == quote; ++more) {
        out += quote;
        at.skip(1);
    }
    return out;
}

/// Digits with single underscores between them; how many bytes of `text` they are, 0 when it begins with none.
template <class IsDigit>
std::size_t digits_of(std::string_view text, IsDigit is) {
    std::size_t at = 0;
    while (at < text.size() && (is(text[at]) || (text[at] == '_' && at > 0 && is(text[at - 1]) &&
                                                 at + 1 < text.size() && is(text[at + 1]))))
        ++at;
    return at;
}

std::string without_underscores(std::string_view text) {
    std::string out(text);
    out.erase(std::remove(out.begin(), out.end(), '_'), out.end());
    return out;
}

/// A number of digits in `base` outside of 128 bits, which the crate toml cannot even skip.
bool is_beyond_128_bits(std::string_view digits, int base, bool negative) {
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    const std::string_view most =
        base == 10 ? (negative ? "170141183460469231731687303715884105728" : "340282366920938463463374607431768211455")
        : base == 16 ? "ffffffffffffffffffffffffffffffff"
        : base == 8  ? "3777777777777777777777777777777777777777777"
                     : std::string_view();
    if (most.empty()) return digits.size() > 128;
    std::string low(digits);
    std::transform(low.begin(), low.end(), low.begin(),
                   [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
    return low.size() > most.size() || (low.size() == most.size() && low > most);
}

Toml::Value integer_of(std::string_view digits, int base, bool negative) {
    const std::string plain = without_underscores(digits);
    std::uint64_t size = 0;
    const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), size, base);
    const Toml::TooLarge large{.for_all = is_beyond_128_bits(plain, base, negative)};
    if (error != std::errc{} || end != plain.data() + plain.size()) return large;
    constexpr std::uint64_t half = std::uint64_t{1} << 63;
    if (negative) {
        if (size > half) return large;
        return size == half ? INT64_MIN : -static_cast<std::int64_t>(size);
    }
    if (size >= half) return size;
    return static_cast<std::int64_t>(size);
}

/// Two digits of at most `most`, at the start of `text`.
bool two(std::string_view text, int least, int most) {
    if (text.size() < 2 || !is_digit(text[0]) || !is_digit(text[1])) return false;
    const int number = (text[0] - '0') * 10 + text[1] - '0';
    return number >= least && number <= most;
}

/// Length of a time of day at the start, 0 when there is none (toml_datetime src/datetime.rs:448).
std::size_t time_of(std::string_view text, bool& without_seconds) {
    if (!two(text, 0, 23) || text.size() < 5 || text[2] != ':' || !two(text.substr(3), 0, 59)) return 0;
    std::size_t at = 5;
    if (at >= text.size() || text[at] != ':') {
        without_seconds = true;
        return at;
    }
    if (!two(text.substr(at + 1), 0, 60)) return 0;
    at += 3;
    if (at >= text.size() || text[at] != '.') return at;
    const std::size_t digits = digits_of(text.substr(at + 1), is_digit);
    if (digits == 0 || text.substr(at + 1, digits).find('_') != std::string_view::npos) return 0;
    return at + 1 + digits;
}

bool is_datetime(std::string_view text, const Newer& newer) {
    bool without_seconds = false;
    if (text.size() > 2 && text[2] == ':') {
        if (time_of(text, without_seconds) != text.size()) return false;
        if (without_seconds) newer("a time without seconds");
        return true;
    }
    const auto all_digits = [](std::string_view part) { return std::all_of(part.begin(), part.end(), is_digit); };
    if (text.size() < 10 || !all_digits(text.substr(0, 4)) || text[4] != '-' || !two(text.substr(5), 1, 12) ||
        text[7] != '-')
        return false;
    const int year = std::atoi(std::string(text.substr(0, 4)).c_str());
    const int month = (text[5] - '0') * 10 + text[6] - '0';
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const int days = month == 2 ? (leap ? 29 : 28) : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
    if (!two(text.substr(8), 1, days)) return false;
    if (text.size() == 10) return true;
    if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return false;
    const std::size_t time = time_of(text.substr(11), without_seconds);
    if (time == 0) return false;
    const std::string_view offset = text.substr(11 + time);
    const bool fits = offset.empty() || offset == "Z" || offset == "z" ||
                      (offset.size() == 6 && (offset[0] == '+' || offset[0] == '-') && two(offset.substr(1), 0, 23) &&
                       offset[3] == ':' && two(offset.substr(4), 0, 59));
    if (fits && without_seconds) newer("a time without seconds");
    return fits;
}

std::optional<Toml::Value> number(std::string_view word) {
    std::string_view rest = word;
    const bool signed_ = rest.starts_with('+') || rest.starts_with('-');
    const bool negative = rest.starts_with('-');
    if (signed_) rest.remove_prefix(1);
    if (rest == "inf") return negative ? -HUGE_VAL : HUGE_VAL;
    if (rest == "nan") return std::nan("");
    for (const auto& [mark, base] : {std::pair{"0x", 16}, {"0o", 8}, {"0b", 2}}) {
        if (!rest.starts_with(mark)) continue;
        rest.remove_prefix(2);
        const int top = base;
        const auto fits = [top](char c) { return hex_value(c) >= 0 && hex_value(c) < top; };
        if (signed_ || rest.empty() || digits_of(rest, fits) != rest.size()) return std::nullopt;
        return integer_of(rest, base, false);
    }
    const std::size_t whole = digits_of(rest, is_digit);
    if (whole == 0 || (whole > 1 && rest[0] == '0')) return std::nullopt;
    if (whole == rest.size()) return integer_of(rest, 10, negative);
    std::size_t at = whole;
    if (rest[at] == '.') {
        const std::size_t more = digits_of(rest.substr(at + 1), is_digit);
        if (more == 0) return std::nullopt;
        at += 1 + more;
    }
    if (at < rest.size() && (rest[at] | 32) == 'e') {
        ++at;
        if (at < rest.size() && (rest[at] == '+' || rest[at] == '-')) ++at;
        const std::size_t more = digits_of(rest.substr(at), is_digit);
        if (more == 0) return std::nullopt;
        at += more;
    }
    if (at != rest.size()) return std::nullopt;
    const double size = std::strtod(without_underscores(word).c_str(), nullptr);
    if (std::isinf(size)) return Toml::TooLarge{.for_all = true};
    return size;
}

/// A value without quotes: up to what ends a word; a date may hold one blank (document.rs, on_scalar).
std::string_view bare_word(TomlCursor& at) {
    const std::string_view rest = at.text();
    const auto ends = [](char c) { return std::string_view(" \t\r\n=,[]{}#\"'").find(c) != std::string_view::npos; };
    std::size_t size = 0;
    while (size < rest.size() && !ends(rest[size])) ++size;
    if (size == 10 && size + 1 < rest.size() && rest[size] == ' ' && is_digit(rest[0]) && is_digit(rest[size + 1])) {
        ++size;
        while (size < rest.size() && !ends(rest[size])) ++size;
    }
    return rest.substr(0, size);
}

[[noreturn]] void no_value(const TomlCursor& at, std::string_view word) {
    if (word.empty())
        at.fail(at.ended() || at.peek() == '\n' || at.peek() == '\r' || at.peek() == '#' ? "a value is missing"
                                                                                         : "no value: " + at.here(),
                "Write a value after the '='.");
    if (word.starts_with("\xe2\x80\x9c") || word.starts_with("\xe2\x80\x9d") || word.starts_with("\xe2\x80\x98"))
        at.fail("typographic quotes stand around a value",
                "Write plain \" quotes; an editor or web page changed them.");
    for (const char* right : {"true", "false"}) {
        std::string low(word);
        std::transform(low.begin(), low.end(), low.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        if (low == right) at.fail(shown(word) + " is no value", std::string("Write ") + right + ".");
    }
    at.fail(shown(word) + " is no value", "Texts stand in quotes: \"" + std::string(shown(word).substr(1)));
}

}  // namespace

void TomlCursor::skip(std::size_t count) {
    const std::size_t end = std::min(text_.size(), at_ + count);
    line_ += static_cast<std::size_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                 text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at_ = end;
}

std::string TomlCursor::here() const {
    const std::string_view rest = text().substr(0, 200);
    return shown(rest.substr(0, rest.find_first_of("\r\n")));
}

void TomlCursor::fail_at(std::size_t line, std::string what, std::string remedy) {
    throw Failed{{.line = line, .what = std::move(what), .remedy = std::move(remedy)}};
}

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

std::string shown(std::string_view text) {
    std::string out = "\"";
    for (const char c : text.substr(0, 60)) out += c >= ' ' && c <= '~' ? c : '?';
    return out + (text.size() > 60 ? "..." : "") + "\"";
}

std::optional<TomlFault> wrong_encoding(std::string_view text) {
    const auto says = [](const char* name) {
        return TomlFault{.line = 1,
                         .what = std::string("it is ") + name + ", not UTF-8",
                         .remedy = "Save it as UTF-8; in PowerShell: Set-Content -Encoding utf8."};
    };
    if (text.starts_with("\xff\xfe")) return says("UTF-16 (little-endian)");
    if (text.starts_with("\xfe\xff")) return says("UTF-16 (big-endian)");
    if (text.size() > 3 && text[0] != '\0' && text[1] == '\0' && text[3] == '\0') return says("UTF-16 (little-endian)");
    if (text.size() > 3 && text[0] == '\0' && text[1] != '\0' && text[2] == '\0') return says("UTF-16 (big-endian)");
    const auto bad = first_bad_byte(text);
    if (!bad) return std::nullopt;
    if (text[*bad] == '\0') return TomlFault{line_of(text, *bad), "it holds a NUL byte", "Take the byte out."};
    return TomlFault{line_of(text, *bad), "it is not UTF-8",
                     "Save it as UTF-8, or write the character of that line in ASCII."};
}

std::string key_name(TomlCursor& at, const Newer& newer) {
    const char c = at.peek();
    if (c == '"' || c == '\'') {
        if (at.starts_with("\"\"\"") || at.starts_with("'''"))
            at.fail("a string of several lines stands as a key", "Write the key without quotes, or in single ones.");
        return one_line_string(at, newer);
    }
    std::size_t size = 0;
    const std::string_view rest = at.text();
    while (size < rest.size() && is_bare(rest[size])) ++size;
    if (size == 0)
        at.fail(at.ended() ? "a key is missing" : "no key: " + at.here(),
                "A key is of letters, digits, - and _, or stands in quotes; comments begin with #.");
    std::string name(rest.substr(0, size));
    at.skip(size);
    return name;
}

Toml::Value scalar(TomlCursor& at, const Newer& newer) {
    if (at.starts_with("\"\"\"") || at.starts_with("'''")) return long_string(at, newer);
    if (at.peek() == '"' || at.peek() == '\'') return one_line_string(at, newer);
    const std::string_view word = bare_word(at);
    std::optional<Toml::Value> value;
    if (word == "true" || word == "false")
        value = word == "true";
    else if (is_datetime(word, newer))
        value = Toml::Datetime{std::string(word)};
    else
        value = number(word);
    if (!value) no_value(at, word);
    at.skip(word.size());
    return std::move(*value);
}

}  // namespace eflow
