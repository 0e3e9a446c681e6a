#include "vm-agent/placement/folders.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "vm-agent/placement/errors.hpp"
#include "vm-agent/placement/journal.hpp"

namespace eflow {

Descriptor enter(const Tree& tree, const std::string& path) {
    auto folder = tree.directory(path);
    if (!folder) throw system_failure("cannot enter", path, ENOENT);
    return std::move(*folder);
}

NumericAccess root_only(const UserTable& users, unsigned mode) {
    return {users.user("root").uid, users.group("root"), mode};
}

void make_folder(const Tree& tree, const std::string& path, const NumericAccess& access) {
    const std::string parent = folder_of(path);
    const Descriptor above = enter(tree, parent);
    const std::string name = name_of(path);
    if (mkdirat(above.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
        throw system_failure("cannot make the folder", path, errno);
    const Descriptor made(openat(above.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made.valid()) throw system_failure("cannot enter", path, errno);
    set_access(made.get(), access, path);
    sync_folder(above, path);
}

void make_parents(const Tree& tree, const UserTable& users, const std::string& path) {
    const std::string parent = folder_of(path);
    if (parent == "/" || tree.status(parent)) return;
    make_parents(tree, users, parent);
    make_folder(tree, parent, root_only(users, 0755));
}

void mend_folder(const Tree& tree, const std::string& path, const NumericAccess& access) {
    const Descriptor above = enter(tree, folder_of(path));
    const Descriptor folder(
        openat(above.get(), name_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder.valid()) throw system_failure("cannot enter", path, errno);
    set_access(folder.get(), access, path);
}

}  // namespace eflow
