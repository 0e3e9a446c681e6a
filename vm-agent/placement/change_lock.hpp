#pragma once

#include <functional>
#include <string>

#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// How the lock is asked for.
struct LockAsked {
    std::string verb;                                    ///< by whom; those who wait are told
    std::string since;                                   ///< ISO 8601 UTC
    bool wait = true;                                    ///< for a run that holds it, or Failure(machine_lacks) at once
    std::function<void(const std::string&)> waits = {};  ///< called once, before the wait, with who holds it
};

/// One changer at a time: flock on /var/lib/eflow-agent/lock, which says who holds it.
class ChangeLock {
public:
    ChangeLock(const Tree& tree, const UserTable& users, const LockAsked& asked);

    /// Removes the agent's own state, the lock last: whoever waits for it makes a new one. True when nothing is left.
    bool remove_state();

private:
    const Tree& tree_;
    Descriptor descriptor_;
};

}  // namespace eflow
