#pragma once

#include <string>
#include <vector>

#include "shared/secret.hpp"

namespace eflow {

/// A file or, with a name that ends in a slash, a folder of an archive. Names are ASCII and at most 99 characters.
struct TarEntry {
    std::string name;
    unsigned mode = 0600;
    const SecretBytes* content = nullptr;  ///< not owned; none for a folder
};

/// A POSIX ustar archive (IEEE Std 1003.1, pax), owner root, time 0: one file carries all that the VM is to get, since
/// every copy is an SSH connection. Wiped on destruction, for a private key is in it.
SecretBytes make_tar(const std::vector<TarEntry>& entries);

}  // namespace eflow
