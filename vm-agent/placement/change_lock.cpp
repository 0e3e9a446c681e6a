#include "vm-agent/placement/change_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "shared/failure.hpp"
#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/custody.hpp"
#include "vm-agent/placement/errors.hpp"
#include "vm-agent/placement/folders.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

/// Who holds the lock, in its own words: "provision (pid 4711, since 2026-11-27T12:00:00Z)".
std::string holder_in(const Descriptor& lock) {
    std::array<char, 256> text{};
    const ssize_t size = pread(lock.get(), text.data(), text.size(), 0);
    std::string holder(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    holder = holder.substr(0, holder.find('\n'));
    return holder.empty() ? "one that does not say which" : holder;
}

/// Its time stays as it was: a run that changes nothing leaves nothing changed.
void sign(const Descriptor& lock, const LockAsked& asked) {
    struct stat before {};
    if (fstat(lock.get(), &before) != 0) throw system_failure("cannot take the lock", names::lock, errno);
    const std::string text = asked.verb + " (pid " + std::to_string(getpid()) +
                             (asked.since.empty() ? "" : ", since " + asked.since) + ")\n";
    if (ftruncate(lock.get(), 0) != 0 ||
        pwrite(lock.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        throw system_failure("cannot take the lock", names::lock, errno);
    const std::array<timespec, 2> times{before.st_atim, before.st_mtim};
    futimens(lock.get(), times.data());
}

}  // namespace

ChangeLock::ChangeLock(const Tree& tree, const UserTable& users, const LockAsked& asked) : tree_(tree) {
    const std::string name = name_of(names::lock);
    bool waited = false;
    for (;;) {
        if (!tree.status(places::state)) {
            make_parents(tree, users, places::state);
            make_folder(tree, places::state, root_only(users, 0755));
        }
        const Descriptor folder = enter(tree, places::state);
        descriptor_ = Descriptor(openat(folder.get(), name.c_str(),
                                        O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600));
        if (!descriptor_.valid() && errno == ENOENT) continue;  // the folder was removed meanwhile
        if (!descriptor_.valid()) throw system_failure("cannot take the lock", names::lock, errno);
        while (flock(descriptor_.get(), LOCK_EX | (waited ? 0 : LOCK_NB)) != 0) {
            if (errno == EINTR) continue;
            if (errno != EWOULDBLOCK) throw system_failure("cannot take the lock", names::lock, errno);
            const std::string holder = holder_in(descriptor_);
            if (!asked.wait)
                throw Failure(ExitCode::machine_lacks,
                              "another run of eflow-agent is changing this device right now: " + holder,
                              "Wait for it, or leave out --no-wait and this run waits by itself.");
            if (asked.waits) asked.waits(holder);
            waited = true;
        }
        // The one who had it may have removed it: a lock that nobody else can find is none.
        struct stat taken {};
        struct stat found {};
        if (fstat(descriptor_.get(), &taken) != 0) throw system_failure("cannot take the lock", names::lock, errno);
        if (fstatat(folder.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && found.st_ino == taken.st_ino &&
            found.st_dev == taken.st_dev) {
            sign(descriptor_, asked);
            return;
        }
    }
}

bool ChangeLock::remove_state() {
    clear_custody(tree_, {});
    const Descriptor folder = enter(tree_, places::state);
    for (const char* path : {names::previous_config, names::record, names::firstboot_done, names::lock}) {
        remove_name(folder, filling_name(name_of(path)), path);
        remove_name(folder, name_of(path), path);
    }
    const std::string state = places::state;
    const Descriptor parent = enter(tree_, folder_of(state));
    unlinkat(folder.get(), name_of(names::previous_material).c_str(), AT_REMOVEDIR);
    return unlinkat(parent.get(), name_of(state).c_str(), AT_REMOVEDIR) == 0;
}

}  // namespace eflow
