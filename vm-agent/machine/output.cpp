#include "vm-agent/machine/output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "shared/failure.hpp"
#include "vm-agent/placement/tree.hpp"

namespace eflow {

namespace {

[[noreturn]] void cannot_write(const std::string& path, int error) {
    throw Failure(ExitCode::machine_lacks, "cannot write " + path + ": " + std::strerror(error),
                  "Choose a folder that this user may write and that has room.");
}

void write_one(const OutputFile& file) {
    const Descriptor descriptor(open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!descriptor.valid()) cannot_write(file.path, errno);
    std::string_view rest = file.contents.reveal();
    while (!rest.empty()) {
        const ssize_t written = write(descriptor.get(), rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            const int error = errno;
            unlink(file.path.c_str());
            cannot_write(file.path, error);
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    if (fchmod(descriptor.get(), file.mode) != 0 || fsync(descriptor.get()) != 0) {
        const int error = errno;
        unlink(file.path.c_str());
        cannot_write(file.path, error);
    }
}

void make_folder(const std::filesystem::path& folder) {
    if (folder.empty() || std::filesystem::is_directory(folder)) return;
    make_folder(folder.parent_path());
    if (mkdir(folder.c_str(), 0700) != 0) cannot_write(folder.string(), errno);
    // The mode is set after the making, on the very folder: the process keeps a tight umask.
    const Descriptor made(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made.valid() || fchmod(made.get(), 0755) != 0) cannot_write(folder.string(), errno);
}

}  // namespace

void write_new(const std::vector<OutputFile>& files) {
    for (const auto& file : files) {
        struct stat status {};
        if (lstat(file.path.c_str(), &status) == 0)
            throw Failure(ExitCode::refused, file.path + " already exists; nothing was written",
                          "Choose another folder, or move the old files away.");
    }
    std::vector<const OutputFile*> done;
    try {
        for (const auto& file : files) {
            make_folder(std::filesystem::path(file.path).parent_path());
            write_one(file);
            done.push_back(&file);
        }
    } catch (...) {
        for (const auto* file : done) unlink(file->path.c_str());
        throw;
    }
}

}  // namespace eflow
