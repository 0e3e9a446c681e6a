#pragma once

#include <map>
#include <string>
#include <vector>

#include <systemd/sd-bus.h>

#include "vm-agent/health/seen.hpp"

namespace eflow {

/// The states of units, asked in one batch. Throws Failure(machine_lacks) when systemd does not answer in five seconds.
std::vector<UnitSeen> observe_units(sd_bus* bus, const std::vector<std::string>& units);
std::vector<UnitSeen> observe_units(const std::vector<std::string>& units, const std::string& bus_address);

/// The proxy variables (names ending in _proxy, any case) in the environments of services.
std::map<std::string, std::map<std::string, std::string>> observe_proxies(sd_bus* bus,
                                                                          const std::vector<std::string>& units);

/// The object path of a unit, made of its name as systemd makes it; asking it loads the unit.
std::string unit_object(const std::string& unit);
/// The unit of an object path below systemd's; empty for another path.
std::string unit_of_object(const char* path);

}  // namespace eflow
