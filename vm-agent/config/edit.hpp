#pragma once

#include <string>
#include <string_view>

#include "vm-agent/config/statements.hpp"

namespace eflow {

/// Edits of a TOML text that a parser has accepted. Each keeps every byte that it need not touch: comments, order,
/// indentation, the form of tables (headers, dotted keys, inline), line ends, a byte order mark. What is added is
/// written as its neighbours are.

/// Sets one key to `value` (TOML): in place where it stands, else beside its siblings in the form they have, else in a
/// table of its own after those of its parent, or at the end. `path` is not empty.
std::string set_value(std::string_view text, const KeyPath& path, const std::string& value);

/// What becomes of a comment that stands on the line of something removed.
enum class Remark { stays, goes };

/// Takes out everything at and below `path`. A comment beside it stays on a line of its own, unless it is said to go:
/// beside a secret it may say that secret.
std::string remove_value(std::string_view text, const KeyPath& path, Remark remark = Remark::stays);

/// Takes out everything at and below `path`, with the comments that stand between its keys.
std::string remove_table(std::string_view text, const KeyPath& path);

/// A TOML basic string.
std::string quoted_toml(std::string_view text);

}  // namespace eflow
