#pragma once

#include <optional>
#include <string>

#include "shared/finding.hpp"
#include "vm-agent/placement/named_files.hpp"
#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// files.no-stray-keys: private keys that nothing on this device names, where identities are placed or staged. Says
/// where each lies and who can read it; how to restrict it, or to set it aside. Nothing that may be in use is called
/// unused, and nothing is ever to be destroyed. `config` is config.toml's text, nothing when there is none.
///
/// Fails only for a key of root's or IoT Edge's own, in a directory of theirs, that everybody can read: what other users
/// own, and what lies in /tmp, /var/tmp and /home, is a warning at most. A search that was cut short says so.
Finding judge_stray_keys(const Tree& tree, const UserTable& users, const std::optional<std::string>& config);

}  // namespace eflow
