#include "vm-agent/config/document.hpp"

#include <sstream>

#include "shared/toml_guard.hpp"

namespace eflow {

namespace {

Finding broken(const std::string& why, std::string remedy) {
    return failed("config.well-formed", "config.toml cannot be read as TOML", why, std::move(remedy));
}

/// toml11's text without its drawing: the first line of it.
std::string first_line(std::string_view text) {
    constexpr std::string_view mark = "[error] ";
    if (text.starts_with(mark)) text.remove_prefix(mark.size());
    return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

Judged<toml::value> parse_document(std::string_view text) {
    constexpr auto remedy = "Mend that line of /etc/aziot/config.toml; iotedge config apply refuses the file as it is.";
    if (const auto hazard = toml_hazard(text)) return broken(*hazard, remedy);
    try {
        std::istringstream stream{std::string(text)};
        return toml::parse(stream, "config.toml");
    } catch (const toml::exception& error) {
        const std::size_t line = error.location().line();
        std::istringstream lines{std::string(text)};
        std::string shown;
        for (std::size_t i = 0; i < line && std::getline(lines, shown);) ++i;
        if (shown.find("auto_reprovisioning_mode") != std::string::npos)
            return broken(
                "line " + std::to_string(line) + ": the value of auto_reprovisioning_mode must stand in quotes",
                "Write auto_reprovisioning_mode = \"Dynamic\" (the shipped template leaves out the quotes).");
        return broken("line " + std::to_string(line) + ": " + first_line(error.what()), remedy);
    } catch (const std::exception& error) {
        return broken(first_line(error.what()), remedy);
    }
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

}  // namespace eflow
