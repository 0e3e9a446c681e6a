#include "vm-agent/placement/rendered.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "shared/failure.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

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

void remove_rendered(const Tree& tree, const std::vector<std::string>& keep) {
    for (const std::string path : rendered_files) {
        if (std::find(keep.begin(), keep.end(), path) != keep.end()) continue;
        const auto slash = path.rfind('/');
        const auto folder = tree.directory(path.substr(0, slash));
        if (!folder) continue;
        if (unlinkat(folder->get(), path.c_str() + slash + 1, 0) != 0 && errno != ENOENT)
            throw Failure(ExitCode::not_restored, "cannot remove " + path + ": " + std::strerror(errno),
                          "Remove it by hand: rm " + path);
    }
}

}  // namespace eflow
