#include "vm-agent/placement/custody.hpp"

#include <algorithm>

#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/journal.hpp"

namespace eflow {

std::string custody_of(const std::string& path) {
    return std::string(names::previous_material) + "/" + name_of(path);
}

void clear_custody(const Tree& tree, const std::vector<std::string>& needed) {
    const auto folder = tree.directory(names::previous_material);
    if (!folder) return;
    for (const auto& name : tree.names(names::previous_material)) {
        const bool stays = std::any_of(needed.begin(), needed.end(),
                                       [&](const std::string& path) { return name_of(path) == name; });
        if (!stays) remove_name(*folder, name, custody_of(name));
    }
}

}  // namespace eflow
