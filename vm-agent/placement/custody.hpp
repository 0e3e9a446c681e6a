#pragma once

#include <string>
#include <vector>

#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// names::previous_material: the certificate and key that the last change replaced, where only root reaches them, until
/// the next change that stands. No service reads them there; `undo` puts them back.

/// Everything in custody goes, but for files of the names of these paths.
void clear_custody(const Tree& tree, const std::vector<std::string>& needed);

/// Where the file of this path would be in custody.
std::string custody_of(const std::string& path);

}  // namespace eflow
