#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/report.hpp"
#include "shared/secret.hpp"
#include "vm-agent/placement/record.hpp"

namespace eflow {

struct Access {
    std::string owner;
    std::string group;
    unsigned mode = 0;  ///< permission bits, e.g. 0440

    bool operator==(const Access&) const = default;
};

/// A directory the plan needs. `ours`: a wrong owner or mode is mended; otherwise it is a finding.
struct PlannedDirectory {
    std::string path;  ///< absolute, as the VM sees it (below --root on disk)
    Access access;
    bool ours = true;
};

struct PlannedFile {
    std::string path;
    Access access;
    SecretBytes contents;
};

/// Everything an apply does to the file system: pure data. `config` is the commit; `material` goes in before it under
/// names nothing refers to yet; `retired` (old material of ours) goes after success, but what the config.toml that was
/// replaced names moves to where `undo` finds it.
/// A config with no contents (`remove_config`) is removed instead: deprovision.
struct Plan {
    std::vector<PlannedDirectory> directories;  ///< parents first
    std::vector<PlannedFile> material;
    PlannedFile config;
    bool remove_config = false;
    bool remove_material = false;  ///< deprovision: our folders go too, once they are empty
    std::vector<std::string> retired;
    std::vector<std::string> kept;       ///< what names::previous_config will name: of `retired`, kept for undo
    std::vector<std::string> set_aside;  ///< goes with the commit, and comes back when the change is taken back
    std::string verb;                    ///< whose change it is
    std::string since;                   ///< when it began, ISO 8601 UTC
    ChangeRecord record;                 ///< what is remembered once it stands; `last` is the transaction's to fill in
};

/// The paths and modes of the contract (product.md, Files in the VM).
namespace places {
inline constexpr const char* config = "/etc/aziot/config.toml";
inline constexpr const char* material = "/var/aziot";
inline constexpr const char* certificates = "/var/aziot/certs";
inline constexpr const char* secrets = "/var/aziot/secrets";
inline constexpr const char* manifest = "/etc/eflow-agent/device.toml";
inline constexpr const char* state = "/var/lib/eflow-agent";
}  // namespace places

}  // namespace eflow
