#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shared/finding.hpp"
#include "vm-agent/placement/record.hpp"
#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// What a config.toml has DPS register this device by.
struct Registration {
    std::string id_scope;
    std::string global_endpoint;
    std::string registration_id;  ///< empty where the leaf's CN would say it and cannot be read
};

/// Nothing when `config` does not provision by DPS. The leaf is read where config.toml names it, or in custody.
std::optional<Registration> registration_in(const Tree& tree, std::string_view config);

/// The finding that identityd has to register again for `wanted`, because what it remembers comes from elsewhere; with
/// `before`, the config.toml that stood until now. Nothing when it remembers nothing, or the same registration.
std::optional<Finding> judge_move(const Tree& tree, const ChangeRecord& record, std::string_view before,
                                  const Registration& wanted);

/// Notes what identityd is registered by, now that the device is healthy with it. What cannot be written is left.
void remember_registration(const Tree& tree, const UserTable& users, std::string_view config);

/// Notes that the record is of now: what the services said before is about another configuration.
void stamp_settled(const Tree& tree, const UserTable& users);

}  // namespace eflow
