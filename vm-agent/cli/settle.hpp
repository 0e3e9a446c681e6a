#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "vm-agent/cli/verb.hpp"
#include "vm-agent/placement/rendered.hpp"
#include "vm-agent/placement/transaction.hpp"

namespace eflow {

struct SettleOptions {
    bool no_apply = false;
    bool no_wait = false;
    std::chrono::seconds timeout{};
    std::vector<RenderedFile> rendered_before{};  ///< the files that apply renders, as they were
    bool had_config = false;                    ///< one that the services can go back to
    bool ran_before = true;             ///< the services did run with it; else that they do not again is no failure
    bool copies_may_lie_about = false;  ///< stray keys are no fault of the device yet: they go once it is healthy
    bool moves = false;                 ///< identityd's memory was set aside: it registers again
};

/// What follows a commit: apply, wait for the phase, and finish; or undo everything when the services will not take it.
/// Fills in the report's exit code, phase, findings and notes.
void settle(const Context& context, const Tree& tree, Transaction& transaction, const SettleOptions& options,
            Report& report);

/// The change that `transaction` holds is taken back: the previous files, the services with them, and the wait for the
/// device. Fills in the report as settle does.
void settle_back(const Context& context, const Tree& tree, Transaction& transaction, const SettleOptions& options,
                 Report& report);

/// Adds a line for people to the report (data.notes).
void note(Report& report, std::string text);

}  // namespace eflow
