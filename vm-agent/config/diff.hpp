#pragma once

#include <string>
#include <string_view>

namespace eflow {

/// Unified diff (3 lines of context) of two texts; empty when they are equal. Control characters of the texts are shown
/// as U+FFFD so that a hostile file cannot drive the terminal.
std::string unified_diff(std::string_view before, std::string_view after, std::string_view before_name,
                         std::string_view after_name);

}  // namespace eflow
