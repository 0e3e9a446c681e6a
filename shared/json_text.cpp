#include "shared/json_text.hpp"

namespace eflow {

namespace {

/// Brackets outside strings, counted without parsing. For a text that is not JSON the answer may be either.
bool is_deeper_than(std::string_view text, std::size_t deepest) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        if ((c == '[' || c == '{') && ++depth > deepest) return true;
        if ((c == ']' || c == '}') && depth > 0) --depth;
    }
    return false;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, std::size_t deepest) {
    if (is_deeper_than(text, deepest)) return nlohmann::json(nlohmann::json::value_t::discarded);
    return nlohmann::json::parse(text, nullptr, false);
}

}  // namespace eflow
