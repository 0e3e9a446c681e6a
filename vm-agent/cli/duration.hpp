#pragma once

#include <chrono>
#include <string_view>

namespace eflow {

/// Reads "90", "90s", "5min", "2h" (whole numbers; s, sec, m, min, h; no unit is seconds), at most a week.
/// Throws Failure(usage) naming `option` otherwise.
std::chrono::seconds parse_duration(std::string_view text, std::string_view option);

}  // namespace eflow
