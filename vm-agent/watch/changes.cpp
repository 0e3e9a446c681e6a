#include "vm-agent/watch/changes.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace eflow {

namespace {

struct Standing {
    Severity severity = Severity::skipped;
    const Finding* finding = nullptr;
};

/// The worst of each id: "skipped" counts least, since it says nothing.
std::map<std::string, Standing> standings(const Findings& findings) {
    std::map<std::string, Standing> by_id;
    const auto rank = [](Severity severity) { return severity == Severity::skipped ? -1 : static_cast<int>(severity); };
    for (const auto& finding : findings) {
        Standing& standing = by_id[finding.id];
        if (standing.finding == nullptr || rank(finding.severity) > rank(standing.severity))
            standing = {finding.severity, &finding};
    }
    return by_id;
}

bool is_trouble(Severity severity) {
    return severity == Severity::warning || severity == Severity::failed;
}

/// What a finding says, in one line.
std::string words(const Finding& finding) {
    std::string text = finding.summary;
    if (!finding.detail.empty()) text += " (" + finding.detail.substr(0, finding.detail.find('\n')) + ")";
    return text;
}

/// Checks that only say more about another one: no line of their own.
bool is_companion(std::string_view id) {
    return id == "services.last-error";
}

}  // namespace

std::vector<HistoryEntry> changes_between(const Verdict& before, const Verdict& after, std::optional<int> stage_before,
                                          std::optional<int> stage_after, Stamp at) {
    std::vector<HistoryEntry> changes;
    if (before.phase != after.phase)
        changes.push_back({at, "phase", "phase", std::string(to_text(before.phase)), std::string(to_text(after.phase)),
                           after.because});
    const auto old = standings(before.findings);
    for (const auto& [id, now] : standings(after.findings)) {
        const auto found = old.find(id);
        const Severity was = found == old.end() ? Severity::skipped : found->second.severity;
        const bool threshold = id == "identity.expires-soon" && stage_after && stage_after != stage_before;
        if (was == now.severity && !threshold) continue;
        if (!is_trouble(was) && !is_trouble(now.severity)) continue;
        changes.push_back({at, "finding", id, std::string(to_text(was)), std::string(to_text(now.severity)),
                           words(*now.finding)});
    }
    const auto fresh = standings(after.findings);
    for (const auto& [id, was] : old)
        if (is_trouble(was.severity) && fresh.count(id) == 0)
            changes.push_back({at, "finding", id, std::string(to_text(was.severity)),
                               std::string(to_text(Severity::skipped)), "not judged any more"});
    return changes;
}

std::optional<LogLine> line_for(const std::vector<HistoryEntry>& changes, const Verdict& after) {
    if (changes.empty()) return std::nullopt;
    LogLine line;
    std::string told;
    std::string remedy;
    for (const auto& change : changes) {
        if (change.kind == "phase") {
            line.text = change.to + ": " + change.text;
            continue;
        }
        line.fields.emplace_back("EFLOW_FINDING", change.what);
        if (change.to == "failed") line.priority = std::min(line.priority, 3);
        if (change.to == "warning") line.priority = std::min(line.priority, 4);
        if (is_companion(change.what) && changes.size() > 1) continue;
        const bool worse = change.to == "failed" || change.to == "warning";
        // What can no longer be seen is not well for that.
        told += (told.empty() ? "" : "; ") + change.what +
                (worse               ? " " + change.to + ": "
                 : change.to == "ok" ? " is well again: "
                                     : " no longer " + change.from + ": ") +
                change.text;
        if (worse && remedy.empty())
            for (const auto& finding : after.findings)
                if (finding.id == change.what && is_trouble(finding.severity)) remedy = finding.remedy;
    }
    if (!told.empty()) line.text += (line.text.empty() ? "" : " | ") + told;
    line.fields.emplace_back("EFLOW_PHASE", to_text(after.phase));
    if (!remedy.empty()) line.fields.emplace_back("EFLOW_REMEDY", remedy);
    return line;
}

bool LogLimit::admits(const std::vector<HistoryEntry>& changes, Stamp now) {
    if (filled_ == Stamp{} || now < filled_) filled_ = now;
    tokens_ = std::min(capacity, tokens_ + std::chrono::duration<double>(now - filled_) / refill);
    filled_ = now;
    bool fresh = false;
    for (const auto& change : changes) {
        const auto told = told_.find(change.what);
        fresh = fresh || (change.kind == "finding" && (told == told_.end() || now - told->second > forgotten));
    }
    if (tokens_ < 1 && !fresh) {
        ++held_;
        return false;
    }
    tokens_ -= 1;
    for (const auto& change : changes) told_[change.what] = now;
    return true;
}

unsigned LogLimit::take_held() {
    const unsigned held = held_;
    held_ = 0;
    return held;
}

}  // namespace eflow
