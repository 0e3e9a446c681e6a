#include <algorithm>
#include <array>
#include <string>

#include "vm-agent/config/judge.hpp"

namespace eflow {

namespace {

/// Words that make the value behind them a secret, wherever they stand: as a key, inside an inline table, inside a
/// connection string or a pkcs11 URI. Text alone is looked at, so that a file no parser accepts is safe to show too.
constexpr std::array<std::string_view, 10> secret_words{
    "connection_string", "symmetric_key", "device_id_pk", "password",    "passwd",
    "sharedaccesskey",   "pin-value",     "pin_value",    "endorsement", "access_key"};
/// Words that do so in a key alone: paths hold them too.
constexpr std::array<std::string_view, 2> secret_in_key{"secret", "token"};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool names_secret(std::string_view line) {
    std::string folded;
    std::transform(line.begin(), line.end(), std::back_inserter(folded), lower);
    const std::string_view key = std::string_view(folded).substr(0, folded.find('='));
    return std::any_of(secret_words.begin(), secret_words.end(),
                       [&](std::string_view word) { return folded.find(word) != std::string::npos; }) ||
           std::any_of(secret_in_key.begin(), secret_in_key.end(),
                       [&](std::string_view word) { return key.find(word) != std::string_view::npos; });
}

bool is_header(std::string_view line) {
    const auto first = line.find_first_not_of(" \t");
    return first != std::string_view::npos && line[first] == '[' && line.find('=') == std::string_view::npos;
}

/// The line with everything in quotes replaced; `multi_line` is the delimiter of a string that goes on behind its end.
std::string without_strings(std::string_view line, std::string& multi_line) {
    std::string out;
    std::size_t at = 0;
    if (!multi_line.empty()) {
        const auto end = line.find(multi_line);
        if (end == std::string_view::npos) return "***";
        out = "***" + multi_line;
        at = end + multi_line.size();
        multi_line.clear();
    }
    const auto equals = line.find('=', at);
    bool any = false;
    while (at < line.size()) {
        const char c = line[at];
        const bool in_value = equals != std::string_view::npos && at > equals;
        if ((c != '"' && c != '\'') || !in_value) {
            out += line[at++];
            continue;
        }
        any = true;
        const std::string triple(3, c);
        const bool several = line.substr(at, 3) == triple;
        const std::string delimiter = several ? triple : std::string(1, c);
        std::size_t end = at + delimiter.size();
        while (end < line.size() && line.substr(end, delimiter.size()) != delimiter)
            end += c == '"' && line[end] == '\\' ? 2 : 1;
        out += delimiter + "***";
        if (end >= line.size()) {
            if (several) multi_line = triple;
            return out;
        }
        out += delimiter;
        at = end + delimiter.size();
    }
    if (!any && equals != std::string_view::npos) return std::string(line.substr(0, equals + 1)) + " ***";
    return out;
}

}  // namespace

std::string redacted(std::string_view text) {
    std::string out;
    std::string multi_line;
    bool secret_table = false;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        if (multi_line.empty() && is_header(line)) secret_table = names_secret(line);
        const auto hash = line.find_first_not_of(" \t");
        const bool comment = hash != std::string_view::npos && line[hash] == '#';
        if (!multi_line.empty() || ((secret_table || names_secret(line)) && !is_header(line) &&
                                    (comment || line.find('=') != std::string_view::npos)))
            out += without_strings(line, multi_line);
        else
            out += line;
        if (end == std::string_view::npos) break;
        out += '\n';
        text.remove_prefix(end + 1);
    }
    return out;
}

}  // namespace eflow
