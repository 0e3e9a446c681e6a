#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// Certificates and keys of ours that `config` names: the content-addressed files, as the VM sees them.
std::vector<std::string> material_named_in(std::string_view config);

/// What undo will need once `after` stands in place of `before`: what `before` names; where both are the same, what the
/// config.toml that an earlier change replaced names.
std::vector<std::string> predecessor(const Tree& tree, std::string_view before, std::string_view after);

/// Our material that stands in the tree, but for what `config` names.
std::vector<std::string> material_not_named_in(const Tree& tree, std::string_view config);

}  // namespace eflow
