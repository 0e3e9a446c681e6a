#pragma once

#include <string>
#include <vector>

#include "shared/finding.hpp"
#include "shared/report.hpp"
#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/plan.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// A directory of the plan beside what stands there.
struct DirectoryStep {
    std::string path;
    NumericAccess wanted;
    bool exists = false;
    NumericAccess before;
    bool acts = false;  ///< it is to be made or mended
};

/// A file of the plan beside what stands there.
struct FileStep {
    const PlannedFile* file = nullptr;
    NumericAccess wanted;
    bool exists = false;
    bool acts = false;
};

/// The plan held against the tree: what has to be done. Reading only.
struct Decision {
    std::vector<DirectoryStep> directories;
    std::vector<FileStep> material;
    FileStep config;
    bool removes_config = false;
    bool removes_material = false;
    std::vector<std::string> retired;    ///< those that are there
    std::vector<std::string> set_aside;  ///< the same
    std::vector<Change> changes;       ///< everything above, told; retired files not yet among them
    Findings findings;                 ///< on directories that are not ours

    [[nodiscard]] bool acts() const;
};

/// The decision points into `plan`. Throws Failure(machine_lacks) for a missing user, a link on the way, or something
/// that is no file in a file's place.
Decision decide(const Tree& tree, const UserTable& users, const Plan& plan);

std::string octal(unsigned mode);

}  // namespace eflow
