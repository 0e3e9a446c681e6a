#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace eflow {

/// Where `text` is not UTF-8 (RFC 3629) or holds a NUL; nothing when it is all text.
std::optional<std::size_t> first_bad_byte(std::string_view text);

/// The 1-based line of byte `offset`.
std::size_t line_of(std::string_view text, std::size_t offset);

}  // namespace eflow
