#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>

#include "shared/failure.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/decide.hpp"
#include "vm-agent/placement/errors.hpp"
#include "vm-agent/placement/install.hpp"
#include "vm-agent/placement/journal.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_program = 256 * 1024 * 1024;
constexpr unsigned deepest = 64;

/// The folder of `path`, made with its parents where it is missing: root's and passable.
Descriptor folder_for(const Tree& tree, const std::string& path) {
    const std::string folder = folder_of(path);
    if (auto found = tree.directory(folder)) return std::move(*found);
    const Descriptor above = folder_for(tree, folder);
    const std::string name = name_of(folder);
    if (mkdirat(above.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
        throw system_failure("cannot make the folder", folder, errno);
    const Descriptor made(openat(above.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made.valid()) throw system_failure("cannot enter", folder, errno);
    set_access(made.get(), {geteuid(), getegid(), 0755}, folder);
    sync_folder(above, folder);
    auto found = tree.directory(folder);
    if (!found) throw system_failure("cannot enter", folder, ENOENT);
    return std::move(*found);
}

std::optional<std::string> link_target(const Descriptor& folder, const std::string& name) {
    std::array<char, 4096> target{};
    const ssize_t size = readlinkat(folder.get(), name.c_str(), target.data(), target.size());
    if (size < 0) return std::nullopt;
    return std::string(target.data(), static_cast<std::size_t>(size));
}

bool is_in_place(const Tree& tree, const InstallFile& file) {
    const auto status = tree.status(file.path);
    if (!status) return false;
    if (!file.target.empty()) {
        const auto folder = tree.directory(folder_of(file.path));
        return S_ISLNK(status->st_mode) && folder && link_target(*folder, name_of(file.path)) == file.target;
    }
    if (!S_ISREG(status->st_mode) || (status->st_mode & 07777) != file.mode || status->st_uid != geteuid())
        return false;
    if (static_cast<std::size_t>(status->st_size) != file.bytes.size()) return false;
    const auto bytes = tree.read(file.path, largest_program);
    return bytes && bytes->reveal() == file.bytes;
}

Change change_of(const Tree& tree, const InstallFile& file) {
    const Action action = is_in_place(tree, file)  ? Action::kept
                          : tree.status(file.path) ? Action::replaced
                                                   : Action::created;
    return {file.path, action, "root", "root", octal(file.mode)};
}

/// Keeps what stands under `name` as a hard link. One that an interrupted run left is older, and the one that served.
void keep_old(const Descriptor& folder, const std::string& name, const std::string& shown) {
    if (linkat(folder.get(), name.c_str(), folder.get(), backup_name(name).c_str(), 0) != 0 && errno != EEXIST)
        throw system_failure("cannot keep the old", shown, errno);
}

void put_one(const Tree& tree, const InstallFile& file, bool replaces) {
    const Descriptor folder = folder_for(tree, file.path);
    const std::string name = name_of(file.path);
    if (replaces) keep_old(folder, name, file.path);
    if (file.target.empty()) {
        fill(folder, name, file.bytes, {geteuid(), getegid(), file.mode}, file.path);
    } else {
        remove_name(folder, filling_name(name), file.path);
        if (symlinkat(file.target.c_str(), folder.get(), filling_name(name).c_str()) != 0)
            throw system_failure("cannot make the link", file.path, errno);
    }
    rename_filled(folder, name, file.path);
    sync_folder(folder, file.path);
}

void remove_below(int parent, const std::string& name, const std::string& shown, unsigned depth) {
    if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR && errno != EPERM) throw system_failure("cannot remove", shown, errno);
    if (depth > deepest)
        throw Failure(ExitCode::machine_lacks, shown + " has folders in folders without end",
                      "Look into it, then move it away: ls -l " + shell_path(shown));
    const int opened = openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0) throw system_failure("cannot remove", shown, errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(opened), closedir);
    if (!stream) {
        const int error = errno;
        close(opened);
        throw system_failure("cannot list", shown, error);
    }
    while (const dirent* entry = readdir(stream.get())) {
        const std::string child = entry->d_name;
        if (child != "." && child != "..") remove_below(opened, child, shown + "/" + child, depth + 1);
    }
    if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
        throw system_failure("cannot remove the folder", shown, errno);
}

/// Removes a folder that is empty; one that is not stays.
bool remove_folder(const Tree& tree, const std::string& path) {
    const auto above = tree.directory(folder_of(path));
    return above && unlinkat(above->get(), name_of(path).c_str(), AT_REMOVEDIR) == 0;
}

}  // namespace

std::vector<Change> preview(const Tree& tree, const std::vector<InstallFile>& files) {
    std::vector<Change> changes;
    for (const auto& file : files) changes.push_back(change_of(tree, file));
    return changes;
}

std::vector<Change> Installer::put(const std::vector<InstallFile>& files) {
    changes_.clear();
    try {
        for (const auto& file : files) {
            const Change change = change_of(tree_, file);
            if (change.action != Action::kept) {
                // Noted first: what failed half-way is taken back too.
                changes_.push_back(change);
                put_one(tree_, file, change.action == Action::replaced);
            } else {
                changes_.push_back(change);
            }
        }
    } catch (const Failure&) {
        take_back(files);
        throw;
    }
    return changes_;
}

void Installer::keep(const std::vector<InstallFile>& files) {
    for (const auto& file : files)
        if (const auto folder = tree_.directory(folder_of(file.path)))
            remove_name(*folder, backup_name(name_of(file.path)), file.path);
}

void Installer::take_back(const std::vector<InstallFile>& files) {
    std::optional<Failure> first;
    for (auto file = files.rbegin(); file != files.rend(); ++file) {
        try {
            const auto folder = tree_.directory(folder_of(file->path));
            if (!folder) continue;
            const std::string name = name_of(file->path);
            remove_name(*folder, filling_name(name), file->path);
            if (renameat(folder->get(), backup_name(name).c_str(), folder->get(), name.c_str()) == 0) {
                // Where both names were the same file, rename() leaves both.
                remove_name(*folder, backup_name(name), file->path);
            } else {
                for (const auto& change : changes_)
                    if (change.path == file->path && change.action == Action::created)
                        remove_name(*folder, name, file->path);
            }
            sync_folder(*folder, file->path);
        } catch (const Failure& failure) {
            if (!first) first = failure;
        }
    }
    remove_folder(tree_, installed::folder);
    if (first) throw Failure(ExitCode::not_restored, first->what(), first->remedy());
}

bool is_installed(const Tree& tree) {
    return tree.status(installed::program) || tree.status(installed::unit);
}

std::vector<Change> remove_installation(const Tree& tree) {
    std::vector<Change> changes;
    // What refers to a file goes before it.
    for (const char* path : {installed::wanted, installed::unit, installed::program}) {
        const auto folder = tree.directory(folder_of(path));
        if (!folder) continue;
        const std::string name = name_of(path);
        // The link of a unit that came with the image is not ours.
        if (path == installed::wanted && link_target(*folder, name) != installed::unit) continue;
        remove_name(*folder, filling_name(name), path);
        remove_name(*folder, backup_name(name), path);
        if (remove_name(*folder, name, path)) changes.push_back({path, Action::removed, "", "", ""});
    }
    remove_folder(tree, installed::wanted_folder);
    remove_folder(tree, installed::folder);
    return changes;
}

bool remove_tree(const Tree& tree, const std::string& path) {
    if (!tree.status(path)) return false;
    const auto above = tree.directory(folder_of(path));
    if (!above) return false;
    remove_below(above->get(), name_of(path), path, 0);
    return true;
}

}  // namespace eflow
