#pragma once

#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

namespace eflow {

/// The document in `text`, which may come from anybody: an engine, a module, a file that others write. A discarded value
/// (`is_discarded()`) when it is not JSON, or nests deeper than `deepest`: what walks, copies or prints a document goes
/// into itself once a level, and a crafted one must not exhaust the stack. Nothing is allocated for a text that is too
/// deep. The size of `text` is the caller's to bound: a document takes up to some 40 times its bytes.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, std::size_t deepest = 64);

}  // namespace eflow
