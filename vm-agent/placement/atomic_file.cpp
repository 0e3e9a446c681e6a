#include "vm-agent/placement/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "vm-agent/placement/errors.hpp"
#include "vm-agent/placement/journal.hpp"

namespace eflow {

namespace {

template <class Call>
auto retried(Call call) {
    decltype(call()) result;
    do result = call();
    while (result < 0 && errno == EINTR);
    return result;
}

}  // namespace

void set_access(int descriptor, const NumericAccess& access, std::string_view shown) {
    struct stat status {};
    if (fstat(descriptor, &status) != 0) throw system_failure("cannot look at", shown, errno);
    if ((status.st_uid != access.uid || status.st_gid != access.gid) && fchown(descriptor, access.uid, access.gid) != 0)
        throw system_failure("cannot set the owner of", shown, errno);
    // After the owner: a change of owner may clear bits of the mode.
    if ((status.st_mode & 07777) != access.mode && fchmod(descriptor, access.mode) != 0)
        throw system_failure("cannot set the mode of", shown, errno);
}

void fill(const Descriptor& folder, const std::string& name, std::string_view bytes, const NumericAccess& access,
          std::string_view shown) {
    const std::string filling = filling_name(name);
    if (unlinkat(folder.get(), filling.c_str(), 0) != 0 && errno != ENOENT)
        throw system_failure("cannot clear the way beside", shown, errno);
    const Descriptor file(retried([&] {
        return openat(folder.get(), filling.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }));
    if (!file.valid()) throw system_failure("cannot create a file beside", shown, errno);
    while (!bytes.empty()) {
        const ssize_t written = retried([&] { return write(file.get(), bytes.data(), bytes.size()); });
        if (written < 0) throw system_failure("cannot write", shown, errno);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    set_access(file.get(), access, shown);
    if (retried([&] { return fsync(file.get()); }) != 0) throw system_failure("cannot write to disk", shown, errno);
}

void rename_filled(const Descriptor& folder, const std::string& name, std::string_view shown) {
    if (renameat(folder.get(), filling_name(name).c_str(), folder.get(), name.c_str()) != 0)
        throw system_failure("cannot put in place", shown, errno);
}

void sync_folder(const Descriptor& folder, std::string_view shown) {
    // The walk holds O_PATH descriptors, which cannot be synced: opened anew by the same descriptor, not by path.
    const Descriptor open(openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!open.valid() || retried([&] { return fsync(open.get()); }) != 0)
        throw system_failure("cannot write to disk the folder of", shown, errno);
}

bool remove_name(const Descriptor& folder, const std::string& name, std::string_view shown) {
    if (unlinkat(folder.get(), name.c_str(), 0) == 0) return true;
    const int error = errno;
    struct stat status {};
    // A read-only file system says so before it looks whether there is such a name.
    if (error == ENOENT || (fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT))
        return false;
    throw system_failure("cannot remove", shown, error);
}

}  // namespace eflow
