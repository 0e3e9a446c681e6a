#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "vm-agent/health/seen.hpp"

namespace eflow {

/// How a unit came up.
struct UnitStart {
    std::string job;  ///< the job's result as systemd says it: done, failed, timeout, …; "" when none came in time
    UnitSeen seen;
    std::string program;                  ///< what its main process runs, as the kernel says; empty when there is none
    std::vector<std::string> last_lines;  ///< of its journal, when it did not come up

    [[nodiscard]] bool ok() const { return job == "done" && seen.active == "active"; }
};

/// systemd reads its unit files anew. Throws Failure(machine_lacks).
void reload_units(const std::string& bus_address = {});
/// Restarts (or starts) a unit and waits for the end of its job, which for a unit of Type=notify is its READY=1.
/// Throws Failure(machine_lacks) when systemd will not even try.
UnitStart restart_unit(const std::string& unit, std::chrono::seconds timeout, const std::string& bus_address = {});
/// How a unit stands, without touching it.
UnitStart look_at_unit(const std::string& unit, const std::string& bus_address = {});
/// Stops a unit, waits until it has stopped, and lets systemd forget that it ever failed. That it is not there is fine.
void stop_unit(const std::string& unit, std::chrono::seconds timeout, const std::string& bus_address = {});

}  // namespace eflow
