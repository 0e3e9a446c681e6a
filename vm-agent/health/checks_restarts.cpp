#include <algorithm>

#include "vm-agent/health/check.hpp"
#include "vm-agent/health/restarts.hpp"
#include "vm-agent/health/summary.hpp"

namespace eflow {

namespace {

constexpr unsigned many_restarts = 3;
/// What runs longer than this between two ends of a loop whose pace is not known is taken to be past it.
constexpr std::chrono::seconds unknown_pace = grace;
constexpr std::chrono::seconds shortest_pace{10};

/// The longest that it ran between two ends which the watcher remembers.
std::chrono::microseconds pace_of(const std::vector<Stamp>& ends) {
    if (ends.size() < 2) return unknown_pace;
    std::chrono::microseconds longest = shortest_pace;
    for (std::size_t i = 1; i < ends.size(); ++i) longest = std::max(longest, ends[i] - ends[i - 1]);
    return longest;
}

/// Its ends in the window, and how it stands after them. `runs` since `began`, and `counted` by its keeper.
Restarts weigh(const Observations& seen, std::string_view name, bool runs, Stamp began, std::size_t counted) {
    Restarts restarts;
    std::vector<Stamp> ends;
    const Stamp now(seen.now);
    if (const auto found = seen.memory.ends.find(std::string(name)); found != seen.memory.ends.end())
        std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(ends),
                     [&](Stamp end) { return end > now - Memory::window && end <= now; });
    restarts.remembered = ends.size() >= Memory::loop;
    restarts.ends = restarts.remembered ? ends.size() : counted;
    const bool lately = restarts.remembered || (counted >= many_restarts && is_lately(seen, began, Memory::window));
    if (!lately) return restarts;
    restarts.looping = true;
    if (!runs) return restarts;
    restarts.since = ends.empty() ? began : std::max(began, ends.back());
    restarts.steady = *restarts.since + (restarts.remembered ? pace_of(ends) : std::chrono::microseconds(unknown_pace));
    restarts.looping = now <= *restarts.steady;
    return restarts;
}

/// What ended identityd last was a cloud that could not be had; as long as that held, it was no loop (judge_restarts).
bool ended_for_the_cloud(const std::vector<std::string>& lines) {
    const auto last = last_error("aziot-identityd.service", lines);
    return last && last->is_of_cloud() && last->consequence() == Consequence::tries_again;
}

/// identityd's last word in its journal is that it has settled with the hub (aziot-identityd lib.rs:618).
bool has_settled(const std::vector<std::string>& lines) {
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        if (line->find("Identity reconciliation complete") != std::string::npos) return true;
        if (line->find("service encountered an error") != std::string::npos) return false;
        if (line->find("Starting service") != std::string::npos) return false;
    }
    return false;
}

}  // namespace

Restarts restarts_of(const Observations& seen, const UnitSeen& unit) {
    const bool waits = unit.active == "failed" || unit.active == "activating" || unit.active == "deactivating";
    Restarts restarts = weigh(seen, unit.name, !waits, unit.changed, unit.restarts);
    if (!restarts.since) return restarts;
    static const std::vector<std::string> none;
    const auto journal = seen.journals.find(unit.name);
    const auto& lines = journal == seen.journals.end() ? none : journal->second;
    const bool is_down = unit.active != "active";  // stopped: what does not run does not loop
    const bool settled = unit.name == "aziot-identityd.service" &&
                         (has_settled(lines) || ended_for_the_cloud(lines));
    if (is_down || settled) restarts.looping = false;
    return restarts;
}

Restarts restarts_of(const Observations& seen, const ContainerSeen& module) {
    const bool runs = module.state == "running";
    const Stamp began = module.detail ? module.detail->started : Stamp{};
    Restarts restarts = weigh(seen, module.name, runs, began, module.detail ? module.detail->restart_count : 0);
    if (module.state == "restarting") restarts.looping = true;
    return restarts;
}

Finding judge_restarts(const Observations& seen, const Reasons& reasons) {
    constexpr auto id = "services.restarts";
    std::string looping;
    std::string over;
    std::string remedy;
    for (const auto& unit : *seen.units.value) {
        if (unit.name == "aziot-identityd.service" && reasons.tries_again()) continue;
        const Restarts restarts = restarts_of(seen, unit);
        if (restarts.looping) {
            looping += (looping.empty() ? "" : "\n") + unit.name + ": " +
                       (restarts.remembered ? std::to_string(restarts.ends) + " times in ten minutes"
                                            : std::to_string(restarts.ends) + " times, as systemd counts");
            remedy += (remedy.empty() ? "Read what it says before it ends: " : "; ") + std::string("journalctl -u ") +
                      unit.name + " -n 100";
        } else if (restarts.since) {
            over += (over.empty() ? "" : "\n") + unit.name + ": " +
                    (unit.active == "active" ? "recovered at " : "at rest since ") +
                    to_text(std::chrono::floor<std::chrono::seconds>(*restarts.since)) + " after " +
                    std::to_string(restarts.ends) + " ends";
        }
    }
    if (looping.empty()) return ok(id, "No service is restarted again and again", over);
    return failed(id, "A service ends and is restarted, again and again", looping, remedy);
}

}  // namespace eflow
