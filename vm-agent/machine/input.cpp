#include "vm-agent/machine/input.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "vm-agent/placement/tree.hpp"

namespace eflow {

std::string remedy_for(const InputFile& file, const std::string& otherwise) {
    return file.state == InputFile::State::denied
               ? "This user may not read it: run the command as root (sudo), or as the file's owner."
               : otherwise;
}

InputFile read_input(const std::string& path, std::size_t limit) {
    using State = InputFile::State;
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file.valid()) {
        const int error = errno;
        if (error == ENOENT || error == ENOTDIR) return {State::missing, {}, "there is no such file"};
        if (error == EACCES || error == EPERM)
            return {State::denied, {}, "this user may not read it (" + std::string(std::strerror(error)) + ")"};
        return {State::not_readable, {}, std::strerror(error)};
    }
    return read_descriptor(file.get(), limit);
}

InputFile read_descriptor(int descriptor, std::size_t limit) {
    using State = InputFile::State;
    struct stat status {};
    if (fstat(descriptor, &status) != 0) return {State::not_readable, {}, std::strerror(errno)};
    if (!S_ISREG(status.st_mode)) return {State::not_a_file, {}, "it is a folder, a pipe or a device, not a file"};
    if (static_cast<std::size_t>(status.st_size) > limit)
        return {
            State::too_large,
            {},
            "it has " + std::to_string(status.st_size) + " bytes, more than " +
                (limit % (1024 * 1024) == 0 ? std::to_string(limit / (1024 * 1024)) + " MiB" : std::to_string(limit))};
    SecretBytes bytes(static_cast<std::size_t>(status.st_size));
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const ssize_t count = read(descriptor, bytes.data() + filled, bytes.size() - filled);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return {State::not_readable, {}, std::strerror(errno)};
        if (count == 0) return {State::not_readable, {}, "it became shorter while it was read"};
        filled += static_cast<std::size_t>(count);
    }
    return {State::read, std::move(bytes), {}};
}

}  // namespace eflow
