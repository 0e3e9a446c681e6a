#pragma once

#include <string>

#include "shared/finding.hpp"
#include "shared/report.hpp"
#include "vm-agent/health/observations.hpp"

namespace eflow {

/// What the observations mean: the phase, why, and what is expected next. The phase never contradicts a finding.
struct Verdict {
    Phase phase = Phase::unknown;
    std::string because;
    std::string next;
    Findings findings;
    bool is_refused = false;  ///< DPS or the hub said no, and waiting does not help
};

/// Pure. The rules of the phases are in product.md (Phases) of the design and in the README.
Verdict judge(const Observations& seen);

}  // namespace eflow
