#include "vm-agent/placement/rendered.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <tuple>
#include <utility>

#include "shared/failure.hpp"
#include "vm-agent/placement/errors.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_rendered = 1024 * 1024;

bool older(const struct stat& a, const struct stat& b) {
    return std::tie(a.st_mtim.tv_sec, a.st_mtim.tv_nsec) < std::tie(b.st_mtim.tv_sec, b.st_mtim.tv_nsec);
}

}  // namespace

AppliedState applied_state(const Tree& tree) {
    const auto config = tree.status(places::config);
    if (!config) return {false, std::string(places::config) + " does not exist", {}};
    std::chrono::system_clock::time_point since;
    for (const char* path : rendered_files) {
        const auto rendered = tree.status(path);
        if (!rendered) return {false, std::string(path) + " does not exist", {}};
        if (older(*rendered, *config)) return {false, std::string(path) + " is older than " + places::config, {}};
        if (std::string_view(path).starts_with("/etc/aziot/identityd/"))
            since = std::chrono::system_clock::time_point(std::chrono::seconds(rendered->st_mtim.tv_sec) +
                                                          std::chrono::nanoseconds(rendered->st_mtim.tv_nsec));
    }
    return {true, {}, since};
}

std::vector<std::string> rendered_present(const Tree& tree) {
    std::vector<std::string> present;
    for (const char* path : rendered_files)
        if (tree.status(path)) present.emplace_back(path);
    return present;
}

std::vector<RenderedFile> read_rendered(const Tree& tree) {
    std::vector<RenderedFile> files;
    for (const char* path : rendered_files) {
        const auto status = tree.status(path);
        auto bytes = status ? tree.read(path, largest_rendered) : std::nullopt;
        if (!bytes) continue;
        files.push_back(
            {path, {status->st_uid, status->st_gid, status->st_mode & 07777}, status->st_mtim, std::move(*bytes)});
    }
    return files;
}

void restore_rendered(const Tree& tree, const std::vector<RenderedFile>& before) {
    for (const std::string path : rendered_files) {
        const auto old =
            std::find_if(before.begin(), before.end(), [&](const RenderedFile& one) { return one.path == path; });
        const auto folder = tree.directory(folder_of(path));
        if (!folder) continue;
        const std::string name = name_of(path);
        try {
            if (old == before.end()) {
                remove_name(*folder, name, path);
                continue;
            }
            const auto status = tree.status(path);
            if (status && status->st_mtim.tv_sec == old->modified.tv_sec &&
                status->st_mtim.tv_nsec == old->modified.tv_nsec)
                continue;  // nobody has rendered it anew
            fill(*folder, name, old->bytes.reveal(), old->access, path);
            // The time as well: by it upstream tells whether config.toml has been applied.
            const std::array<timespec, 2> times{{{0, UTIME_OMIT}, old->modified}};
            if (utimensat(folder->get(), filling_name(name).c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
                throw system_failure("cannot set the time of", path, errno);
            rename_filled(*folder, name, path);
        } catch (const Failure& failure) {
            throw Failure(ExitCode::not_restored, failure.what(), failure.remedy());
        }
    }
}

}  // namespace eflow
