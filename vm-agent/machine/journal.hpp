#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "vm-agent/health/observations.hpp"

namespace eflow {

/// The last `count` lines of a unit's journal since `since`, oldest first, control characters replaced. Empty when
/// there is no journal or it may not be read: what a service said last helps, but nothing depends on it.
std::vector<std::string> last_lines(const std::string& unit, std::size_t count,
                                    std::chrono::system_clock::time_point since = {});

/// The last `count` entries of a unit, and of what systemd says of it, oldest first, each with its time (UTC), priority
/// and identifier in front, control characters replaced, a message cut at 16 KiB. Reading ends after `patience` with what
/// there is by then.
Sight<std::vector<std::string>> read_unit_journal(const std::string& unit, std::size_t count,
                                                  std::chrono::milliseconds patience);

/// One entry of the journal with fields of its own (names in capitals), at a syslog priority. False when there is no
/// journal to take it.
bool log_to_journal(int priority, const std::string& message,
                    const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace eflow
