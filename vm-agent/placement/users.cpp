#include "vm-agent/placement/users.hpp"

#include "shared/failure.hpp"

namespace eflow {

namespace {

[[noreturn]] void missing(const char* kind, std::string_view name) {
    throw Failure(ExitCode::machine_lacks,
                  std::string("the ") + kind + " " + std::string(name) + " does not exist on this machine",
                  "The packages aziot-identity-service and aziot-edge create it; install them first (below --root: in "
                  "DIR/etc/passwd "
                  "and DIR/etc/group).");
}

template <class Map, class Get>
std::string name_of(const Map& map, unsigned id, Get get) {
    for (const auto& [name, value] : map)
        if (get(value) == id) return name;
    return std::to_string(id);
}

}  // namespace

User UserTable::user(std::string_view name) const {
    const auto found = users.find(name);
    // To the kernel root is 0, listed or not.
    if (found == users.end() && name == "root") return {};
    if (found == users.end()) missing("user", name);
    return found->second;
}

unsigned UserTable::group(std::string_view name) const {
    if (const auto found = groups.find(name); found != groups.end()) return found->second;
    // A user's own group has its name; passwd knows its number too.
    if (const auto found = users.find(name); found != users.end()) return found->second.gid;
    if (name == "root") return 0;
    missing("group", name);
}

std::string UserTable::user_name(unsigned uid) const {
    return name_of(users, uid, [](const User& user) { return user.uid; });
}

std::string UserTable::group_name(unsigned gid) const {
    return name_of(groups, gid, [](unsigned group) { return group; });
}

}  // namespace eflow
