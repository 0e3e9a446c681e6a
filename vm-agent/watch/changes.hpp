#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vm-agent/health/verdict.hpp"
#include "vm-agent/watch/history.hpp"

namespace eflow {

/// What has changed between two judgements, as lines of the history: the phase, and every check that has gone to or from
/// a warning or a failure. A finding that only words itself anew is no change. `stage` is the expiry threshold passed.
std::vector<HistoryEntry> changes_between(const Verdict& before, const Verdict& after, std::optional<int> stage_before,
                                          std::optional<int> stage_after, Stamp at);

/// One line for the journal, with its structured fields.
struct LogLine {
    int priority = 6;  ///< syslog: 3 error, 4 warning, 6 informational
    std::string text;
    std::vector<std::pair<std::string, std::string>> fields;  ///< EFLOW_PHASE, EFLOW_FINDING (one each), EFLOW_REMEDY
};

/// Says a set of changes in one line. Nothing for an empty one.
std::optional<LogLine> line_for(const std::vector<HistoryEntry>& changes, const Verdict& after);

/// Keeps a device that fails over and over from filling the journal: three lines at once, then one each twenty seconds;
/// a check that has not been told of for an hour is told at once. What is held back is in the history.
class LogLimit {
public:
    /// Whether a line on these changes may go out at `now`; counts it when it may.
    bool admits(const std::vector<HistoryEntry>& changes, Stamp now);
    /// How many lines were held back since the last that went out.
    unsigned take_held();

private:
    static constexpr double capacity = 3;
    static constexpr std::chrono::seconds refill{20};
    static constexpr std::chrono::hours forgotten{1};
    double tokens_ = capacity;
    Stamp filled_{};
    std::map<std::string, Stamp> told_;
    unsigned held_ = 0;
};

}  // namespace eflow
