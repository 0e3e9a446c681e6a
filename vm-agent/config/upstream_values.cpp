#include "vm-agent/config/upstream_values.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/grammars.hpp"
#include "vm-agent/config/url.hpp"

namespace eflow {

namespace {

bool text_fits(const std::string& text, const UpstreamType& type) {
    switch (type.form) {
        case Form::text: return true;
        case Form::c_text: return text.find('\0') == std::string::npos;
        case Form::url: return parse_url(text).has_value();
        case Form::file_url: {
            const auto url = parse_url(text);
            return url && url->is_local_file();
        }
        case Form::key_uri: return is_key_uri(text);
        case Form::policy: return is_renewal_policy(text);
        case Form::duration: return duration_beyond_days(text).has_value();
        case Form::days: return duration_beyond_days(text) == 0ULL;
        case Form::time_of_day: return is_time_of_day(text);
        case Form::base64: return is_base64(text);
        case Form::connection_string: return !fault_of_connection_string(text);
        case Form::watchdog_retries:
            return std::equal(text.begin(), text.end(), std::string_view("infinite").begin(),
                              std::string_view("infinite").end(),
                              [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
        default: return false;
    }
}

/// What a certificate's or key's URL must be for certd and keyd to open it, though apply takes any.
void advise_url(const std::string& text, const UpstreamType& type, const Place& place, Complaints& all) {
    if (type.name != "cert_url" && type.name != "key_url") return;
    const auto url = parse_url(text);
    if (!url || url->is_local_file() || (type.name == "key_url" && is_key_uri(text))) return;
    const bool two = url->scheme == "file";
    all.push_back({place.line, place.path,
                   two ? "names a host, \"" + url->host + "\", and no file: a file URL has three slashes"
                       : "is no file URL, and IoT Edge's services read nothing else",
                   two ? "Write file:/// and the absolute path." : "Put the file on this device and write file:///...",
                   false});
}

std::string remedy_for(const Toml& value, const UpstreamType& type, const Place& place) {
    const std::string key = place.path.substr(place.path.rfind('.') + 1);
    const std::string* text = value.text();
    const bool uri = type.form == Form::url || type.form == Form::key_uri || type.form == Form::file_url;
    if (text != nullptr && uri && text->starts_with('/')) return "Write " + key + " = \"" + file_uri(*text) + "\".";
    if (text != nullptr && (type.form == Form::boolean || type.form == Form::number))
        return "Write " + key + " without quotes, as " + std::string(type.expected) + ".";
    return "Write " + key + " as " + std::string(type.expected) + ".";
}

bool is_byte(const Toml& value) {
    return value.integer() != nullptr && *value.integer() > 0 && *value.integer() < 256;
}

}  // namespace

std::string quoted_list(std::string_view words) {
    std::string out;
    while (!words.empty()) {
        const auto word = next_word(words);
        const std::string one = "\"" + std::string(word.substr(0, word.find(':'))) + "\"";
        out += out.empty() ? one : (words.empty() ? " or " : ", ") + one;
    }
    return out;
}

Complaints wrong(const Toml& value, const UpstreamType& type, const Place& place, const std::string& why) {
    std::string what = "must be " + std::string(type.expected);
    const bool same_kind = value.text() != nullptr ? type.expected.find("text") == std::string_view::npos
                                                   : value.integer() != nullptr && type.form == Form::number;
    if (!why.empty())
        what += ": " + why;
    else if (value.text() == nullptr ? !same_kind : type.form == Form::boolean || type.form == Form::number)
        what += ", not " + std::string(value.kind());
    return {{place.line, place.path, std::move(what), remedy_for(value, type, place)}};
}

bool json_fits(const Toml& value) {
    if (const auto* array = value.array()) return std::all_of(array->begin(), array->end(), json_fits);
    if (const auto* table = value.table())
        return std::all_of(table->entries.begin(), table->entries.end(),
                           [](const TomlEntry& entry) { return json_fits(entry.value); });
    if (const auto* size = std::get_if<double>(&value.value())) return std::isfinite(*size);
    return !std::holds_alternative<Toml::TooLarge>(value.value());
}

Complaints judge_scalar(const Toml& value, const UpstreamType& type, const Place& place) {
    Complaints all;
    if (const auto* text = value.text(); text != nullptr && text_fits(*text, type)) {
        advise_url(*text, type, place, all);
        return all;
    }
    if (type.form == Form::boolean && value.boolean() != nullptr) return all;
    const auto* number = value.integer();
    if ((type.form == Form::number || type.form == Form::watchdog_retries) && number != nullptr &&
        *number >= type.least && *number <= type.most)
        return all;
    if (std::holds_alternative<std::uint64_t>(value.value()) && type.form == Form::number && type.least >= 0 &&
        type.most == INT64_MAX)
        return all;
    if (type.form == Form::c_text && value.array() != nullptr &&
        std::all_of(value.array()->begin(), value.array()->end(), is_byte))
        return all;
    if (type.form == Form::connection_string && value.text() != nullptr)
        return wrong(value, type, place, *fault_of_connection_string(*value.text()));
    return wrong(value, type, place);
}

Complaints judge_word(const Toml& value, const UpstreamType& type, const Place& place) {
    const auto* table = value.table();
    const bool alone = table != nullptr && table->entries.size() == 1;
    const auto* inner = alone ? &table->entries.front().value : nullptr;
    const bool empty = inner != nullptr && ((inner->table() != nullptr && inner->table()->entries.empty()) ||
                                            (inner->array() != nullptr && inner->array()->empty()));
    const std::string* name = value.text() != nullptr ? value.text() : empty ? &table->entries.front().key : nullptr;
    for (std::string_view words = type.list; name != nullptr && !words.empty();)
        if (next_word(words) == *name) return {};
    const std::string list = quoted_list(type.list);
    return {{place.line, place.path,
             "must be " + list + (value.text() == nullptr ? ", not " + std::string(value.kind()) : ""),
             "Write one of them, in this spelling and in quotes."}};
}

}  // namespace eflow
