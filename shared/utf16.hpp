#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace eflow {

/// UTF-16 as UTF-8, or nothing when a surrogate stands alone: what is no text is refused, not replaced.
std::optional<std::string> utf8_of(std::u16string_view text);

/// UTF-8 as UTF-16, or nothing when it is no UTF-8 (RFC 3629).
std::optional<std::u16string> utf16_of(std::string_view text);

}  // namespace eflow
