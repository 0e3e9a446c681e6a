#pragma once

#include <string>

#include "vm-agent/health/observations.hpp"
#include "vm-agent/health/verdict.hpp"

namespace eflow {

/// What the watcher counts about itself.
struct WatchCounters {
    unsigned long unit_events = 0;
    unsigned long container_events = 0;
    unsigned long file_events = 0;
    unsigned long judgements = 0;
    unsigned long reconnects = 0;
};

enum class MetricsFormat {
    openmetrics,  ///< application/openmetrics-text; version=1.0.0: counters are families without _total, "# EOF" ends it
    prometheus,   ///< text/plain; version=0.0.4, which node_exporter's textfile collector and promtool read
};

/// The device in numbers: phase, checks, certificate expiry, unit and module states, restarts, disks, deployment status.
std::string to_metrics(const Observations& seen, const Verdict& verdict, const WatchCounters& counters,
                       MetricsFormat format);

}  // namespace eflow
