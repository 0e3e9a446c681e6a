#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <toml.hpp>

#include "shared/identity.hpp"

namespace eflow {

/// The parsed text, or the finding config.well-formed with the line and what upstream would do with it.
Judged<toml::value> parse_document(std::string_view text);

/// The value at `path`, or nullptr.
const toml::value* value_at(const toml::value& root, std::initializer_list<const char*> path);

/// The string at `path`, or nothing.
std::optional<std::string> text_at(const toml::value& root, std::initializer_list<const char*> path);

}  // namespace eflow
