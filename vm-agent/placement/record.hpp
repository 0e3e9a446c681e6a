#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// The last change that stands, as `undo` needs it. What it replaced is kept until the next change that stands: its
/// config.toml as names::previous_config, its certificate and key in names::previous_material (root's alone).
struct LastChange {
    std::string verb;
    std::string at;                ///< when it began, ISO 8601 UTC
    std::string config_sha256;     ///< of the config.toml that it put in place
    bool replaced_config = false;  ///< false: there was none before
};

/// What the device was registered by when it was last seen healthy. identityd itself writes down hub and device alone
/// (identity.rs HubDeviceInfo), so it cannot tell that config.toml has named another scope since.
struct RegisteredBy {
    std::string id_scope;
    std::string global_endpoint;
    std::string registration_id;
    std::string hub_name;
    std::string device_id;
};

/// A setting outside of [provisioning] that a manifest brought into a config.toml which lacked it.
struct AddedSetting {
    std::vector<std::string> path;
    std::string text;
};

/// What the agent remembers between its runs (names::record, root's alone). Its time of change is when a change was
/// last settled: applied, taken back or taken off. What services said before that is about another configuration.
struct ChangeRecord {
    std::optional<LastChange> last;
    std::optional<RegisteredBy> registered;
    std::vector<AddedSetting> added;

    [[nodiscard]] std::string to_json() const;
    /// An empty record where the text is none of ours: what is lost is remembered, not needed.
    static ChangeRecord from_json(std::string_view text);
};

/// The record; an empty one when there is none. Throws Failure where it may not be read.
ChangeRecord read_record(const Tree& tree);
/// Replaces it atomically. Throws Failure(machine_lacks).
void write_record(const Tree& tree, const UserTable& users, const ChangeRecord& record);

}  // namespace eflow
