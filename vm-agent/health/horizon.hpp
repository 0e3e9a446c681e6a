#pragma once

#include <optional>

#include "vm-agent/health/observations.hpp"

namespace eflow {

/// When the same observations would first be judged otherwise, for no other reason than that time has gone by: an
/// expiry threshold (30, 14, 7, 1, 0 days), a certificate that begins, the end of a grace or of a loop's window. Later
/// than `now`; nothing when only an event can change the verdict.
std::optional<Stamp> next_horizon(const Observations& seen);

/// The thresholds of expiry, in days; a watcher says each once.
inline constexpr std::array<int, 4> expiry_thresholds{30, 14, 7, 1};

/// When the first certificate of the identity expires: the leaf or one above it; nothing when none is seen.
std::optional<Instant> first_expiry(const Observations& seen);

/// The smallest threshold that the first certificate to expire has come below, 0 when it has expired; nothing while it
/// has more than 30 days, or none is seen.
std::optional<int> expiry_stage(const Observations& seen);

}  // namespace eflow
