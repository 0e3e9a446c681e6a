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

    std::string verb;                    ///< whose change it is
    std::string since;                   ///< when it began, ISO 8601 UTC
    int pid = 0;                         ///< of the run that makes it
    std::string started;                 ///< when that process started, by the kernel's count (/proc/PID/stat)
    std::vector<std::string> set_aside;  ///< files that went under their backup_name with the commit
    std::vector<std::string> retired;    ///< of a removal: what goes once it is committed

    [[nodiscard]] std::string to_json() const;
    /// Throws Failure(machine_lacks) when the text is not a journal of ours: then nobody can say what stands.
    static Journal from_json(std::string_view text);
};

namespace names {
inline constexpr const char* journal = "/var/lib/eflow-agent/transaction.json";
inline constexpr const char* previous_config = "/var/lib/eflow-agent/previous-config.toml";
inline constexpr const char* lock = "/var/lib/eflow-agent/lock";
inline constexpr const char* record = "/var/lib/eflow-agent/record.json";
inline constexpr const char* previous_material = "/var/lib/eflow-agent/previous";
inline constexpr const char* firstboot_done = "/var/lib/eflow-agent/firstboot-done";
/// Every name of ours for something temporary begins with this.
inline constexpr const char* temporary = ".eflow-agent.";
}  // namespace names

/// When the process started, by the kernel's count; empty when there is none. With its number it is that process and no
/// later one.
std::string start_of_process(int pid);

/// A change that was begun and is not over, as anybody may see it.
struct Unfinished {
    std::string verb;
    std::string since;
    int pid = 0;
    bool runs = false;       ///< that run is still at it
    bool committed = false;  ///< its config.toml stands already
    bool settled = false;    ///< and it was found good: only clearing away was left
};
/// Nothing when no journal stands. Throws Failure when it may not be read or is not understood.
std::optional<Unfinished> unfinished_change(const Tree& tree);
/// Whether the journal's config.toml is the one that stands.
bool is_committed(const Tree& tree, const Journal& journal);
/// It takes files away: once committed it can only be completed, since keys may be gone already.
bool is_removal(const Journal& journal);
/// It is committed, was found good, and its run died while clearing away: the old config.toml is no longer kept beside the
/// new one, so the change can be completed, and then taken back as a whole, and in no other way.
bool is_settled(const Tree& tree, const Journal& journal);

/// The folder and the last name of an absolute path.
std::string folder_of(const std::string& path);
std::string name_of(const std::string& path);
/// Beside `name`: where the old file waits, and where a new one is filled.
std::string backup_name(const std::string& name);
std::string filling_name(const std::string& name);

}  // namespace eflow
