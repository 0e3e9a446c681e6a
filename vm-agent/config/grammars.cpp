#include "vm-agent/config/grammars.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

#include "shared/utf8.hpp"
#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/url.hpp"

namespace eflow {

namespace {

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Bytes of a blank at the start, as Rust's char::is_whitespace has them; 0 when there is none.
std::size_t blank_size(std::string_view text) {
    if (text.empty()) return 0;
    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) return 1;
    for (const std::string_view blank : {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9",
                                         "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"})
        if (text.starts_with(blank)) return blank.size();
    const bool spaces = text.size() > 2 && text.starts_with("\xe2\x80") && static_cast<unsigned char>(text[2]) <= 0x8a;
    return spaces ? 3 : 0;
}

void skip_blanks(std::string_view& text) {
    while (const std::size_t size = blank_size(text)) text.remove_prefix(size);
}

/// A whole number of a type as Rust parses it: a sign if the type has one, then digits alone.
template <class Number>
std::optional<Number> number(std::string_view text) {
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return std::nullopt;
    }
    Number out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return out;
}

struct Unit {
    std::string_view names;  ///< between blanks
    std::uint64_t nanoseconds;
    std::uint64_t seconds;
};
constexpr std::array units{
    Unit{" nanos nsec ns ", 1, 0},
    Unit{" usec us \xc2\xb5s ", 1000, 0},
    Unit{" millis msec ms ", 1000000, 0},
    Unit{" seconds second secs sec s ", 0, 1},
    Unit{" minutes minute min mins m ", 0, 60},
    Unit{" hours hour hr hrs h ", 0, 3600},
    Unit{" days day d ", 0, 86400},
    Unit{" weeks week wk wks w ", 0, 604800},
    Unit{" months month M ", 0, 2630016},
    Unit{" years year yr yrs y ", 0, 31557600},
};

bool multiplied(std::uint64_t a, std::uint64_t b, std::uint64_t& out) {
    return !__builtin_mul_overflow(a, b, &out);
}

struct Fraction {
    std::uint64_t numerator = 0;
    std::uint64_t denominator = 1;
};

/// A duration under way: humantime counts seconds and nanoseconds in 64 bits and refuses what overflows.
class Sum {
public:
    bool add(std::uint64_t size, const std::optional<Fraction>& part, std::string_view unit) {
        const auto* found = std::find_if(units.begin(), units.end(), [&](const Unit& one) {
            return !unit.empty() && one.names.find(" " + std::string(unit) + " ") != std::string_view::npos;
        });
        if (found == units.end()) return false;
        std::uint64_t whole = 0;
        if (!multiplied(size, found->seconds > 0 ? found->seconds : found->nanoseconds, whole)) return false;
        if (!(found->seconds > 0 ? carry(whole, 0) : carry(0, whole))) return false;
        return !part || fraction(*part, *found);
    }
    [[nodiscard]] unsigned long long beyond_days() const { return seconds_ % 86400 * 1000000000ULL + nanoseconds_; }

private:
    bool fraction(const Fraction& part, const Unit& unit) {
        // Seconds and minutes break into nanoseconds; what is longer into whole seconds only.
        const bool fine = unit.seconds == 0 || unit.seconds <= 60;
        if (unit.nanoseconds == 1) return false;
        std::uint64_t scale =
            fine ? (unit.seconds > 0 ? unit.seconds * 1000000000ULL : unit.nanoseconds) : unit.seconds;
        std::uint64_t whole = 0;
        if (!multiplied(part.numerator, scale, whole) || whole % part.denominator != 0) return false;
        whole /= part.denominator;
        return fine ? carry(0, whole) : carry(whole, 0);
    }
    bool carry(std::uint64_t seconds, std::uint64_t nanoseconds) {
        constexpr std::uint64_t second = 1000000000;
        if (__builtin_add_overflow(nanoseconds_, nanoseconds, &nanoseconds)) return false;
        if (__builtin_add_overflow(seconds, nanoseconds / second, &seconds)) return false;
        nanoseconds_ = nanoseconds % second;
        return !__builtin_add_overflow(seconds_, seconds, &seconds_);
    }

    std::uint64_t seconds_ = 0;
    std::uint64_t nanoseconds_ = 0;
};

/// The digits after a decimal point, blanks among them; stops at the unit's first letter.
std::optional<Fraction> fraction_of(std::string_view& text) {
    Fraction part;
    bool any = false;
    while (!text.empty()) {
        if (const std::size_t blank = blank_size(text)) {
            text.remove_prefix(blank);
            continue;
        }
        if (!is_digit(text[0])) break;
        any = true;
        const auto digit = static_cast<std::uint64_t>(text[0] - '0');
        if (!multiplied(part.denominator, 10, part.denominator) || !multiplied(part.numerator, 10, part.numerator) ||
            __builtin_add_overflow(part.numerator, digit, &part.numerator))
            return std::nullopt;
        text.remove_prefix(1);
    }
    if (!any) return std::nullopt;
    return part;
}

/// `key=value` with percent escapes; the value must be UTF-8.
bool is_pkcs11_uri(std::string_view text) {
    constexpr std::string_view scheme = "pkcs11:";
    if (!text.starts_with(scheme)) return false;
    text.remove_prefix(scheme.size());
    bool slot = false;
    bool token = false;
    const std::string_view path = text.substr(0, text.find('?'));
    const std::string_view query = path.size() < text.size() ? text.substr(path.size() + 1) : std::string_view();
    const auto each = [](std::string_view all, char between, const auto& use) {
        for (;;) {
            const std::string_view one = all.substr(0, all.find(between));
            const auto equals = one.find('=');
            const std::string value = equals == std::string_view::npos ? "" : percent_decoded(one.substr(equals + 1));
            if (!use(percent_decoded(one.substr(0, equals)), value)) return false;
            if (one.size() == all.size()) return true;
            all.remove_prefix(one.size() + 1);
        }
    };
    // A NUL is text to Rust.
    const auto is_utf8 = [](std::string value) {
        std::replace(value.begin(), value.end(), '\0', ' ');
        return !first_bad_byte(value);
    };
    const bool fits = each(path, ';', [&](const std::string& key, const std::string& value) {
        if (key != "object" && key != "token" && key != "slot-id") return true;
        if (key == "token") token = true;
        if (key == "slot-id") {
            slot = true;
            return number<std::uint64_t>(value).has_value();
        }
        return is_utf8(value);
    });
    return fits && (slot || token) && each(query, '&', [&](const std::string& key, const std::string& value) {
               return key != "pin-value" || is_utf8(value);
           });
}

}  // namespace

bool is_key_uri(std::string_view text) {
    if (text.starts_with("pkcs11:")) return is_pkcs11_uri(text);
    if (!text.starts_with("file:")) return false;
    const auto url = parse_url(text);
    return url && url->is_local_file();
}

bool is_renewal_policy(std::string_view text) {
    std::string_view unit;
    for (const std::string_view one : {"%", "min", "day"})
        if (text.ends_with(one)) unit = one;
    if (unit.empty()) return false;
    text.remove_suffix(unit.size());
    const auto size = number<std::int64_t>(text);
    return size && *size > 0 && (unit != "%" || *size < 100);
}

std::optional<unsigned long long> duration_beyond_days(std::string_view text) {
    Sum sum;
    skip_blanks(text);
    if (text.empty()) return std::nullopt;
    while (!text.empty()) {
        if (!is_digit(text[0])) return std::nullopt;
        std::uint64_t size = 0;
        std::optional<Fraction> part;
        while (!text.empty()) {
            if (const std::size_t blank = blank_size(text)) {
                text.remove_prefix(blank);
            } else if (is_digit(text[0])) {
                if (!multiplied(size, 10, size) ||
                    __builtin_add_overflow(size, static_cast<std::uint64_t>(text[0] - '0'), &size))
                    return std::nullopt;
                text.remove_prefix(1);
            } else {
                break;
            }
        }
        if (text.starts_with('.')) {
            text.remove_prefix(1);
            part = fraction_of(text);
            if (!part) return std::nullopt;
        }
        std::size_t letters = 0;
        while (letters < text.size() && (is_letter(text[letters]) || text.substr(letters).starts_with("\xc2\xb5")))
            letters += is_letter(text[letters]) ? 1 : 2;
        const std::string_view unit = text.substr(0, letters);
        text.remove_prefix(letters);
        if (!text.empty() && !is_digit(text[0]) && blank_size(text) == 0) return std::nullopt;
        if (!sum.add(size, part, unit)) return std::nullopt;
        skip_blanks(text);
    }
    return sum.beyond_days();
}

bool is_time_of_day(std::string_view text) {
    const auto take = [&](int most) {
        skip_blanks(text);
        int size = -1;
        for (int i = 0; i < 2 && !text.empty() && is_digit(text[0]); ++i) {
            size = std::max(size, 0) * 10 + text[0] - '0';
            text.remove_prefix(1);
        }
        return size >= 0 && size <= most;
    };
    if (!take(23) || !text.starts_with(':')) return false;
    text.remove_prefix(1);
    return take(59) && text.empty();
}

bool is_base64(std::string_view text) {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    if (padding > 0 && text.size() % 4 != 0) return false;
    text.remove_suffix(padding);
    const auto known = [&](char c) { return alphabet.find(c) != std::string_view::npos; };
    if (!std::all_of(text.begin(), text.end(), known) || text.size() % 4 == 1) return false;
    // The bits of the last character that no byte takes must be zero.
    const std::size_t unused = text.size() % 4 == 2 ? 15 : text.size() % 4 == 3 ? 3 : 0;
    return unused == 0 || (alphabet.find(text.back()) & unused) == 0;
}

std::optional<std::string> fault_of_connection_string(std::string_view text) {
    std::array<std::pair<std::string_view, std::optional<std::string_view>>, 3> parts{
        {{"HostName", {}}, {"DeviceId", {}}, {"SharedAccessKey", {}}}};
    while (true) {
        const std::string_view one = text.substr(0, text.find(';'));
        const auto equals = one.find('=');
        if (equals != std::string_view::npos)
            for (auto& [name, value] : parts)
                if (one.substr(0, equals) == name) value = one.substr(equals + 1);
        if (one.size() == text.size()) break;
        text.remove_prefix(one.size() + 1);
    }
    for (const auto& [name, value] : parts)
        if (!value) return "it lacks " + std::string(name);
    if (!is_base64(*parts[2].second)) return "its SharedAccessKey is no base64";
    return std::nullopt;
}

}  // namespace eflow
