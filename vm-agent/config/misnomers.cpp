#include "vm-agent/config/misnomers.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "shared/manifest.hpp"
#include "vm-agent/config/upstream_types.hpp"

namespace eflow {

namespace {

constexpr std::size_t longest_name = 64;   // whose edit distance is asked for
constexpr std::size_t most_entries = 200;  // of a table, which a hostile file may fill

struct Pair {
    std::string_view name;
    std::string_view meant;
};

constexpr std::array misnomers{
    Pair{"identity_key", "identity_pk"},
    Pair{"identity_private_key", "identity_pk"},
    Pair{"private_key", "identity_pk"},
    Pair{"identity_certificate", "identity_cert"},
    Pair{"identity_certificate_chain", "identity_cert"},
    Pair{"device_identity_cert", "identity_cert"},
    Pair{"device_identity_pk", "identity_pk"},
    Pair{"scope_id", "id_scope"},
    Pair{"idScope", "id_scope"},
    Pair{"scopeId", "id_scope"},
    Pair{"registrationId", "registration_id"},
    Pair{"reg_id", "registration_id"},
    Pair{"endpoint", "global_endpoint"},
    Pair{"global_device_endpoint", "global_endpoint"},
    Pair{"trusted_ca_certs", "trust_bundle_cert"},
    Pair{"trust_bundle", "trust_bundle_cert"},
    Pair{"device_ca_cert", "cert"},
    Pair{"device_ca_pk", "pk"},
    Pair{"edge_ca_cert", "cert"},
    Pair{"edge_ca_pk", "pk"},
    Pair{"key", "pk"},
    Pair{"certificate", "cert"},
    Pair{"gateway_hostname", "parent_hostname"},
    Pair{"device_id_key", "device_id_pk"},
    Pair{"hub_hostname", "iothub_hostname"},
    Pair{"iot_hub_hostname", "iothub_hostname"},
    Pair{"create_options", "createOptions"},
    Pair{"image_pull_policy", "imagePullPolicy"},
    Pair{"image_hash", "imageHash"},
    Pair{"allow_elevated_docker_permissions", "allowElevatedDockerPermissions"},
};

constexpr std::array former{Pair{"always_reprovision_on_startup", "auto_reprovisioning_mode = \"AlwaysOnStartup\""},
                            Pair{"dynamic_reprovisioning", "auto_reprovisioning_mode = \"Dynamic\""},
                            Pair{"device_connection_string", "connection_string, with source = \"manual\""},
                            Pair{"certificates", "[edge_ca] and trust_bundle_cert"},
                            Pair{"homedir", "nothing: the directory is fixed"}};

template <class Table>
std::string_view looked_up(const Table& table, std::string_view name) {
    for (const auto& [key, value] : table)
        if (key == name) return value;
    return {};
}

bool is_a_key(std::string_view name) {
    const auto rows = all_keys();
    return std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.names == name; });
}

}  // namespace

std::string_view meant_by(std::string_view name) {
    return looked_up(misnomers, name);
}

std::string_view instead_of_former(std::string_view name) {
    return looked_up(former, name);
}

const TomlEntry* misnamed(const TomlTable& table, std::string_view name) {
    const std::size_t count = std::min(table.entries.size(), most_entries);
    for (std::size_t i = 0; i < count; ++i)
        if (std::any_of(misnomers.begin(), misnomers.end(),
                        [&](const auto& one) { return one.name == table.entries[i].key && one.meant == name; }))
            return &table.entries[i];
    for (std::size_t i = 0; i < count; ++i) {
        const std::string& key = table.entries[i].key;
        if (key.size() <= longest_name && !is_a_key(key) && edit_distance(key, name) * 3 <= name.size())
            return &table.entries[i];
    }
    return nullptr;
}

}  // namespace eflow
