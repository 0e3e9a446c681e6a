#pragma once

#include <optional>
#include <string>

#include "vm-agent/health/observations.hpp"
#include "vm-agent/machine/journal.hpp"
#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// Where the services and containers are asked; the defaults are a live machine's.
struct ObservationPoints {
    std::string bus_address;
    std::string docker_socket;  ///< instead of the one that config.toml names
};

/// The socket at which the engine is asked.
std::string engine_socket(const Observations& seen, const ObservationPoints& points);

/// Everything that can be seen of the machine in `tree` at `now`. Nothing that cannot be seen is an error: it is a
/// reason.
Observations observe(const Tree& tree, Instant now, const ObservationPoints& points = {});

/// The part that lies in files: config.toml, the identity, owners and modes, what was applied, daemon.json, disks.
void observe_files(const Tree& tree, Observations& seen);

/// The paths whose file systems may not fill up.
std::vector<std::string> disks_watched();

/// What a watcher has remembered; nothing when there is none, or it is unreadable.
std::optional<Memory> observe_memory(const Tree& tree, const std::string& path);

/// The units that are looked at: the services, their sockets, the container engine.
std::vector<std::string> watched_units();

/// Why the engine is not to be asked: its service does not run. A connection to its socket would make systemd start it
/// (docker.socket), and looking must change nothing.
std::optional<std::string> why_engine_rests(const Observations& seen);

/// What the services say of how things went: identityd always, and, while the device is not up, those that keep their
/// reasons from their clients, those that are not well, and systemd on sockets that do not listen. The rest of `seen` is
/// there already.
void observe_logs(Observations& seen, UnitJournals& journals);

/// What identityd wrote down of its registration.
Sight<std::optional<DeviceInfo>> observe_device_info(const Tree& tree);

}  // namespace eflow
