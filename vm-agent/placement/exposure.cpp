#include "vm-agent/placement/exposure.hpp"

#include <algorithm>
#include <optional>

#include "shared/shell_quote.hpp"

namespace eflow {

namespace {

struct Segment {
    std::string path;
    struct stat status {};
};

/// One kind of stranger: a user, a member of one group, or neither.
struct Subject {
    std::optional<unsigned> uid;
    std::optional<unsigned> gid;

    [[nodiscard]] bool owns(const struct stat& status) const { return uid && status.st_uid == *uid; }
    [[nodiscard]] bool may(const struct stat& status, unsigned bits) const {
        if (owns(status)) return true;  // an owner can give themselves what the mode withholds
        const unsigned shift = gid && status.st_gid == *gid ? 3 : 0;
        return ((status.st_mode >> shift) & bits) == bits;
    }
};

constexpr unsigned to_read = 4;
constexpr unsigned to_write = 2;
constexpr unsigned to_pass = 1;

bool among(const std::vector<unsigned>& all, unsigned one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

/// From the top to the file. Below --root the root itself stands where its owner likes, and is left out.
std::vector<Segment> segments_of(const Tree& tree, const std::string& path) {
    std::vector<Segment> segments;
    for (std::size_t end = tree.live() ? 1 : path.find('/', 1);; end = path.find('/', end + 1)) {
        const std::string segment = path.substr(0, end);
        const auto status = tree.status(segment);
        if (!status) return {};
        segments.push_back({segment, *status});
        if (end == std::string::npos) return segments;
    }
}

/// Whether the subject can make the name `at + 1` of the directory `at` lead elsewhere.
bool can_replace_below(const Subject& subject, const std::vector<Segment>& segments, std::size_t at) {
    const struct stat& directory = segments[at].status;
    if (subject.owns(directory)) return true;
    if (!subject.may(directory, to_write | to_pass)) return false;
    return (directory.st_mode & S_ISVTX) == 0 || subject.owns(segments[at + 1].status);
}

struct Reach {
    std::optional<std::string> reads;    ///< by this segment
    std::optional<std::string> changes;  ///< by this segment
};

Reach reach_of(const Subject& subject, const std::vector<Segment>& segments) {
    Reach reach;
    for (std::size_t at = 0; at + 1 < segments.size(); ++at) {
        if (can_replace_below(subject, segments, at) && !reach.changes) reach.changes = segments[at].path;
        if (!subject.may(segments[at].status, to_pass)) return reach;
    }
    const Segment& file = segments.back();
    if (subject.may(file.status, to_read)) reach.reads = file.path;
    if (subject.may(file.status, to_write) && !reach.changes) reach.changes = file.path;
    return reach;
}

class Collector {
public:
    Collector(std::vector<Segment> segments, Exposure& exposure)
        : segments_(std::move(segments)), exposure_(exposure) {}

    void take(const Subject& subject, const std::string& who, bool everybody) {
        const Reach reach = reach_of(subject, segments_);
        note(reach.reads, who, everybody, exposure_.readers);
        note(reach.changes, who, everybody, exposure_.changers);
    }

private:
    static void note(const std::optional<std::string>& segment, const std::string& who, bool everybody,
                     std::vector<Stranger>& to) {
        // Where everybody may, nobody need be named.
        if (segment && !(to.size() == 1 && to.front().everybody)) to.push_back({who, *segment, everybody});
    }

    std::vector<Segment> segments_;
    Exposure& exposure_;
};

}  // namespace

Trusted trusted(const UserTable& users, std::initializer_list<const char*> names) {
    Trusted all{{users.user("root").uid}, {users.group("root")}};
    for (const std::string name : names) {
        if (const auto user = users.users.find(name); user != users.users.end()) {
            all.uids.push_back(user->second.uid);
            all.gids.push_back(user->second.gid);
        }
        if (const auto group = users.groups.find(name); group != users.groups.end()) all.gids.push_back(group->second);
    }
    return all;
}

Exposure exposure_of(const Tree& tree, const UserTable& users, const std::string& path, const Trusted& trusted) {
    Exposure exposure;
    const auto segments = segments_of(tree, path);
    if (segments.empty()) return exposure;
    Collector collector(segments, exposure);
    collector.take({}, "everybody", true);
    std::vector<unsigned> uids;
    std::vector<unsigned> gids;
    for (const auto& segment : segments) {
        const unsigned uid = segment.status.st_uid;
        const unsigned gid = segment.status.st_gid;
        if (!among(trusted.uids, uid) && !among(uids, uid)) uids.push_back(uid);
        if (!among(trusted.gids, gid) && !among(gids, gid)) gids.push_back(gid);
    }
    for (const unsigned uid : uids) {
        const std::string name = users.user_name(uid);
        const auto known = users.users.find(name);
        collector.take({uid, known == users.users.end() ? std::nullopt : std::optional(known->second.gid)},
                       "the user " + name, false);
    }
    for (const unsigned gid : gids) collector.take({std::nullopt, gid}, "the group " + users.group_name(gid), false);
    return exposure;
}

std::string to_text(const std::vector<Stranger>& strangers) {
    std::string text;
    for (const auto& one : strangers) text += (text.empty() ? "" : ", ") + one.who + " (by " + shell_path(one.segment) + ")";
    return text;
}

}  // namespace eflow
