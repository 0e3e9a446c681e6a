#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// A file that config.toml names, and what IoT Edge does with it.
struct NamedFile {
    enum class Role {
        certificate,  ///< read by certd, as aziotcs
        key,          ///< read by keyd, as aziotks
        payload,      ///< read by identityd, as aziotid (aziot-identityd/src/lib.rs:905)
    };
    std::string path;
    std::string what;  ///< "the device's private key", "the Edge CA certificate"
    Role role{};
    bool identity = false;       ///< the device's own pair
    bool may_be_absent = false;  ///< IoT Edge makes it when it is not there
};

/// The system user that reads it, and the group that our layout gives it.
const char* reader_of(NamedFile::Role role);

/// Every file that the text names, each once, the device's identity first.
std::vector<NamedFile> named_files(std::string_view config);

/// Which keys may be in use: those that anything on this device names.
struct KeysInUse {
    /// Why it cannot be said that a key is unused; empty when it can.
    std::string doubt;
    std::vector<std::string> paths;
    std::vector<std::string> texts;  ///< everything that was read, to look for a name as it stands

    [[nodiscard]] bool may_use(const std::string& path) const;
};

/// Reads what names keys: config.toml, the one before it that we keep, what was rendered of them, every other file of
/// keyd's, certd's and identityd's settings, the manifest, and the journal of a change that was interrupted.
/// `config` is config.toml's text, nothing when there is none.
KeysInUse keys_in_use(const Tree& tree, const std::optional<std::string>& config);

}  // namespace eflow
