#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "vm-agent/health/observations.hpp"

namespace eflow {

/// The journals of units as far as they say how things went, kept from look to look so that only new entries are read.
/// Of a service its own lines, of a socket what systemd says of it. Requests, answers that went well and frames without a
/// name are left out (health/records.hpp); what remains is without secrets and printable. Reading goes back over two
/// starts of the service, so that its last error is whole, or to one of the bounds.
class UnitJournals {
public:
    static constexpr std::size_t most_kept = 200;
    static constexpr std::size_t most_scanned = 4000;
    static constexpr std::chrono::milliseconds patience{200};

    /// The lines since `since`, oldest first. Empty when there is no journal or it may not be read: what a service said
    /// last helps, but nothing depends on it.
    const std::vector<std::string>& read(const std::string& unit, std::chrono::system_clock::time_point since = {});

private:
    struct Kept {
        std::vector<std::string> lines;
        std::vector<Stamp> times;  ///< of each
        std::string cursor;        ///< of the newest entry that was looked at
    };
    std::map<std::string, Kept> units_;
};

/// The same, for one look.
std::vector<std::string> last_lines(const std::string& unit, std::chrono::system_clock::time_point since = {});

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
