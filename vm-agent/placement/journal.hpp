#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// A directory that the transaction made or mended; what it was before, so that undoing restores it.
struct JournalDirectory {
    std::string path;
    bool made = false;
    unsigned uid = 0;
    unsigned gid = 0;
    unsigned mode = 0;
};

/// A file that the transaction puts in place. With `replaces`, the old one is kept under backup_name until the end.
struct JournalFile {
    std::string path;
    bool replaces = false;
};

/// What must be known to undo or complete a transaction whose process died. Written before the first change.
struct Journal {
    std::vector<JournalDirectory> directories;
    std::vector<JournalFile> material;
    std::optional<JournalFile> config;  ///< absent when config.toml is kept
    bool removes_config = false;
    std::string config_sha256;  ///< of the new config.toml

    [[nodiscard]] std::string to_json() const;
    /// Throws Failure(machine_lacks) when the text is not a journal of ours: then nobody can say what stands.
    static Journal from_json(std::string_view text);
};

namespace names {
inline constexpr const char* journal = "/var/lib/eflow-agent/transaction.json";
inline constexpr const char* previous_config = "/var/lib/eflow-agent/previous-config.toml";
inline constexpr const char* lock = "/var/lib/eflow-agent/lock";
/// Every name of ours for something temporary begins with this.
inline constexpr const char* temporary = ".eflow-agent.";
}  // namespace names

/// The folder and the last name of an absolute path.
std::string folder_of(const std::string& path);
std::string name_of(const std::string& path);
/// Beside `name`: where the old file waits, and where a new one is filled.
std::string backup_name(const std::string& name);
std::string filling_name(const std::string& name);

}  // namespace eflow
