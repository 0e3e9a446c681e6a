#include "vm-agent/machine/bundle.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "shared/failure.hpp"
#include "shared/shell_quote.hpp"

namespace eflow {

namespace {

constexpr unsigned by_others = S_IWGRP | S_IWOTH;
constexpr std::size_t longest_shown = 200;

[[noreturn]] void refuse(const std::string& message, const std::string& remedy) {
    throw Failure(ExitCode::refused, message, remedy);
}

bool is_windows_path(std::string_view path) {
    const bool drive = path.size() > 1 && ((path[0] | 32) >= 'a' && (path[0] | 32) <= 'z') && path[1] == ':';
    return drive || path.find('\\') != std::string_view::npos;
}

bool climbs(std::string_view path) {
    for (;;) {
        const auto end = path.find('/');
        if (path.substr(0, end) == "..") return true;
        if (end == std::string_view::npos) return false;
        path.remove_prefix(end + 1);
    }
}

/// A slash at the end would have a link followed.
std::string without_end_slash(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

}  // namespace

Bundle::Bundle(const std::string& given, std::optional<uid_t> caller) : folder_(without_end_slash(given)) {
    const std::string& folder = folder_;
    descriptor_ = Descriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    constexpr auto what = "Give the folder into which the files were staged, owned by whoever staged them.";
    if (!descriptor_.valid()) {
        const int error = errno;
        struct stat there {};
        const bool link = lstat(folder.c_str(), &there) == 0 && S_ISLNK(there.st_mode);
        refuse("the bundle " + folder + " cannot be used: " +
                   (link               ? "it is a symbolic link"
                    : error == ENOTDIR ? "it is no folder"
                                       : std::strerror(error)),
               what);
    }
    if (fstat(descriptor_.get(), &status_) != 0)
        refuse("the bundle " + folder + " cannot be looked at: " + std::strerror(errno), what);
    if (status_.st_uid != 0 && status_.st_uid != geteuid() && status_.st_uid != caller)
        refuse("the bundle " + folder + " belongs to user " + std::to_string(status_.st_uid) +
                   ", who is neither root nor the one who runs this",
               "Stage it again as root, or as the user who runs this; it is now: ls -ld " + shell_path(folder));
    if ((status_.st_mode & by_others) != 0)
        refuse("the bundle " + folder +
                   " can be written to by others than its owner, so anybody could have put there "
                   "what is in it",
               "Look at what is in it; then chmod go-w " + folder + " and run this again.");
}

bool Bundle::holds(const std::string& path) const {
    const auto folder = std::filesystem::absolute(folder_ + "/").lexically_normal().string();
    return std::filesystem::path(path).lexically_normal().string().starts_with(folder);
}

std::optional<struct stat> Bundle::status(const std::string& name) const {
    struct stat status {};
    if (fstatat(descriptor_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
    return status;
}

InputFile Bundle::read(const std::string& name, std::size_t limit) const {
    using State = InputFile::State;
    const Descriptor file(
        openat(descriptor_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file.valid()) {
        const int error = errno;
        if (error == ENOENT) return {State::missing, {}, "there is no such file in the bundle"};
        if (error == ELOOP) return {State::not_a_file, {}, "it is a symbolic link, and none is followed in a bundle"};
        return {State::not_readable, {}, std::strerror(error)};
    }
    struct stat status {};
    if (fstat(file.get(), &status) != 0) return {State::not_readable, {}, std::strerror(errno)};
    if (!S_ISREG(status.st_mode)) return {State::not_a_file, {}, "it is a folder, a pipe or a device, not a file"};
    if (status.st_uid != status_.st_uid && status.st_uid != 0)
        return {State::not_readable,
                {},
                "it belongs to user " + std::to_string(status.st_uid) + ", the bundle to user " +
                    std::to_string(status_.st_uid)};
    const bool closed = (status_.st_mode & (S_IXGRP | S_IXOTH)) == 0;
    if (!closed && (status.st_mode & by_others) != 0)
        return {State::not_readable, {}, "others than its owner can write to it"};
    return read_descriptor(file.get(), limit);
}

std::string Bundle::name_of(const std::string& written, const char* key) const {
    const std::string shown = "'" + written.substr(0, longest_shown) + "'";
    const auto no = [&](const char* why) {
        refuse(std::string("the manifest in ") + folder_ + " cannot be used: " + key + " is " + shown + ", " + why,
               "Name a file that is staged in the folder, by its name alone.");
    };
    std::string name;
    if (is_windows_path(written)) {
        name = written.substr(written.find_last_of("\\/:") + 1);
    } else if (climbs(written)) {
        no("which leads out of the bundle by ..");
    } else if (written.starts_with('/')) {
        const std::filesystem::path path(written);
        const auto folder = std::filesystem::absolute(folder_ + "/").lexically_normal();
        if ((path.parent_path() / "").lexically_normal() != folder) no("a file outside the bundle");
        name = path.filename().string();
    } else {
        name = std::filesystem::path(written).filename().string();
    }
    if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string::npos) no("which names no file");
    return name;
}

}  // namespace eflow
