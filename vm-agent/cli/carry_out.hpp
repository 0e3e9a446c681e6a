#pragma once

#include <functional>

#include "vm-agent/cli/request.hpp"
#include "vm-agent/cli/verb.hpp"

namespace eflow {

/// The one course of `provision` and `post-install`: judge, plan, stage, commit, settle; or the plan alone (--dry-run).
/// `judge` reads and judges what is asked for. A request with an adoption depends on what stands on the device: it is
/// judged again under the lock, a config.toml that nobody can read is written anew for it, and copies of the private
/// key are removed once the device is healthy.
Outcome carry_out(const Context& context, const Tree& tree, const char* verb, const ProvisionOptions& options,
                  const std::function<JudgedRequest()>& judge);

}  // namespace eflow
