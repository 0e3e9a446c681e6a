#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// The first path segment that stops `user`, and why, in the words of the permission bits; nothing when all let it
/// pass.
struct Obstacle {
    std::string segment;
    std::string why;
};

/// Upstream's own walk (aziotctl check_readable, aziotctl/src/internal/check/mod.rs of Azure/iot-identity-service): the
/// file and every parent up to / must grant r (directories r-x) to the world, to `user`'s primary group, or to `user`
/// as owner. Supplementary groups and ACLs do not count.
std::optional<Obstacle> reading_obstacle(const Tree& tree, std::string_view path, const User& user);

}  // namespace eflow
