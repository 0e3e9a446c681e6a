#pragma once

#include <string>

#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// Takes the lock that one watcher at a time holds, `watch.lock` in `directory` (places::runtime_folder), for as long as
/// the result lives: two watchers would tear the status file from each other. The file is 0600, since flock(2) needs no
/// more than reading: a lock that anybody may open, anybody may hold. Throws Failure(machine_lacks) when another watcher
/// has it, or the directory is not the caller's to write to.
[[nodiscard]] Descriptor take_watch_lock(const std::string& directory);

/// Whether a watcher holds the lock in `directory`. Any user may ask: the file is looked up in /proc/locks (proc(5)) and
/// never opened. False when the file could be opened, and so locked, by others than its owner, and from another PID
/// namespace than the watcher's, where the kernel leaves its locks out.
[[nodiscard]] bool is_watch_lock_held(const Tree& tree, const std::string& directory);

}  // namespace eflow
