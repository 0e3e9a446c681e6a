#include "vm-agent/placement/readable.hpp"

#include <array>
#include <cstdio>

namespace eflow {

namespace {

/// The permission bits `user` has, the way check_readable counts them: whichever of the three grants enough will do.
bool granted(const struct stat& status, const User& user, unsigned needed) {
    const unsigned mode = status.st_mode;
    if ((mode & needed) == needed) return true;
    if (status.st_gid == user.gid && ((mode >> 3) & needed) == needed) return true;
    return status.st_uid == user.uid && ((mode >> 6) & needed) == needed;
}

std::string described(const struct stat& status, unsigned needed) {
    std::array<char, 128> text{};
    std::snprintf(text.data(), text.size(), "has mode %04o, owner %u and group %u, which does not grant it %s",
                  static_cast<unsigned>(status.st_mode & 07777), status.st_uid, status.st_gid,
                  needed == 5 ? "r-x" : "r--");
    return text.data();
}

}  // namespace

std::optional<Obstacle> reading_obstacle(const Tree& tree, std::string_view path, const User& user) {
    // From the top, so that the first segment named is the first to mend.
    // Below --root the folder itself stands where its owner likes: the image's / gets its mode when it is mounted.
    for (std::size_t end = tree.live() ? 1 : path.find('/', 1);; end = path.find('/', end + 1)) {
        const bool last = end == std::string_view::npos;
        const std::string segment(path.substr(0, end));
        const auto status = tree.status(segment);
        if (!status) return Obstacle{segment, "does not exist"};
        const unsigned needed = S_ISDIR(status->st_mode) ? 5 : 4;
        if (!granted(*status, user, needed)) return Obstacle{segment, described(*status, needed)};
        if (last) return std::nullopt;
    }
}

}  // namespace eflow
