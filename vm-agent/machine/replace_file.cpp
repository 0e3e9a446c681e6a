#include "vm-agent/machine/replace_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace eflow {

namespace {

bool write_all(int file, std::string_view contents) {
    while (!contents.empty()) {
        const ssize_t written = write(file, contents.data(), contents.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        contents.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace

std::string replace_file(const std::string& path, std::string_view contents, unsigned mode, bool durable) {
    const std::string beside = path + ".new";
    // What an earlier run left there is ours to take away.
    unlink(beside.c_str());
    const int file = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) return path + ": " + std::strerror(errno);
    bool well = write_all(file, contents) && fchmod(file, static_cast<mode_t>(mode)) == 0 &&
                (!durable || fdatasync(file) == 0);
    int fault = errno;
    if (close(file) != 0 && well) {
        well = false;
        fault = errno;
    }
    if (well && std::rename(beside.c_str(), path.c_str()) != 0) {
        well = false;
        fault = errno;
    }
    if (well) return {};
    unlink(beside.c_str());
    return path + ": " + std::strerror(fault);
}

}  // namespace eflow
