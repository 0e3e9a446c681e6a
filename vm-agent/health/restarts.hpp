#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "vm-agent/health/observations.hpp"

namespace eflow {

/// How something that has ended unasked, again and again, stands now.
struct Restarts {
    std::size_t ends = 0;          ///< in the window, as the watcher remembers them; else systemd's or docker's count
    bool remembered = false;       ///< `ends` are the watcher's
    bool looping = false;          ///< and it is not over: it is down, or has not yet run longer than between its ends
    std::optional<Stamp> since{};  ///< it has run since then
    std::optional<Stamp> steady{};  ///< from then on the loop is over, if it keeps running
};

/// Of a service. systemd counts restarts (NRestarts) over a stop as well, and sets them back only when a service is
/// started that was not waiting to be restarted (systemd core/service.c, flush_n_restarts): the count alone tells nothing
/// of now. A loop is over when the service has run longer than it ever did between its ends, or has done since its start
/// what it is there for: edgeAgent has reached the hub after it, which needs all of them; identityd has settled with hub
/// and DPS.
[[nodiscard]] Restarts restarts_of(const Observations& seen, const UnitSeen& unit);

/// Of a module: by the watcher's memory, and by docker's count where docker restarts it.
[[nodiscard]] Restarts restarts_of(const Observations& seen, const ContainerSeen& module);

}  // namespace eflow
