#pragma once

#include <string>

#include "shared/secret.hpp"

namespace eflow {

/// A file that the user named. `why` says in words what kept it from being read.
struct InputFile {
    enum class State {
        read,
        missing,
        denied,  ///< it may be there: this user may not read it, or not enter a directory on the way
        not_readable,
        not_a_file,
        too_large
    };
    State state = State::missing;
    SecretBytes bytes;
    std::string why;
};

/// What to do about a file that could not be read: the way to the permission where that was missing, else `otherwise`.
[[nodiscard]] std::string remedy_for(const InputFile& file, const std::string& otherwise = "Check the path.");

/// Reads a regular file of at most `limit` bytes, links followed as the user meant. Never blocks: a FIFO or a device is
/// told from a file before it is read, and a file over the limit is not read at all.
InputFile read_input(const std::string& path, std::size_t limit);
/// The same of a descriptor that is open for reading.
InputFile read_descriptor(int descriptor, std::size_t limit);

}  // namespace eflow
