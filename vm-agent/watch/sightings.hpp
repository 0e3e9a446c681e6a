#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "vm-agent/health/observations.hpp"
#include "vm-agent/machine/containers.hpp"
#include "vm-agent/machine/units.hpp"
#include "vm-agent/watch/history.hpp"

namespace eflow {

/// What an event asks of who follows the device.
struct Effect {
    bool judge = false;     ///< something is not as it was
    bool remember = false;  ///< the memory has changed
    bool logs = false;      ///< a service ended, so its last words are worth reading

    Effect& operator|=(const Effect& other);
};

/// The observations of a device, event by event: units and containers as their sources tell of them. What changes state is
/// put down for the history, each change, and an end that nobody asked for goes into the memory. No loop, no clock of its
/// own: `now` tells the time.
class Sightings {
public:
    explicit Sightings(std::function<Stamp()> now) : now_(std::move(now)) {}

    [[nodiscard]] Observations& seen() noexcept { return seen_; }
    [[nodiscard]] const Observations& seen() const noexcept { return seen_; }

    Effect take_units(std::vector<UnitSeen> units, UnitProxies proxies);
    Effect take_unit_change(const std::string& name, const UnitChange& change);
    Effect lose_units(const std::string& why);

    Effect take_containers(std::vector<ContainerSeen> containers);
    Effect take_container_event(const ContainerEvent& event);
    Effect take_inspection(const ContainerSeen& container);
    Effect lose_containers(const std::string& why);

    /// The last lines of edgeAgent's log, in its order, which come again with each connection: what stands after the line
    /// that is known, or all where that is not among them; the last alone where nothing is known yet. Their times do not
    /// tell: the clock may have been set.
    Effect take_agent_tail(const std::vector<LoggedLine>& lines);
    /// A line of it as it is written.
    Effect take_agent_line(const LoggedLine& line);
    /// Its log cannot be read, for this reason.
    Effect take_agent_unheard(const std::string& why);
    /// What identityd has written down of the device; another device, or none, has not run edgeHub before.
    Effect take_device(Sight<std::optional<DeviceInfo>> device);

    void note(HistoryEntry entry) { noted_.push_back(std::move(entry)); }
    /// What was put down since the last time.
    std::vector<HistoryEntry> take_noted();
    /// The engine has answered once.
    [[nodiscard]] bool had_containers() const noexcept { return had_containers_; }
    /// How often a source was lost and found again.
    [[nodiscard]] unsigned long reconnects() const noexcept { return reconnects_; }

private:
    Effect note_unit(const UnitSeen& before, const UnitSeen& unit);
    void note_container(const std::string& name, const std::string& from, const std::string& to, const std::string& text);
    void note_source(const char* source, const char* to, const std::string& text);
    Effect apply(const ContainerEvent& event, ContainerSeen& one);
    Effect hear_agent(const LoggedLine& line);
    void note_deployment();

    std::function<Stamp()> now_;
    Observations seen_;
    std::vector<UnitSeen> lost_units_;            ///< as they were when systemd was lost, to tell what changed meanwhile
    std::vector<ContainerSeen> lost_containers_;  ///< likewise
    bool had_units_ = false;
    bool had_containers_ = false;
    std::map<std::string, Stamp> killed_;  ///< containers that somebody asked to end, by ID
    std::vector<HistoryEntry> noted_;
    std::pair<int, std::int64_t> told_deployment_{-1, 0};  ///< code and number that the history was given last
    std::vector<Stamp> deployments_told_;                  ///< when, of late
    unsigned long reconnects_ = 0;
};

}  // namespace eflow
