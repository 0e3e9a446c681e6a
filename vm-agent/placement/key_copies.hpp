#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "shared/finding.hpp"
#include "shared/report.hpp"
#include "vm-agent/identity/certificate.hpp"
#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// Which file it is, whatever its names.
struct FileId {
    dev_t device = 0;
    ino_t inode = 0;

    bool operator==(const FileId&) const = default;
};

FileId id_of(const struct stat& status);

/// Which copies of a private key are meant.
struct KeyCopies {
    Certificate leaf;                ///< a file is a copy when it holds this certificate's key
    std::string placed;              ///< the key in use, which is none
    std::vector<std::string> named;  ///< looked at besides the folders that Provision-EflowVm writes to
    std::vector<FileId> spared;      ///< left alone
};

/// The copies that are there: in the folders where Provision-EflowVm leaves one (/home/iotedge-user and the folders in
/// it, /var/secrets/aziot, /var/aziot) and at the named paths. Links are not followed; what cannot be read is no copy.
std::vector<std::string> find_copies(const Tree& tree, const KeyCopies& copies);

/// Overwrites each of `paths` that still is a copy with zeros, makes that durable, and removes its name. A name that
/// leads to the key in use itself (a hard link) is only removed. Adds a change for each; returns a warning for each
/// that would not go.
Findings remove_copies(const Tree& tree, const UserTable& users, const KeyCopies& copies,
                       const std::vector<std::string>& paths, std::vector<Change>& changes);

}  // namespace eflow
