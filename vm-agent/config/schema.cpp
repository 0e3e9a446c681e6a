#include "vm-agent/config/schema.hpp"

#include <array>
#include <utility>
#include <vector>

#include "shared/manifest.hpp"

namespace eflow {

namespace {

/// A key that may stand below `table`. A `*` as key takes any name; `**` as table of a key's children takes anything.
struct Row {
    const char* table;
    const char* keys;  ///< separated by blanks
};

/// The keys of super_config.rs in Azure/iot-identity-service (aziotctl/aziotctl-common/src/config) and Azure/iotedge
/// (edgelet/iotedge/src/config) and of the types they flatten. Tables that issue a certificate share one set of keys.
constexpr const char* issuance =
    "method common_name subject expiry_days auto_renew url username password identity_cert identity_pk "
    "bootstrap_identity_cert "
    "bootstrap_identity_pk";
constexpr const char* renewal = "rotate_key threshold retry";

constexpr std::array schema{
    Row{"",
        "hostname parent_hostname local_gateway_hostname cloud_timeout_sec cloud_retries prefer_module_identity_cache "
        "aziot_max_requests provisioning localid aziot_keys preloaded_keys preloaded_certs cert_issuance tpm endpoints "
        "trust_bundle_cert allow_elevated_docker_permissions auto_reprovisioning_mode imported_master_encryption_key "
        "additional_info iotedge_max_requests agent connect listen watchdog edge_ca moby_runtime "
        "image_garbage_collection"},
    Row{"aziot_max_requests", "keyd certd tpmd identityd"},
    Row{"provisioning",
        "source connection_string iothub_hostname device_id authentication global_endpoint id_scope attestation "
        "payload"},
    Row{"provisioning.payload", "uri"},
    Row{"provisioning.authentication", "method device_id_pk identity_cert identity_pk"},
    Row{"provisioning.authentication.device_id_pk", "value uri"},
    Row{"provisioning.authentication.identity_cert", issuance},
    Row{"provisioning.authentication.identity_cert.auto_renew", renewal},
    Row{"provisioning.attestation", "method registration_id symmetric_key identity_cert identity_pk"},
    Row{"provisioning.attestation.symmetric_key", "value uri"},
    Row{"provisioning.attestation.identity_cert", issuance},
    Row{"provisioning.attestation.identity_cert.auto_renew", renewal},
    Row{"localid", "domain"},
    Row{"aziot_keys", "*"},
    Row{"preloaded_keys", "*"},
    Row{"preloaded_certs", "*"},
    Row{"cert_issuance", "est local_ca"},
    Row{"cert_issuance.est", "trusted_certs identity_auto_renew auth urls"},
    Row{"cert_issuance.est.identity_auto_renew", renewal},
    Row{"cert_issuance.est.auth",
        "username password identity_cert identity_pk bootstrap_identity_cert bootstrap_identity_pk"},
    Row{"cert_issuance.est.urls", "*"},
    Row{"cert_issuance.local_ca", "cert pk"},
    Row{"cert_issuance.local_ca.cert", issuance},
    Row{"cert_issuance.local_ca.cert.auto_renew", renewal},
    Row{"tpm", "tcti auth_key_index hierarchy_authorization"},
    Row{"tpm.hierarchy_authorization", "endorsement owner"},
    Row{"endpoints", "*"},
    Row{"iotedge_max_requests", "management workload"},
    Row{"agent", "name type imagePullPolicy config env"},
    Row{"agent.config", "image createOptions imageHash digest auth"},
    Row{"agent.config.auth", "username password email serveraddress"},
    Row{"agent.env", "*"},
    Row{"connect", "workload_uri management_uri"},
    Row{"listen", "workload_uri management_uri"},
    Row{"watchdog", "max_retries"},
    Row{"edge_ca",
        "method common_name subject expiry_days auto_renew url username password identity_cert identity_pk "
        "bootstrap_identity_cert bootstrap_identity_pk cert pk auto_generated_edge_ca_expiry_days"},
    Row{"edge_ca.auto_renew", renewal},
    Row{"moby_runtime", "uri network content_trust"},
    Row{"moby_runtime.network", "name ipv6 ipam"},
    Row{"moby_runtime.network.ipam", "config"},
    Row{"moby_runtime.content_trust", "ca_certs"},
    Row{"moby_runtime.content_trust.ca_certs", "*"},
    Row{"image_garbage_collection", "enabled cleanup_recurrence image_age_cleanup_threshold cleanup_time"},
};

/// Names of IoT Edge 1.1's config.yaml and what took their place.
constexpr std::array<std::pair<const char*, const char*>, 3> former{
    {{"always_reprovision_on_startup", "auto_reprovisioning_mode = \"AlwaysOnStartup\""},
     {"dynamic_reprovisioning", "auto_reprovisioning_mode = \"Dynamic\""},
     {"homedir", "nothing: the folder is fixed"}}};

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> all;
    while (!text.empty()) {
        const auto word = text.substr(0, text.find(' '));
        if (!word.empty()) all.emplace_back(word);
        text.remove_prefix(std::min(text.size(), word.size() + 1));
    }
    return all;
}

const Row* row_of(const std::string& table) {
    for (const auto& row : schema)
        if (table == row.table) return &row;
    return nullptr;
}

Finding unknown(const std::string& path, const std::string& key, const toml::value& value,
                const std::vector<std::string>& known) {
    constexpr auto id = "config.known-keys";
    const std::string where = "line " + std::to_string(value.location().line()) + ": " + path;
    for (const auto& [name, now] : former)
        if (key == name)
            return warning(id, "A key of IoT Edge 1.1 has no effect any more", where,
                           std::string("Take it out; its place took ") + now + ".");
    const auto near = nearest(key, known);
    return warning(id, "A key is unknown to IoT Edge, which ignores it silently", where,
                   near ? "Did you mean " + *near + "?" : "Take it out, or put it into the table where it belongs.");
}

void walk(const toml::value& value, const std::string& table, Findings& findings) {
    const Row* row = row_of(table);
    if (row == nullptr || !value.is_table()) return;
    const auto known = words(row->keys);
    if (known.size() == 1 && known.front() == "*") return;
    for (const auto& [key, child] : value.as_table()) {
        const std::string path = table.empty() ? key : table + "." + key;
        if (std::find(known.begin(), known.end(), key) == known.end())
            findings.push_back(unknown(path, key, child, known));
        else
            walk(child, path, findings);
    }
}

}  // namespace

Findings judge_keys(const toml::value& root) {
    Findings findings;
    walk(root, "", findings);
    if (findings.empty()) findings.push_back(ok("config.known-keys", "Every key is known to IoT Edge"));
    // The parser's table has no order; people read in the order of the file.
    std::sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) { return a.detail < b.detail; });
    return findings;
}

}  // namespace eflow
