#include "vm-agent/placement/tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "shared/failure.hpp"
#include "vm-agent/placement/errors.hpp"

namespace eflow {

namespace {

constexpr std::size_t longest_path = 4000;

/// The components of an absolute path; anything that could lead elsewhere is refused.
std::vector<std::string> components(std::string_view path) {
    const auto refuse = [&](const char* why) {
        throw Failure(ExitCode::machine_lacks, "the path '" + std::string(path.substr(0, 200)) + "' " + why,
                      "Give an absolute path without . and .. in it.");
    };
    if (path.empty() || path.front() != '/') refuse("is not absolute");
    if (path.size() > longest_path) refuse("is too long");
    if (path.find('\0') != std::string_view::npos) refuse("holds a NUL");
    std::vector<std::string> parts;
    while (!path.empty()) {
        path.remove_prefix(1);
        const auto part = path.substr(0, path.find('/'));
        path.remove_prefix(part.size());
        if (part == "." || part == "..") refuse("holds a . or ..");
        if (!part.empty()) parts.emplace_back(part);
    }
    return parts;
}

bool is_absent(int error) {
    return error == ENOENT;
}

/// Opens one component without following a link. O_PATH tells what stands there even where it may not be read.
Descriptor open_part(int folder, const std::string& part, const std::string& shown) {
    Descriptor next(openat(folder, part.c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_PATH));
    if (next.valid() || is_absent(errno)) return next;
    int error = errno;
    struct stat status {};
    if (error == ENOTDIR && fstatat(folder, part.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode))
        error = ELOOP;
    throw system_failure("cannot enter", shown, error);
}

struct Walked {
    Descriptor folder;  ///< invalid when a component on the way does not exist
    std::string last;
};

Walked walk(int root, std::string_view path) {
    auto parts = components(path);
    if (parts.empty()) throw Failure(ExitCode::internal, "the root itself is not a path to work on");
    Walked walked{Descriptor(fcntl(root, F_DUPFD_CLOEXEC, 3)), parts.back()};
    parts.pop_back();
    std::string shown;
    for (const auto& part : parts) {
        shown += "/" + part;
        walked.folder = open_part(walked.folder.get(), part, shown);
        if (!walked.folder.valid()) return walked;
    }
    return walked;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) close(fd_);
        fd_ = other.release();
    }
    return *this;
}

Descriptor::~Descriptor() {
    if (fd_ >= 0) close(fd_);
}

int Descriptor::release() noexcept {
    return std::exchange(fd_, -1);
}

Tree::Tree(const std::string& root, Kind kind)
    : root_(root), kind_(kind), descriptor_(open(root.c_str(), O_DIRECTORY | O_CLOEXEC | O_PATH)) {
    if (!descriptor_.valid())
        throw Failure(ExitCode::usage, "--root " + root + " is no folder that can be entered",
                      "Give the folder that holds the root file system.");
}

std::optional<Descriptor> Tree::directory(std::string_view path) const {
    const auto parts = components(path);
    Descriptor folder(fcntl(descriptor_.get(), F_DUPFD_CLOEXEC, 3));
    std::string shown;
    for (const auto& part : parts) {
        shown += "/" + part;
        folder = open_part(folder.get(), part, shown);
        if (!folder.valid()) return std::nullopt;
    }
    return folder;
}

std::optional<struct stat> Tree::status(std::string_view path) const {
    struct stat itself {};
    if (path == "/") {
        if (fstat(descriptor_.get(), &itself) != 0) throw system_failure("cannot look at", path, errno);
        return itself;
    }
    const Walked walked = walk(descriptor_.get(), path);
    if (!walked.folder.valid()) return std::nullopt;
    struct stat status {};
    if (fstatat(walked.folder.get(), walked.last.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
    if (is_absent(errno)) return std::nullopt;
    throw system_failure("cannot look at", path, errno);
}

std::optional<SecretBytes> Tree::read(std::string_view path, std::size_t limit) const {
    const Walked walked = walk(descriptor_.get(), path);
    if (!walked.folder.valid()) return std::nullopt;
    // O_NONBLOCK: a FIFO planted there must not make us wait for a writer.
    const Descriptor file(
        openat(walked.folder.get(), walked.last.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file.valid()) {
        if (is_absent(errno)) return std::nullopt;
        throw system_failure("cannot read", path, errno);
    }
    struct stat status {};
    if (fstat(file.get(), &status) != 0) throw system_failure("cannot read", path, errno);
    if (!S_ISREG(status.st_mode))
        throw Failure(ExitCode::machine_lacks, std::string(path) + " is not a regular file",
                      "Move away what stands there: ls -ld " + std::string(path));
    if (static_cast<std::size_t>(status.st_size) > limit)
        throw Failure(ExitCode::machine_lacks, std::string(path) + " has more than " + std::to_string(limit) + " bytes",
                      "A file of that kind is never so large; look into it: head -c 300 " + std::string(path));
    SecretBytes bytes(static_cast<std::size_t>(status.st_size));
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const ssize_t count = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw system_failure("cannot read", path, errno);
        if (count == 0) break;
        filled += static_cast<std::size_t>(count);
    }
    // It shrank while it was read: what is there now is what counts.
    return filled == bytes.size() ? std::move(bytes) : SecretBytes(bytes.reveal().substr(0, filled));
}

std::vector<std::string> Tree::names(std::string_view path) const {
    std::vector<std::string> names;
    const auto folder = directory(path);
    if (!folder) return names;
    const int listing = openat(folder->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (listing < 0) throw system_failure("cannot list", path, errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(listing), closedir);
    if (!stream) {
        const int error = errno;
        close(listing);
        throw system_failure("cannot list", path, error);
    }
    while (const dirent* entry = readdir(stream.get())) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace eflow
