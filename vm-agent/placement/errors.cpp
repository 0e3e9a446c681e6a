#include "vm-agent/placement/errors.hpp"

#include <cerrno>
#include <cstring>

namespace eflow {

namespace {

std::string remedy_for(int error, const std::string& path) {
    switch (error) {
        case ENOSPC:
        case EDQUOT: return "Free space (df -h " + path + "; docker system df), then run this again.";
        case EROFS:
            return "That file system is mounted read-only; remount it writable, or choose the image with --root at "
                   "build time.";
        case EACCES: return "Run this as root (sudo); below --root, as the owner of that folder.";
        case EPERM:
            return "Run this as root; if it is root, the file may be immutable: lsattr " + path + "; chattr -i " + path;
        case EIO: return "The disk reports an error; look into it first: dmesg | tail";
        case ELOOP:
            return "A symbolic link stands there, and root does not follow links here; look at it: ls -ld " + path;
        case ENOTDIR: return "Something that is no folder stands on the way; look at it: ls -ld " + path;
        case EMFILE:
        case ENFILE:
            return "Too many files are open on this machine; look for the program that holds them: lsof | wc -l";
        default: return "Look at it: ls -ld " + path;
    }
}

}  // namespace

Failure system_failure(std::string_view doing, std::string_view path, int error, ExitCode code) {
    const std::string where(path);
    std::string cause = std::strerror(error);
    if (error == ELOOP) cause = "a symbolic link stands there";
    return Failure(code, std::string(doing) + " " + where + ": " + cause, remedy_for(error, where));
}

}  // namespace eflow
