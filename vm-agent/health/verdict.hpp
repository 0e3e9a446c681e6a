#pragma once

#include <optional>
#include <string>

#include "shared/finding.hpp"
#include "shared/report.hpp"
#include "vm-agent/health/causes.hpp"
#include "vm-agent/health/observations.hpp"

namespace eflow {

/// What the observations mean: the phase, why, and what is expected next. The phase never contradicts a finding.
struct Verdict {
    Phase phase = Phase::unknown;
    std::string because;
    std::string next;
    Findings findings;
    /// What the services that do not do their work mean for a change that was just made; nothing when all do.
    std::optional<Consequence> consequence;
};

/// Pure. The rules of the phases are in product.md (Phases) of the design and in the README.
Verdict judge(const Observations& seen);

}  // namespace eflow
