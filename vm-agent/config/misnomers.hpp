#pragma once

#include <string>
#include <string_view>

#include "shared/toml_reader.hpp"

namespace eflow {

/// The name that people mean by `name`, from what is found in the field; "" when it is none of those.
std::string_view meant_by(std::string_view name);

/// The entry of `table` that is probably `name` misspelt: a known misnomer of it, or near to it; nullptr when there is
/// none. What upstream knows under its own name is not asked for here.
const TomlEntry* misnamed(const TomlTable& table, std::string_view name);

/// What is to be done about a name of IoT Edge 1.1's config.yaml, which has no effect any more; "" when it is none.
std::string_view instead_of_former(std::string_view name);

}  // namespace eflow
