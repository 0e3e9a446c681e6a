#pragma once

#include <string>

#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// The directory of `path`. Throws Failure(machine_lacks) when it does not exist.
Descriptor enter(const Tree& tree, const std::string& path);

NumericAccess root_only(const UserTable& users, unsigned mode);

/// Makes a directory with exactly this access, whatever the umask. That it is there already is fine.
void make_folder(const Tree& tree, const std::string& path, const NumericAccess& access);

/// The directories above `path` that are missing, root's and passable, as the packages of a full system make them.
void make_parents(const Tree& tree, const UserTable& users, const std::string& path);

/// Gives a directory that is there this access.
void mend_folder(const Tree& tree, const std::string& path, const NumericAccess& access);

}  // namespace eflow
