#include "vm-agent/placement/decide.hpp"

#include <array>
#include <cstdio>

#include "shared/failure.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_file = 1024 * 1024;

NumericAccess numeric(const UserTable& users, const Access& access) {
    return {users.user(access.owner).uid, users.group(access.group), access.mode};
}

NumericAccess access_of(const struct stat& status) {
    return {status.st_uid, status.st_gid, status.st_mode & 07777};
}

bool same(const NumericAccess& a, const NumericAccess& b) {
    return a.uid == b.uid && a.gid == b.gid && a.mode == b.mode;
}

[[noreturn]] void in_the_way(const std::string& path, const struct stat& status, const char* wanted) {
    const char* what = S_ISLNK(status.st_mode)   ? "a symbolic link"
                       : S_ISDIR(status.st_mode) ? "a folder"
                       : S_ISREG(status.st_mode) ? "a file"
                                                 : "a device, socket or pipe";
    throw Failure(ExitCode::machine_lacks, std::string(what) + " stands at " + path + ", where " + wanted + " belongs",
                  "Look at it and move it away: ls -ld " + path);
}

DirectoryStep decide_directory(const Tree& tree, const UserTable& users, const PlannedDirectory& planned,
                               Decision& decision) {
    DirectoryStep step{planned.path, numeric(users, planned.access), false, {}, false};
    Action action = Action::created;
    step.acts = true;
    if (const auto status = tree.status(planned.path)) {
        if (!S_ISDIR(status->st_mode)) in_the_way(planned.path, *status, "a folder");
        step.exists = true;
        step.before = access_of(*status);
        const bool right = same(step.before, step.wanted);
        step.acts = !right && planned.ours;
        action = step.acts ? Action::replaced : Action::kept;
        if (!right && !planned.ours) {
            decision.findings.push_back(warning(
                "files.owner-and-mode", planned.path + " is not as the IoT Edge packages make it",
                "it has mode " + octal(step.before.mode) + " and belongs to " + users.user_name(step.before.uid) + ":" +
                    users.group_name(step.before.gid) + "; it is not ours, so it stays so",
                "If nothing else needs it so: chown " + planned.access.owner + ":" + planned.access.group + " " +
                    planned.path + "; chmod " + octal(planned.access.mode) + " " + planned.path));
            return step;  // not ours and kept: no change to tell of
        }
    }
    if (planned.ours || step.acts)
        decision.changes.push_back(
            {planned.path, action, planned.access.owner, planned.access.group, octal(planned.access.mode)});
    return step;
}

FileStep decide_file(const Tree& tree, const UserTable& users, const PlannedFile& planned, Decision& decision) {
    FileStep step{&planned, numeric(users, planned.access), false, true};
    Action action = Action::created;
    if (const auto status = tree.status(planned.path)) {
        if (!S_ISREG(status->st_mode)) in_the_way(planned.path, *status, "a file");
        step.exists = true;
        const auto bytes = tree.read(planned.path, largest_file);
        const bool right =
            same(access_of(*status), step.wanted) && bytes && bytes->reveal() == planned.contents.reveal();
        step.acts = !right;
        action = right ? Action::kept : Action::replaced;
    }
    decision.changes.push_back(
        {planned.path, action, planned.access.owner, planned.access.group, octal(planned.access.mode)});
    return step;
}

}  // namespace

std::string octal(unsigned mode) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%04o", mode);
    return text.data();
}

bool Decision::acts() const {
    for (const auto& step : directories)
        if (step.acts) return true;
    for (const auto& step : material)
        if (step.acts) return true;
    return config.acts || !set_aside.empty();
}

Decision decide(const Tree& tree, const UserTable& users, const Plan& plan) {
    Decision decision;
    for (const auto& directory : plan.directories)
        decision.directories.push_back(decide_directory(tree, users, directory, decision));
    for (const auto& file : plan.material) decision.material.push_back(decide_file(tree, users, file, decision));
    decision.removes_config = plan.remove_config;
    decision.removes_material = plan.remove_material;
    if (plan.remove_config) {
        decision.config = {&plan.config, {}, false, false};
        if (const auto status = tree.status(plan.config.path)) {
            if (!S_ISREG(status->st_mode)) in_the_way(plan.config.path, *status, "a file");
            decision.config.exists = decision.config.acts = true;
            decision.changes.push_back({plan.config.path, Action::removed, users.user_name(status->st_uid),
                                        users.group_name(status->st_gid), octal(status->st_mode & 07777)});
        }
    } else {
        decision.config = decide_file(tree, users, plan.config, decision);
    }
    for (const auto& path : plan.retired)
        if (tree.status(path)) decision.retired.push_back(path);
    for (const auto& path : plan.set_aside)
        if (const auto status = tree.status(path)) {
            decision.set_aside.push_back(path);
            decision.changes.push_back({path, Action::removed, users.user_name(status->st_uid),
                                        users.group_name(status->st_gid), octal(status->st_mode & 07777)});
        }
    return decision;
}

}  // namespace eflow
