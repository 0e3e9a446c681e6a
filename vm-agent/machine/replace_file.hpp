#pragma once

#include <string>
#include <string_view>

namespace eflow {

/// Replaces a file of the agent's own by a new one, atomically: written beside it (O_EXCL, no link followed), given its
/// mode, synced when `durable`, renamed. Gives why it could not, or an empty text; nothing of an attempt stays.
std::string replace_file(const std::string& path, std::string_view contents, unsigned mode, bool durable);

}  // namespace eflow
