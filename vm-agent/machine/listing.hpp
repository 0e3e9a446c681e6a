#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// A file below a folder, as `ls -l` has it; its contents are not looked at.
struct ListedFile {
    std::string path;
    struct stat status {};
};

/// Everything below `folder`, itself too, parents first, names sorted; no link is followed. At most `most` files, ten
/// levels deep. What could not be seen, or was too much, is said in `missing`.
std::vector<ListedFile> list_files(const Tree& tree, const std::string& folder, std::size_t most,
                                   std::vector<std::string>& missing);

}  // namespace eflow
