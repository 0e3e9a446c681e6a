#pragma once

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "shared/secret.hpp"
#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// The files that `iotedge config apply` renders from config.toml (edgelet/iotedge/src/config/apply.rs).
inline constexpr std::array<const char*, 5> rendered_files{
    "/etc/aziot/keyd/config.d/00-super.toml", "/etc/aziot/certd/config.d/00-super.toml",
    "/etc/aziot/identityd/config.d/00-super.toml", "/etc/aziot/tpmd/config.d/00-super.toml",
    "/etc/aziot/edged/config.d/00-super.toml"};

/// Whether config.toml is what the services run with, by upstream's own rule (aziotctl check configs-up-to-date): every
/// rendered file is there and none is older than config.toml. `why` names the first that is not; `since` is when
/// identityd's was rendered, when it is applied.
struct AppliedState {
    bool applied = false;
    std::string why;
    std::chrono::system_clock::time_point since{};
};
AppliedState applied_state(const Tree& tree);

/// Those of the rendered files that are there.
std::vector<std::string> rendered_present(const Tree& tree);

/// A rendered file as it was, to be put back.
struct RenderedFile {
    std::string path;
    NumericAccess access;
    timespec modified{};
    SecretBytes bytes;
};
std::vector<RenderedFile> read_rendered(const Tree& tree);

/// Puts the rendered files back as they were, bytes, owner, mode and time; those that were not there go. Throws
/// Failure(not_restored) naming the one that is not as it was.
void restore_rendered(const Tree& tree, const std::vector<RenderedFile>& before);

}  // namespace eflow
