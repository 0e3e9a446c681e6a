#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace eflow {

/// What makes `text` unfit for a TOML parser before it is given to one: not UTF-8, a NUL, or nesting deep enough to
/// exhaust a recursive parser's stack. Names the line. Nothing when it is fit.
std::optional<std::string> toml_hazard(std::string_view text);

/// Where `text` is not UTF-8 (RFC 3629) or holds a NUL; nothing when it is all text.
std::optional<std::size_t> first_bad_byte(std::string_view text);

/// The 1-based line of byte `offset`.
std::size_t line_of(std::string_view text, std::size_t offset);

}  // namespace eflow
