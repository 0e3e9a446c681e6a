#pragma once

#include <string>
#include <vector>

#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// Who may do what they like with a file without that being anybody's concern.
struct Trusted {
    std::vector<unsigned> uids;
    std::vector<unsigned> gids;
};

/// root and the named users and their groups, as far as they exist.
Trusted trusted(const UserTable& users, std::initializer_list<const char*> names);

/// Somebody who is not trusted, and the segment of the path that lets them.
struct Stranger {
    std::string who;  ///< "everybody", "the group staff", "the user ops"
    std::string segment;
    bool everybody = false;
};

/// What the permission bits of a path let strangers do. Everybody alone where everybody may; else each group and owner
/// that a segment of the path has. `changers` may write the file, or replace it or a directory above it.
struct Exposure {
    std::vector<Stranger> readers;
    std::vector<Stranger> changers;
};

/// Reckons as the kernel does (path_resolution(7), chmod(2) for owners, the sticky bit for directories), from the top:
/// a file that everybody might read in a directory that nobody can pass is read by nobody. Supplementary groups of a
/// user, ACLs and capabilities are not seen. Nothing for a path that does not exist. Throws Failure when a link stands
/// on the way, which is never followed.
Exposure exposure_of(const Tree& tree, const UserTable& users, const std::string& path, const Trusted& trusted);

/// "everybody by 0777 /var/aziot; the user ops by ..." for a report.
std::string to_text(const std::vector<Stranger>& strangers);

}  // namespace eflow
