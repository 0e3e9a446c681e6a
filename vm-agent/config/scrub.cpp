#include "vm-agent/config/scrub.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace eflow {

namespace {

constexpr std::string_view gone = "***";
constexpr std::size_t longest_key = 16 * 1024;  // a PEM block of RSA 16384 has 12.6 KiB
constexpr std::size_t long_run = 60;            // PEM's lines have 64
constexpr std::size_t shortest_key_line = 16;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}
bool is_base64(char c) {
    return is_alphanumeric(c) || c == '+' || c == '/' || c == '=';
}
bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

bool stands_at(std::string_view text, std::size_t at, std::string_view folded) {
    if (text.size() - at < folded.size()) return false;
    return std::equal(folded.begin(), folded.end(), text.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char want, char c) { return want == lower(c); });
}

/// The end of a line's last word that is nothing but base64; npos when the line does not end in one.
bool ends_in_base64(std::string_view line, std::size_t shortest) {
    while (!line.empty() && (is_blank(line.back()) || line.back() == '\r')) line.remove_suffix(1);
    std::size_t length = 0;
    while (length < line.size() && is_base64(line[line.size() - 1 - length])) ++length;
    return length >= shortest && (length == line.size() || is_blank(line[line.size() - 1 - length]));
}

/// "-----BEGIN … PRIVATE KEY-----" or the END of one at `at`: its length; 0 when there is none.
std::size_t key_mark(std::string_view text, std::size_t at, std::string_view word) {
    if (!stands_at(text, at, word)) return 0;
    constexpr std::string_view tail = "private key-----";
    constexpr std::size_t longest_label = 40;
    for (std::size_t i = at + word.size(); i < text.size() && i < at + word.size() + longest_label; ++i) {
        if (text[i] == '\n') return 0;
        if (stands_at(text, i, tail)) return i + tail.size() - at;
    }
    return 0;
}

/// The lines of a key whose first part fell off: taken off the end of what was already written.
void drop_key_lines_before(std::string& out) {
    std::size_t least = 1;  // the last line of a key may be short
    auto cut = out.rfind('\n');
    out.erase(cut == std::string::npos ? 0 : cut + 1);
    while (!out.empty()) {
        const std::string_view body = std::string_view(out).substr(0, out.size() - 1);
        cut = body.rfind('\n');
        const std::size_t start = cut == std::string_view::npos ? 0 : cut + 1;
        if (!ends_in_base64(body.substr(start), least)) return;
        out.erase(start);
        least = shortest_key_line;
    }
}

std::string without_private_keys(std::string_view text) {
    constexpr std::string_view begin = "-----begin ";
    constexpr std::string_view end = "-----end ";
    if (text.find("-----") == std::string_view::npos) return std::string(text);
    std::string out;
    std::size_t at = 0;
    while (at < text.size()) {
        if (text[at] != '-') {
            const auto next = std::min(text.find('-', at), text.size());
            out += text.substr(at, next - at);
            at = next;
            continue;
        }
        if (const std::size_t mark = key_mark(text, at, end)) {
            drop_key_lines_before(out);
            out += "[private key removed]";
            at += mark;
            continue;
        }
        const std::size_t mark = key_mark(text, at, begin);
        if (mark == 0) {
            out += text[at++];
            continue;
        }
        out += "[private key removed]";
        std::size_t stop = at + mark;
        std::size_t closing = 0;
        while (stop < text.size() && stop - at < longest_key && closing == 0) {
            closing = text[stop] == '-' ? key_mark(text, stop, end) : 0;
            if (closing == 0) ++stop;
        }
        if (closing > 0) {
            at = stop + closing;
            continue;
        }
        // Its end was cut off: the rest of this line goes, and every line after it that looks like a key's.
        at = std::min(text.find('\n', at), text.size());
        while (at < text.size()) {
            const auto next = std::min(text.find('\n', at + 1), text.size());
            const auto line = text.substr(std::min(at + 1, text.size()), next - std::min(at + 1, next));
            if (!ends_in_base64(line, shortest_key_line) && !(line.ends_with('=') && ends_in_base64(line, 2))) break;
            at = next;
        }
    }
    return out;
}

/// Names behind which a secret stands, after an equals sign or a colon.
constexpr std::array<std::string_view, 32> names{"sharedaccesskey",
                                                 "accountkey",
                                                 "password",
                                                 "passwd",
                                                 "passphrase",
                                                 "pwd",
                                                 "client_secret",
                                                 "clientsecret",
                                                 "secret",
                                                 "api_key",
                                                 "apikey",
                                                 "api-key",
                                                 "access_key",
                                                 "accesskey",
                                                 "secret_key",
                                                 "secretkey",
                                                 "access_token",
                                                 "refresh_token",
                                                 "id_token",
                                                 "token",
                                                 "pin-value",
                                                 "pin_value",
                                                 "symmetric_key",
                                                 "symmetrickey",
                                                 "primarykey",
                                                 "secondarykey",
                                                 "sig",
                                                 "connectionstring",
                                                 "connection_string",
                                                 "sas_token",
                                                 "sastoken",
                                                 "privatekey"};
/// Headers whose whole value is one.
constexpr std::array<std::string_view, 2> headers{"authorization", "cookie"};

/// A quotation mark, as it stands or escaped in JSON: its length.
std::size_t quote_at(std::string_view text, std::size_t at) {
    if (at < text.size() && (text[at] == '"' || text[at] == '\'')) return 1;
    if (at + 1 < text.size() && text[at] == '\\' && (text[at + 1] == '"' || text[at + 1] == '\'')) return 2;
    return 0;
}

/// Where the value behind a name begins and ends; empty when none stands there.
struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
};

std::size_t end_of_line(std::string_view text, std::size_t at) {
    return std::min(text.find('\n', at), text.size());
}

Span value_behind(std::string_view text, std::size_t at) {
    at += quote_at(text, at);
    const auto skip_blanks = [&] {
        while (at < text.size() && is_blank(text[at])) ++at;
    };
    skip_blanks();
    if (at < text.size() && (text[at] == '=' || text[at] == ':'))
        ++at;
    else if (stands_at(text, std::min(at, text.size()), "%3d"))
        at += 3;
    else
        return {};
    skip_blanks();
    const std::size_t quote = quote_at(text, at);
    if (quote > 0) {
        const std::string_view mark = text.substr(at, quote);
        at += quote;
        std::size_t end = at;
        const std::size_t last = end_of_line(text, at);
        while (end < last && text.substr(end, quote) != mark) end += quote == 1 && text[end] == '\\' ? 2 : 1;
        return {at, std::min(end, last)};
    }
    constexpr std::string_view delimiters = " \t\r\n;&,\"'<>()[]{}";
    const auto end = std::min(text.find_first_of(delimiters, at), text.size());
    return {at, end};
}

/// "authorization: Scheme value", to the end of the line or of the quotation.
Span header_behind(std::string_view text, std::size_t at) {
    at += quote_at(text, at);
    while (at < text.size() && is_blank(text[at])) ++at;
    if (at >= text.size() || (text[at] != ':' && text[at] != '=')) return {};
    ++at;
    while (at < text.size() && is_blank(text[at])) ++at;
    at += quote_at(text, at);
    return {at, std::min(text.find_first_of("\"'\\\r\n<>", at), text.size())};
}

/// User and password of a URL whose "://" ends at `at`.
Span user_of_url(std::string_view text, std::size_t at) {
    const auto end = std::min(text.find_first_of("/ \t\r\n\"'<>?#\\", at), text.size());
    const auto sign = text.substr(at, end - at).rfind('@');
    return sign == std::string_view::npos ? Span{} : Span{at, at + sign};
}

/// A run of base64 too long for a word, in both cases and with digits: the middle of a key or of a token.
Span base64_run(std::string_view text, std::size_t at) {
    std::size_t end = at;
    bool small = false;
    bool large = false;
    bool digit = false;
    for (; end < text.size() && is_base64(text[end]); ++end) {
        small = small || (text[end] >= 'a' && text[end] <= 'z');
        large = large || (text[end] >= 'A' && text[end] <= 'Z');
        digit = digit || (text[end] >= '0' && text[end] <= '9');
    }
    return end - at >= long_run && small && large && digit ? Span{at, end} : Span{at, at};
}

Span secret_at(std::string_view text, std::size_t at, std::size_t& run_end) {
    const char c = lower(text[at]);
    if (c != ':' && !is_base64(c)) return {};
    const bool word_begins = at == 0 || !is_alphanumeric(text[at - 1]);
    if (c == ':' && stands_at(text, at, "://")) return user_of_url(text, at + 3);
    for (const auto header : headers)
        if (c == header.front() && stands_at(text, at, header)) {
            const Span found = header_behind(text, at + header.size());
            if (found.end > found.begin) return found;
        }
    if (c == 'b' && word_begins && stands_at(text, at, "bearer ")) {
        const auto end = std::min(text.find_first_of(" \t\r\n\"'<>,;", at + 7), text.size());
        if (end - at - 7 >= long_run / 3) return {at + 7, end};
    }
    constexpr std::string_view first_letters = "spcatir";
    for (const auto name : names) {
        if (first_letters.find(c) == std::string_view::npos) break;
        if (c != name.front() || !stands_at(text, at, name)) continue;
        if (name == "sig" && !word_begins) continue;
        const Span found = value_behind(text, at + name.size());
        if (found.end > found.begin) return found;
    }
    if (at >= run_end && is_base64(text[at])) {
        const Span run = base64_run(text, at);
        run_end = at + 1;
        while (run_end < text.size() && is_base64(text[run_end])) ++run_end;
        if (run.end > run.begin) return run;
    }
    return {};
}

/// A short secret is one only as a word of its own: "edge" within "edgeHub" is none.
bool stands_alone(std::string_view text, std::size_t at, std::size_t length) {
    constexpr std::size_t short_word = 8;
    if (length >= short_word) return true;
    const bool before = at > 0 && is_alphanumeric(text[at - 1]);
    const bool after = at + length < text.size() && is_alphanumeric(text[at + length]);
    return !before && !after;
}

std::string percent_encoded(std::string_view text, bool capitals) {
    std::string out;
    for (const char c : text) {
        if (is_alphanumeric(c) || c == '-' || c == '_' || c == '.' || c == '~') {
            out += c;
            continue;
        }
        std::array<char, 4> escape{};
        std::snprintf(escape.data(), escape.size(), capitals ? "%%%02X" : "%%%02x",
                      static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += escape.data();
    }
    return out;
}

std::string html_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += c;
        }
    }
    return out;
}

}  // namespace

std::string without_secret_forms(std::string_view text, std::vector<std::string>* found) {
    const std::string keyless = without_private_keys(text);
    const std::string_view rest = keyless;
    std::string out;
    out.reserve(rest.size());
    std::size_t run_end = 0;
    std::size_t at = 0;
    std::size_t copied = 0;
    while (at < rest.size()) {
        const Span secret = secret_at(rest, at, run_end);
        if (secret.end <= secret.begin) {
            ++at;
            continue;
        }
        const auto value = rest.substr(secret.begin, secret.end - secret.begin);
        out.append(rest.substr(copied, secret.begin - copied)).append(gone);
        copied = secret.end;
        if (found != nullptr && value.find_first_not_of('*') != std::string_view::npos) {
            found->emplace_back(value);
            // Of a URL's user and password the password alone may stand elsewhere.
            if (const auto colon = value.find(':'); rest[at] == ':' && colon != std::string_view::npos)
                found->emplace_back(value.substr(colon + 1));
        }
        at = secret.end;
    }
    return out.append(rest.substr(copied));
}

void Scrubber::spare(std::string_view text) {
    if (!text.empty()) spared_.emplace(text);
}

void Scrubber::add(std::string spelling) {
    if (spelling.size() < shortest || spelling.find_first_not_of('*') == std::string::npos) return;
    auto& same = known_[spelling.substr(0, shortest)];
    const auto longer_first = [](const std::string& one, const std::string& other) {
        return one.size() != other.size() ? one.size() > other.size() : one < other;
    };
    const auto place = std::lower_bound(same.begin(), same.end(), spelling, longer_first);
    if (place == same.end() || *place != spelling) same.insert(place, std::move(spelling));
}

void Scrubber::know(std::string_view secret) {
    if (secret.size() < shortest || spared_.count(std::string(secret)) > 0) return;
    if (told_ == most) {
        full_ = true;
        return;
    }
    ++told_;
    std::vector<std::string_view> parts{secret};
    for (std::string_view rest = secret; rest.find('\n') != std::string_view::npos;) {
        const auto line = rest.substr(0, rest.find('\n'));
        if (line.size() >= 2 * shortest) parts.push_back(line);
        rest.remove_prefix(line.size() + 1);
        if (rest.find('\n') == std::string_view::npos && rest.size() >= 2 * shortest) parts.push_back(rest);
    }
    for (const auto part : parts) {
        if (part.size() < shortest) continue;
        add(std::string(part));
        add(html_escaped(part));
        add(percent_encoded(part, true));
        add(percent_encoded(part, false));
        const auto json = nlohmann::json(part).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        add(json.substr(1, json.size() - 2));
        add(html_escaped(json.substr(1, json.size() - 2)));
    }
}

std::string Scrubber::without_known(std::string_view text) const {
    std::string out;
    out.reserve(text.size());
    std::string head(shortest, '\0');
    std::array<bool, 256> begins{};
    for (const auto& [start, spellings] : known_) begins[static_cast<unsigned char>(start.front())] = true;
    std::size_t at = 0;
    std::size_t copied = 0;
    while (at < text.size()) {
        std::size_t length = 0;
        if (begins[static_cast<unsigned char>(text[at])] && text.size() - at >= shortest) {
            head.assign(text.substr(at, shortest));
            if (const auto found = known_.find(head); found != known_.end())
                for (const auto& spelling : found->second)
                    if (length == 0 && text.substr(at, spelling.size()) == spelling &&
                        stands_alone(text, at, spelling.size()))
                        length = spelling.size();
        }
        if (length == 0) {
            ++at;
            continue;
        }
        out.append(text.substr(copied, at - copied)).append(gone);
        at += length;
        copied = at;
    }
    return out.append(text.substr(copied));
}

std::string Scrubber::clean(std::string_view text) const {
    return without_secret_forms(known_.empty() ? std::string(text) : without_known(text));
}

}  // namespace eflow
