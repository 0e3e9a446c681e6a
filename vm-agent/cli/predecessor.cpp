#include "vm-agent/cli/predecessor.hpp"

#include <algorithm>

#include "vm-agent/config/material.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_config = 1024 * 1024;

bool is_ours(const std::string& path) {
    const std::string folder = folder_of(path);
    const std::string name = name_of(path);
    return name.starts_with("device-id-") && ((folder == places::secrets && name.ends_with(".key.pem")) ||
                                              (folder == places::certificates && name.ends_with(".cert.pem")));
}

}  // namespace

std::vector<std::string> material_named_in(std::string_view config) {
    // Not the identity's alone: an Edge CA or an EST client may go by a file of ours.
    std::vector<std::string> named = read_material(config).mentioned;
    std::erase_if(named, [](const std::string& path) { return !is_ours(path); });
    return named;
}

std::vector<std::string> predecessor(const Tree& tree, std::string_view before, std::string_view after) {
    if (before != after) return material_named_in(before);
    const auto previous = tree.read(names::previous_config, largest_config);
    return previous ? material_named_in(previous->reveal()) : std::vector<std::string>();
}

std::vector<std::string> material_not_named_in(const Tree& tree, std::string_view config) {
    const auto named = material_named_in(config);
    std::vector<std::string> others;
    for (const char* folder : {places::secrets, places::certificates})
        for (const auto& name : tree.names(folder)) {
            std::string path = std::string(folder) + "/" + name;
            if (is_ours(path) && std::find(named.begin(), named.end(), path) == named.end())
                others.push_back(std::move(path));
        }
    return others;
}

}  // namespace eflow
