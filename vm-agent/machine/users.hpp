#pragma once

#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// The users and groups of /etc/passwd and /etc/group of that tree. Lines that are none are passed over; of several
/// with one name the first counts, as for glibc. Throws Failure(machine_lacks) when /etc/passwd is missing.
UserTable read_users(const Tree& tree);

}  // namespace eflow
