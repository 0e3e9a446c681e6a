#pragma once

#include <string>

#include "shared/finding.hpp"
#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// The files checks on the identity in use: owner-and-mode, readable-by-aziotcs, readable-by-aziotks, key-protected,
/// no-stray-keys. Empty paths (no identity of files) skip all but the last.
Findings judge_files(const Tree& tree, const UserTable& users, const std::string& certificate_path,
                     const std::string& key_path);

}  // namespace eflow
