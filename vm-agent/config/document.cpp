#include "vm-agent/config/document.hpp"

#include <cmath>
#include <limits>

namespace eflow {

namespace {

toml::value converted(const Toml& from);

toml::value number(std::uint64_t size) {
    // Nothing reads such a number; what compares texts sees that it is there.
    return toml::value(std::to_string(size));
}

struct Convert {
    toml::value operator()(const std::string& text) const { return toml::value(text); }
    toml::value operator()(std::int64_t size) const { return toml::value(size); }
    toml::value operator()(std::uint64_t size) const { return number(size); }
    toml::value operator()(const Toml::TooLarge&) const { return number(std::numeric_limits<std::uint64_t>::max()); }
    toml::value operator()(double size) const { return toml::value(size); }
    toml::value operator()(bool yes) const { return toml::value(yes); }
    toml::value operator()(const Toml::Datetime& date) const { return toml::value(date.text); }
    toml::value operator()(const Toml::Array& array) const {
        toml::array all;
        for (const auto& one : array) all.push_back(converted(one));
        return toml::value(std::move(all));
    }
    toml::value operator()(const std::unique_ptr<TomlTable>& table) const {
        toml::table all;
        for (const auto& entry : table->entries) all.emplace(entry.key, converted(entry.value));
        return toml::value(std::move(all));
    }
};

toml::value converted(const Toml& from) {
    return std::visit(Convert(), from.value());
}

}  // namespace

Judged<TomlText> read_document(std::string_view text) {
    auto read = read_toml(text);
    if (auto* fault = std::get_if<TomlFault>(&read)) {
        const std::string where = "line " + std::to_string(fault->line);
        // The shipped template's own line, without quotes.
        const bool word = fault->what.find("\"Dynamic\"") != std::string::npos ||
                          fault->what.find("\"AlwaysOnStartup\"") != std::string::npos ||
                          fault->what.find("\"OnErrorOnly\"") != std::string::npos;
        if (word)
            return failed("config.well-formed", "config.toml cannot be read as TOML",
                          where + ": the value of auto_reprovisioning_mode must stand in quotes",
                          "Write auto_reprovisioning_mode = \"Dynamic\" (the shipped template leaves out the quotes).");
        return failed("config.well-formed", "config.toml cannot be read as TOML", where + ": " + fault->what,
                      "Correct " + where + " of /etc/aziot/config.toml. " + fault->remedy);
    }
    return std::move(std::get<TomlText>(read));
}

Judged<toml::value> parse_document(std::string_view text) {
    auto read = read_document(text);
    if (auto* finding = std::get_if<Finding>(&read)) return std::move(*finding);
    return converted(std::get<TomlText>(read).root);
}

const toml::value* value_at(const toml::value& root, std::initializer_list<const char*> path) {
    const toml::value* at = &root;
    for (const char* key : path) {
        if (!at->is_table()) return nullptr;
        const auto& table = at->as_table();
        const auto found = table.find(key);
        if (found == table.end()) return nullptr;
        at = &found->second;
    }
    return at;
}

std::optional<std::string> text_at(const toml::value& root, std::initializer_list<const char*> path) {
    const toml::value* value = value_at(root, path);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->as_string());
}

std::optional<std::string> text_at(const Toml& root, std::initializer_list<std::string_view> path) {
    const Toml* value = root.find(path);
    if (value == nullptr || value->text() == nullptr) return std::nullopt;
    return *value->text();
}

}  // namespace eflow
