#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "shared/finding.hpp"
#include "vm-agent/placement/named_files.hpp"
#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// The system users that IoT Edge's packages make and that read what config.toml names; those that are missing. All of
/// them missing: IoT Edge is not installed (contrib/debian/postinst of Azure/iot-identity-service).
std::vector<std::string> missing_users(const UserTable& users);

/// "0440 root:aziotks", as ls would have it.
std::string access_text(const UserTable& users, const struct stat& status);

/// The rows of the readers alone, for files that config.toml names or is going to name: readable-by-aziotcs, -aziotks, and
/// -aziotid where there is a payload.
Findings judge_readers(const Tree& tree, const UserTable& users, const std::vector<NamedFile>& files);

/// The files checks on everything that config.toml names: owner-and-mode, readable-by-aziotcs, readable-by-aziotks,
/// readable-by-aziotid (where there is a payload), key-protected, no-stray-keys. Judged by what a reader or writer can
/// do, not by likeness to our own layout: Microsoft's is right as well. `config` is the text of config.toml, nothing
/// when there is none.
Findings judge_files(const Tree& tree, const UserTable& users, const std::optional<std::string>& config);

}  // namespace eflow
