#pragma once

#include <string_view>

#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// Takes `user` and the group of that name out of passwd, shadow, group and gshadow below the tree, and out of every
/// group's members; each file is replaced atomically with its owner and mode as they were. For images: no program runs,
/// neither one of the image (userdel --root would chroot into it) nor one of this machine. Not for a running machine,
/// whose own tools hold a lock on these files. Throws Failure where a file cannot be read or replaced.
void remove_user_entries(const Tree& tree, std::string_view user);

}  // namespace eflow
