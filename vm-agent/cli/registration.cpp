#include "vm-agent/cli/registration.hpp"

#include <algorithm>
#include <cctype>

#include "shared/failure.hpp"
#include "vm-agent/config/device_info.hpp"
#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/identity/pem.hpp"
#include "vm-agent/placement/custody.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_file = 1024 * 1024;

std::optional<SecretBytes> bytes_at(const Tree& tree, const std::string& path) {
    try {
        return tree.read(path, largest_file);
    } catch (const Failure&) {
        return std::nullopt;
    }
}

std::string common_name_at(const Tree& tree, const std::string& path) {
    for (const auto& place : {path, custody_of(path)}) {
        const auto bytes = bytes_at(tree, place);
        if (!bytes) continue;
        const auto read = read_certificates(bytes->reveal(), place);
        if (const auto* certificates = std::get_if<std::vector<Certificate>>(&read); certificates && !certificates->empty())
            return certificates->front().common_name().value_or("");
    }
    return {};
}

/// As DpsEndpoint writes it, so that a slash at the end is no move.
std::string plain_endpoint(const std::string& text) {
    const auto endpoint = DpsEndpoint::parse(text);
    return std::holds_alternative<DpsEndpoint>(endpoint) ? std::get<DpsEndpoint>(endpoint).url() : text;
}

/// Case does not tell registration IDs apart (azure-docs iot-dps concepts-service.md).
bool same_id(const std::string& a, const std::string& b) {
    return a.empty() || b.empty() ||
           std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
               return std::tolower(x) == std::tolower(y);
           });
}

bool same(const Registration& a, const Registration& b) {
    return a.id_scope == b.id_scope && plain_endpoint(a.global_endpoint) == plain_endpoint(b.global_endpoint) &&
           same_id(a.registration_id, b.registration_id);
}

std::string described(const Registration& one) {
    return (one.registration_id.empty() ? std::string("this device") : one.registration_id) + " in " + one.id_scope +
           " at " + one.global_endpoint;
}

}  // namespace

std::optional<Registration> registration_in(const Tree& tree, std::string_view config) {
    const auto seen = read_provisioning(config);
    if (!seen || seen->source != "dps") return std::nullopt;
    Registration one{seen->id_scope.value_or(""), seen->global_endpoint.value_or(""), seen->registration_id.value_or("")};
    if (one.registration_id.empty() && seen->identity_cert)
        if (const auto path = path_of_file_uri(*seen->identity_cert)) one.registration_id = common_name_at(tree, *path);
    return one;
}

std::optional<Finding> judge_move(const Tree& tree, const ChangeRecord& record, std::string_view before,
                                  const Registration& wanted) {
    const auto bytes = bytes_at(tree, device_info_path);
    const auto info = bytes ? parse_device_info(bytes->reveal()) : std::nullopt;
    if (!info) return std::nullopt;
    std::optional<Registration> standing;
    if (const auto& by = record.registered; by && by->hub_name == info->hub_name && by->device_id == info->device_id)
        standing = Registration{by->id_scope, by->global_endpoint, by->registration_id};
    else
        standing = registration_in(tree, before);
    if (standing && same(*standing, wanted)) return std::nullopt;
    return warning("config.scope-applied", "identityd is made to register again, since it remembers another registration",
                   "it remembers " + info->device_id + " at " + info->hub_name +
                       (standing ? ", registered as " + described(*standing) : ", and nothing says by what it registered") +
                       "; config.toml will say " + described(wanted) +
                       "\nWhere DPS assigns another hub or device ID, aziot-edged removes all modules, and the new "
                       "deployment brings its own.",
                   "If that is not meant: sudo eflow-agent undo");
}

void remember_registration(const Tree& tree, const UserTable& users, std::string_view config) {
    try {
        const auto bytes = tree.read(device_info_path, largest_file);
        const auto info = bytes ? parse_device_info(bytes->reveal()) : std::nullopt;
        const auto by = registration_in(tree, config);
        if (!info || !by) return;
        ChangeRecord record = read_record(tree);
        const std::string before = record.to_json();
        record.registered =
            RegisteredBy{by->id_scope, by->global_endpoint, by->registration_id, info->hub_name, info->device_id};
        if (record.to_json() != before) write_record(tree, users, record);
    } catch (const Failure&) {
        // Only what a later look would have been told is lost.
    }
}

void stamp_settled(const Tree& tree, const UserTable& users) {
    try {
        write_record(tree, users, read_record(tree));
    } catch (const Failure&) {
        // The services' old words may be read once more; nothing else depends on it.
    }
}

}  // namespace eflow
