#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/exit_code.hpp"
#include "shared/finding.hpp"
#include "shared/report.hpp"
#include "vm-agent/placement/plan.hpp"
#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// Where the agent lives on a VM that did not come with it: all of it on what survives an update of the VM
/// (../reference/eflow.md: the data partition, and the overlay of /etc that is stored there).
namespace installed {
inline constexpr const char* folder = "/var/lib/eflow-agent/bin";
inline constexpr const char* program = "/var/lib/eflow-agent/bin/eflow-agent";
inline constexpr const char* unit = "/etc/systemd/system/eflow-agent.service";
inline constexpr const char* wanted_folder = "/etc/systemd/system/multi-user.target.wants";
inline constexpr const char* wanted = "/etc/systemd/system/multi-user.target.wants/eflow-agent.service";
inline constexpr const char* watch_state = "/var/lib/eflow-agent/watch";
inline constexpr const char* unit_name = "eflow-agent.service";
inline constexpr const char* user = "eflow-agent";
}  // namespace installed

/// What was seen of a machine before the agent is put to work on it.
struct InstallSight {
    bool has_systemd = false;
    bool has_user = false;
    bool has_sysusers = false;  ///< the program that makes the user
    std::string image_carries;  ///< the unit of an agent that came with the image; empty when there is none
    bool has_iot_edge = false;  ///< 1.2 or later
    bool has_iot_edge_1_1 = false;
    bool state_is_noexec = false;  ///< programs below /var/lib may not be run
    std::uint64_t free_bytes = 0;  ///< for root, on the file system of /var/lib
    std::uint64_t needed_bytes = 0;
    bool change_under_way = false;  ///< the journal of an interrupted provision stands
};

/// What stands in the way of installing, all of it; empty findings of severity failed mean that nothing does.
Findings judge_install(const InstallSight& sight);
/// What stands in the way of uninstalling.
Findings judge_uninstall(const InstallSight& sight);
/// The exit code for a refusal: 3 when there is nothing to do here, 4 when the machine lacks something.
ExitCode refusal_code(const Findings& findings);

/// A file of an installation, or with `target` a symbolic link.
struct InstallFile {
    std::string path;
    std::string bytes;
    unsigned mode = 0644;
    std::string target;
};

/// Everything that an installation consists of, in the order in which it goes in: what refers to a file comes after it.
std::vector<InstallFile> installation(std::string program, std::string_view unit_template);

/// What putting `files` onto the tree would change.
std::vector<Change> preview(const Tree& tree, const std::vector<InstallFile>& files);

/// Puts files in place one by one, each atomically, keeping what they replace until it is known whether the new ones
/// serve. Killed at any point it may simply be run again: each file is the old or the new one, and the oldest kept copy
/// is the one that is kept.
class Installer {
public:
    explicit Installer(const Tree& tree) : tree_(tree) {}

    /// Throws Failure(machine_lacks) after taking back what it had put.
    std::vector<Change> put(const std::vector<InstallFile>& files);
    /// The new files serve: the kept ones go.
    void keep(const std::vector<InstallFile>& files);
    /// The files as they were before put(). Throws Failure(not_restored) when that cannot be.
    void take_back(const std::vector<InstallFile>& files);

private:
    const Tree& tree_;
    std::vector<Change> changes_;
};

/// Whether install-self has put something here. An agent that came with the image is none.
bool is_installed(const Tree& tree);
/// Removes the files of an installation, and the folders that are empty then; returns what was removed.
std::vector<Change> remove_installation(const Tree& tree);
/// Removes a folder with all that is in it, by descriptor and without following a link: what is in it may be hostile.
/// Returns whether it was there.
bool remove_tree(const Tree& tree, const std::string& path);

}  // namespace eflow
