#include "vm-agent/machine/watch_lock.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include "shared/failure.hpp"
#include "vm-agent/machine/places.hpp"

namespace eflow {

namespace {

constexpr mode_t of_others = S_IRWXG | S_IRWXO;

/// A line of /proc/locks: "7: FLOCK  ADVISORY  WRITE 4242 00:1a:1234 0 EOF"; one that waits has "->" after the number.
bool names_exclusive_flock(const std::string& line, const struct stat& file) {
    unsigned major_number = 0;
    unsigned minor_number = 0;
    unsigned long long inode = 0;
    char kind[16] = "";
    char access[16] = "";
    const int fields = std::sscanf(line.c_str(), "%*u: %15s %*s %15s %*d %x:%x:%llu", kind, access, &major_number,
                                   &minor_number, &inode);
    return fields == 5 && std::strcmp(kind, "FLOCK") == 0 && std::strcmp(access, "WRITE") == 0 && inode == file.st_ino &&
           major_number == major(file.st_dev) && minor_number == minor(file.st_dev);
}

}  // namespace

Descriptor take_watch_lock(const std::string& directory) {
    const std::string path = directory + "/" + places::watch_lock;
    // An earlier version's, or one of another user's making, may already be open in somebody's hands.
    struct stat left {};
    if (lstat(path.c_str(), &left) == 0 && (!S_ISREG(left.st_mode) || (left.st_mode & of_others) != 0))
        unlink(path.c_str());
    Descriptor lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!lock.valid())
        throw Failure(ExitCode::machine_lacks, path + ": " + std::strerror(errno), "Run it as root, or as its unit.");
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        throw Failure(ExitCode::machine_lacks, "another watcher runs already",
                      "systemctl status eflow-agent shows it; eflow-agent status says what it sees.");
    return lock;
}

bool is_watch_lock_held(const Tree& tree, const std::string& directory) {
    try {
        const auto file = tree.status(directory + "/" + places::watch_lock);
        if (!file || !S_ISREG(file->st_mode) || (file->st_mode & of_others) != 0) return false;
        std::ifstream locks("/proc/locks");
        for (std::string line; std::getline(locks, line);)
            if (names_exclusive_flock(line, *file)) return true;
    } catch (const Failure&) {
        // The directory cannot be looked into: no watcher of ours put it there.
    }
    return false;
}

}  // namespace eflow
