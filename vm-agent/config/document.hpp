#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <toml.hpp>

#include "shared/identity.hpp"
#include "shared/toml_reader.hpp"

namespace eflow {

/// The text as shared/toml_reader reads it, or the finding config.well-formed with the line, what is wrong there and
/// how it is written. toml11's own parser never sees a config.toml: it knows no TOML 1.1 and ends the program on some
/// texts.
Judged<TomlText> read_document(std::string_view text);

/// The same as toml11's value, without places.
Judged<toml::value> parse_document(std::string_view text);

/// The value at `path`, or nullptr.
const toml::value* value_at(const toml::value& root, std::initializer_list<const char*> path);

/// The string at `path`, or nothing.
std::optional<std::string> text_at(const toml::value& root, std::initializer_list<const char*> path);
std::optional<std::string> text_at(const Toml& root, std::initializer_list<std::string_view> path);

}  // namespace eflow
