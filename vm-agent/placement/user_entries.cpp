#include "vm-agent/placement/user_entries.hpp"

#include <algorithm>
#include <string>

#include "vm-agent/placement/atomic_file.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest = 1024 * 1024;

/// `members` is a list with commas, as in group(5).
std::string without_member(std::string_view members, std::string_view user) {
    std::string kept;
    while (!members.empty()) {
        const auto name = members.substr(0, members.find(','));
        members.remove_prefix(std::min(members.size(), name.size() + 1));
        if (name != user) kept += (kept.empty() ? "" : ",") + std::string(name);
    }
    return kept;
}

/// The file without the entry of `user`; with `has_members`, the last field is a list that loses the user too.
std::string without_user(std::string_view text, std::string_view user, bool has_members) {
    std::string kept;
    while (!text.empty()) {
        const auto end = text.find('\n');
        std::string line(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.starts_with(std::string(user) + ":")) continue;
        if (const auto colon = line.rfind(':'); has_members && colon != std::string::npos)
            line = line.substr(0, colon + 1) + without_member(std::string_view(line).substr(colon + 1), user);
        kept += line + (end == std::string_view::npos ? "" : "\n");
    }
    return kept;
}

}  // namespace

void remove_user_entries(const Tree& tree, std::string_view user) {
    struct Database {
        const char* name;
        bool has_members;
    };
    for (const Database& one : {Database{"passwd", false}, {"shadow", false}, {"group", true}, {"gshadow", true}}) {
        const std::string path = std::string("/etc/") + one.name;
        const auto bytes = tree.read(path, largest);
        const auto status = tree.status(path);
        if (!bytes || !status) continue;
        const std::string text = without_user(bytes->reveal(), user, one.has_members);
        if (text == bytes->reveal()) continue;
        const auto directory = tree.directory("/etc");
        const NumericAccess access{status->st_uid, status->st_gid, static_cast<unsigned>(status->st_mode & 07777U)};
        fill(*directory, one.name, text, access, path);
        rename_filled(*directory, one.name, path);
        sync_folder(*directory, "/etc");
    }
}

}  // namespace eflow
