#pragma once

#include "shared/report.hpp"
#include "vm-agent/health/observations.hpp"
#include "vm-agent/health/verdict.hpp"

namespace eflow {

/// The glance at a device as a report: phase, findings, and in `data` because, next, observed_at (RFC 3339), identity,
/// provisioning, hub, services (state by name) and modules. What `status` prints and the watcher's status file holds.
Report summarize(const Observations& seen, const Verdict& verdict);

/// "2026-01-31T12:00:00Z"
std::string to_text(Instant instant);

}  // namespace eflow
