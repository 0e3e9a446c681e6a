#include "vm-agent/machine/users.hpp"

#include <charconv>
#include <optional>
#include <vector>

#include "shared/failure.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest = 1024 * 1024;

std::vector<std::string_view> fields_of(std::string_view line) {
    std::vector<std::string_view> fields;
    for (;;) {
        const auto end = line.find(':');
        fields.push_back(line.substr(0, end));
        if (end == std::string_view::npos) return fields;
        line.remove_prefix(end + 1);
    }
}

/// A user or group number. The two highest mean "none" to the kernel, so they are no id.
std::optional<unsigned> id_of(std::string_view text) {
    unsigned id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc{} || end != text.data() + text.size() || id >= 0xfffffffeU) return std::nullopt;
    return id;
}

template <class Take>
void each_line(const Tree& tree, const char* path, bool required, std::size_t least_fields, Take take) {
    const auto bytes = tree.read(path, largest);
    if (!bytes && !required) return;
    if (!bytes)
        throw Failure(ExitCode::machine_lacks,
                      std::string(path) + " does not exist" + (tree.live() ? "" : " below " + tree.root()),
                      "The aziot users are looked up there; install aziot-identity-service and aziot-edge first.");
    std::string_view rest = bytes->reveal();
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        const auto fields = fields_of(rest.substr(0, end));
        if (fields.size() >= least_fields && !fields[0].empty()) take(fields);
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
}

}  // namespace

UserTable read_users(const Tree& tree) {
    UserTable table;
    each_line(tree, "/etc/passwd", true, 4, [&](const std::vector<std::string_view>& fields) {
        const auto uid = id_of(fields[2]);
        const auto gid = id_of(fields[3]);
        if (uid && gid) table.users.try_emplace(std::string(fields[0]), User{*uid, *gid});
    });
    each_line(tree, "/etc/group", false, 3, [&](const std::vector<std::string_view>& fields) {
        if (const auto gid = id_of(fields[2])) table.groups.try_emplace(std::string(fields[0]), *gid);
    });
    return table;
}

}  // namespace eflow
