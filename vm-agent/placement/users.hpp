#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace eflow {

/// A user as the kernel and upstream's check_readable see it: its id and its primary group.
struct User {
    unsigned uid = 0;
    unsigned gid = 0;
};

/// The users and groups of one root, by name. Plain data; machine/users reads it from DIR/etc/passwd and DIR/etc/group.
struct UserTable {
    std::map<std::string, User, std::less<>> users;
    std::map<std::string, unsigned, std::less<>> groups;

    /// root is 0 where nothing else is listed, and a group that is not listed is the primary one of the user of its
    /// name. Throw Failure(machine_lacks) that names the missing user or group and what creates it.
    [[nodiscard]] User user(std::string_view name) const;
    [[nodiscard]] unsigned group(std::string_view name) const;
    /// The name for an id, or its number as text.
    [[nodiscard]] std::string user_name(unsigned uid) const;
    [[nodiscard]] std::string group_name(unsigned gid) const;
};

}  // namespace eflow
