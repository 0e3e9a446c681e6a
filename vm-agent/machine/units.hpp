#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <systemd/sd-bus.h>

#include "vm-agent/health/seen.hpp"

namespace eflow {

/// The proxy variables (names ending in _proxy, any case) in the environments of services, by unit.
using UnitProxies = std::map<std::string, std::map<std::string, std::string>>;

/// What a PropertiesChanged of a unit says; absent is unchanged.
struct UnitChange {
    std::optional<std::string> active;
    std::optional<std::string> sub;
    std::optional<std::string> result;
    std::optional<std::uint64_t> changed;  ///< StateChangeTimestamp, microseconds since the epoch
    std::optional<unsigned> restarts;
    std::optional<int> exit_code;
    std::optional<int> exit_status;

    void apply_to(UnitSeen& unit) const;
};

/// The states of units and the proxies of services, asked in one batch over `bus`, which the caller keeps processing
/// until `done`. A unit that systemd does not know has LoadState not-found. Throws Failure(machine_lacks) when the bus
/// takes no call.
class UnitReading {
public:
    UnitReading(sd_bus* bus, const std::vector<std::string>& units);
    ~UnitReading();
    UnitReading(const UnitReading&) = delete;
    UnitReading& operator=(const UnitReading&) = delete;

    [[nodiscard]] bool done() const;
    /// What systemd tells of a unit while the reading is under way: its signals and replies come in their order, so the
    /// signal is newer than what has been answered, and older than what has not.
    void take(const std::string& unit, const UnitChange& change);
    [[nodiscard]] std::vector<UnitSeen> units() const;
    [[nodiscard]] UnitProxies proxies() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The same, waited for. Throws Failure(machine_lacks) when systemd does not answer in five seconds.
struct UnitsRead {
    std::vector<UnitSeen> units;
    UnitProxies proxies;
};
UnitsRead observe_units(sd_bus* bus, const std::vector<std::string>& units);

/// Reads the body of a PropertiesChanged (org.freedesktop.DBus.Properties); nothing when it says nothing of these.
std::optional<UnitChange> read_unit_change(sd_bus_message* message);

/// The object path of a unit, made of its name as systemd makes it; asking it loads the unit.
std::string unit_object(const std::string& unit);
/// The unit of an object path below systemd's; empty for another path.
std::string unit_of_object(const char* path);

}  // namespace eflow
