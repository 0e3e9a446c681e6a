#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host-shim/win32.hpp"
#include "shared/secret.hpp"

namespace eflow {

// Files of this host, by UTF-8 paths (files_win32.cpp).

/// The bytes of a regular file of at most `limit` bytes, or why there are none.
std::variant<SecretBytes, std::string> read_file(const std::string& path, std::size_t limit);

/// %ProgramData%\eflow-shim, asked of the system and made for Administrators and SYSTEM alone. Throws
/// Failure(machine_lacks) when something else stands there, or someone else's: ProgramData lets any user make folders.
std::string private_folder();

/// A folder below it, for Administrators and SYSTEM alone by inheritance.
void make_folder(const std::string& path);

/// Creates a file that must not exist yet. Throws Failure(machine_lacks).
void write_new_file(const std::string& path, std::string_view content);

/// Writes beside it and renames over it.
void replace_file(const std::string& path, std::string_view content);

/// Overwrites every file of `folder`, keys first, and removes it. False when something stayed.
bool wipe_folder(const std::string& folder);

/// A file that only one process can have open, gone with it. Throws Failure(machine_lacks) when another one has it.
Handle lock_file(const std::string& path);

/// The names in `folder` that begin with `prefix`.
std::vector<std::string> names_in(const std::string& folder, const std::string& prefix);

/// The folder of this program's own file, with a closing backslash.
std::string own_folder();

/// 32 hex digits from the system's generator.
std::string random_hex_digits();

}  // namespace eflow
