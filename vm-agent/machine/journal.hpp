#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace eflow {

/// The last `count` lines of a unit's journal since `since`, oldest first, control characters replaced. Empty when
/// there is no journal or it may not be read: what a service said last helps, but nothing depends on it.
std::vector<std::string> last_lines(const std::string& unit, std::size_t count,
                                    std::chrono::system_clock::time_point since = {});

}  // namespace eflow
