#include "vm-agent/config/judge.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "shared/identity.hpp"
#include "vm-agent/config/document.hpp"
#include "vm-agent/config/schema.hpp"

namespace eflow {

namespace {

using Complaints = std::vector<std::pair<std::string, std::string>>;  ///< what is wrong, what to do

constexpr int least_timeout = 70;  // aziot_identityd_config::deserialize_cloud_timeout
constexpr std::size_t longest_hostname = 64;

bool is_table(const toml::value* value) {
    return value != nullptr && value->is_table();
}
bool has(const toml::value& table, const char* key) {
    return table.as_table().count(key) > 0;
}

void need(const toml::value& root, std::initializer_list<const char*> path, std::initializer_list<const char*> keys,
          const char* name, Complaints& complaints) {
    const toml::value* table = value_at(root, path);
    if (!is_table(table)) return;
    for (const char* key : keys)
        if (!has(*table, key))
            complaints.emplace_back(
                std::string("[") + name + "] lacks " + key,
                std::string("Add ") + key + " to [" + name + "]: IoT Edge wants all of its keys, or no such table.");
}

void provisioning_rules(const toml::value& root, Complaints& complaints) {
    const toml::value* provisioning = value_at(root, {"provisioning"});
    if (!is_table(provisioning)) {
        complaints.emplace_back(no_provisioning, "Provision this device: eflow-agent provision --help");
        return;
    }
    const auto source = text_at(root, {"provisioning", "source"});
    if (!source || (*source != "dps" && *source != "manual" && *source != "none")) {
        complaints.emplace_back("provisioning.source is " + (source ? "\"" + *source + "\"" : std::string("missing")),
                                "It must be \"dps\", \"manual\" or \"none\".");
        return;
    }
    if (*source == "manual") {
        if (!has(*provisioning, "connection_string"))
            need(root, {"provisioning"}, {"iothub_hostname", "device_id", "authentication"}, "provisioning",
                 complaints);
        return;
    }
    if (*source != "dps") return;
    need(root, {"provisioning"}, {"global_endpoint", "id_scope", "attestation"}, "provisioning", complaints);
    if (value_at(root, {"parent_hostname"}) != nullptr || value_at(root, {"local_gateway_hostname"}) != nullptr)
        complaints.emplace_back(
            "parent_hostname stands beside DPS provisioning, which IoT Edge refuses (not supported in nested mode)",
            "Take out parent_hostname, or provision this nested device manually.");
    const toml::value* attestation = value_at(root, {"provisioning", "attestation"});
    if (!is_table(attestation)) return;
    const auto method = text_at(root, {"provisioning", "attestation", "method"});
    if (method == "symmetric_key")
        need(root, {"provisioning", "attestation"}, {"registration_id", "symmetric_key"}, "provisioning.attestation",
             complaints);
    else if (method == "tpm")
        need(root, {"provisioning", "attestation"}, {"registration_id"}, "provisioning.attestation", complaints);
    else if (method != "x509")
        complaints.emplace_back("provisioning.attestation.method is none that IoT Edge knows",
                                "It must be \"x509\", \"tpm\" or \"symmetric_key\".");
}

/// A pair of certificate and key, wherever upstream's X509Identity stands. Its own message names no field.
void pair_rules(const toml::value& root, std::initializer_list<const char*> path, const char* name,
                Complaints& complaints) {
    const toml::value* table = value_at(root, path);
    if (!is_table(table) || text_at(*table, {"method"}) != "x509") return;
    const toml::value* certificate = value_at(*table, {"identity_cert"});
    if (certificate == nullptr) {
        complaints.emplace_back(std::string(name) + ".identity_cert is missing",
                                "Give the URI of the certificate: file:///...");
        return;
    }
    if (!certificate->is_string()) return;
    const std::string uri(certificate->as_string());
    if (!uri.starts_with("file:"))
        complaints.emplace_back(std::string(name) + ".identity_cert is no file URI",
                                "Write it as a URI: \"file:///var/aziot/certs/...\".");
    const auto key = text_at(*table, {"identity_pk"});
    if (!key)
        complaints.emplace_back(std::string(name) + ".identity_cert stands without identity_pk",
                                "Add identity_pk, the URI of its private key.");
    else if (!key->starts_with("file:") && !key->starts_with("pkcs11:"))
        complaints.emplace_back(std::string(name) + ".identity_pk is neither a file: nor a pkcs11: URI",
                                "Write it as a URI: \"file:///var/aziot/secrets/...\".");
}

void table_rules(const toml::value& root, Complaints& complaints) {
    need(root, {"aziot_max_requests"}, {"keyd", "certd", "tpmd", "identityd"}, "aziot_max_requests", complaints);
    need(root, {"iotedge_max_requests"}, {"management", "workload"}, "iotedge_max_requests", complaints);
    need(root, {"connect"}, {"workload_uri", "management_uri"}, "connect", complaints);
    need(root, {"listen"}, {"workload_uri", "management_uri"}, "listen", complaints);
    need(root, {"moby_runtime"}, {"uri", "network"}, "moby_runtime", complaints);
    need(root, {"agent"}, {"name", "type", "config"}, "agent", complaints);
    need(root, {"agent", "config"}, {"image"}, "agent.config", complaints);
    need(root, {"edge_ca", "auto_renew"}, {"rotate_key", "threshold", "retry"}, "edge_ca.auto_renew", complaints);
    need(root, {"provisioning", "attestation", "identity_cert", "auto_renew"}, {"rotate_key", "threshold", "retry"},
         "provisioning.attestation.identity_cert.auto_renew", complaints);
    need(root, {"provisioning", "payload"}, {"uri"}, "provisioning.payload", complaints);
}

void value_rules(const toml::value& root, Complaints& complaints) {
    if (const toml::value* mode = value_at(root, {"auto_reprovisioning_mode"})) {
        const auto word = text_at(root, {"auto_reprovisioning_mode"});
        if (!word || (*word != "Dynamic" && *word != "AlwaysOnStartup" && *word != "OnErrorOnly"))
            complaints.emplace_back(
                "line " + std::to_string(mode->location().line()) + ": auto_reprovisioning_mode is no known word",
                "It must be \"Dynamic\", \"AlwaysOnStartup\" or \"OnErrorOnly\", in this spelling.");
    }
    if (const toml::value* index = value_at(root, {"tpm", "auth_key_index"}); index != nullptr && !index->is_integer())
        complaints.emplace_back("tpm.auth_key_index is no integer",
                                "Write it without quotes: auth_key_index = 0x000100 (the template quotes it).");
    for (const auto& path :
         {std::initializer_list<const char*>{"edge_ca", "expiry_days"},
          std::initializer_list<const char*>{"provisioning", "attestation", "identity_cert", "expiry_days"}})
        if (const toml::value* days = value_at(root, path);
            days != nullptr && days->is_integer() && days->as_integer() <= 0)
            complaints.emplace_back("expiry_days must be greater than 0",
                                    "Give the days that an issued certificate lasts.");
    if (const toml::value* retries = value_at(root, {"watchdog", "max_retries"});
        retries != nullptr && retries->is_string()) {
        std::string word(retries->as_string());
        std::transform(word.begin(), word.end(), word.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        if (word != "infinite")
            complaints.emplace_back("watchdog.max_retries is neither a number nor \"infinite\"",
                                    "Write a number, or \"infinite\".");
    }
    for (const char* table : {"preloaded_keys", "preloaded_certs"}) {
        const toml::value* uris = value_at(root, {table});
        if (!is_table(uris)) continue;
        for (const auto& [name, uri] : uris->as_table()) {
            if (!uri.is_string()) continue;
            const std::string text(uri.as_string());
            const bool fits = text.starts_with("file:") ||
                              (std::string_view(table) == "preloaded_keys" && text.starts_with("pkcs11:"));
            if (!fits)
                complaints.emplace_back(std::string(table) + "." + name + " has a URI that IoT Edge cannot use",
                                        "Write it as file:///...");
        }
    }
    if (const auto bundle = text_at(root, {"trust_bundle_cert"}); bundle && !bundle->starts_with("file:"))
        complaints.emplace_back("trust_bundle_cert is no file URI", "Write it as \"file:///...\".");
}

/// "80%" with 1 to 99, "10min" or "3day" (cert/cert-renewal/src/policy.rs).
bool is_renewal_policy(std::string_view text) {
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    const std::string_view unit = text.substr(digits);
    if (digits == 0 || digits > 9 || text.find_first_not_of('0') >= digits) return false;
    return unit == "min" || unit == "day" || (unit == "%" && digits <= 2);
}

void renewal_rules(const toml::value& root, Complaints& complaints) {
    for (const auto& path :
         {std::initializer_list<const char*>{"edge_ca", "auto_renew"},
          std::initializer_list<const char*>{"cert_issuance", "est", "identity_auto_renew"},
          std::initializer_list<const char*>{"provisioning", "attestation", "identity_cert", "auto_renew"}}) {
        const toml::value* table = value_at(root, path);
        if (!is_table(table)) continue;
        for (const char* key : {"threshold", "retry"})
            if (has(*table, key) && !is_renewal_policy(text_at(*table, {key}).value_or("")))
                complaints.emplace_back(std::string("the renewal ") + key + " is no policy that IoT Edge knows",
                                        "Write it as \"80%\" (1 to 99), \"10min\" or \"3day\".");
    }
}

void garbage_collection_rules(const toml::value& root, Complaints& complaints) {
    const auto time = text_at(root, {"image_garbage_collection", "cleanup_time"});
    const auto is_time = [](const std::string& text) {
        const auto digit = [&](std::size_t i, char most) { return text[i] >= '0' && text[i] <= most; };
        return text.size() == 5 && text[2] == ':' && digit(0, '2') && digit(1, text[0] == '2' ? '3' : '9') &&
               digit(3, '5') && digit(4, '9');
    };
    if (time && !is_time(*time))
        complaints.emplace_back("image_garbage_collection.cleanup_time is no time of day", "Write it as \"HH:MM\".");
}

Finding well_formed(const toml::value& root) {
    constexpr auto id = "config.well-formed";
    Complaints complaints;
    provisioning_rules(root, complaints);
    pair_rules(root, {"provisioning", "attestation"}, "provisioning.attestation", complaints);
    pair_rules(root, {"provisioning", "authentication"}, "provisioning.authentication", complaints);
    table_rules(root, complaints);
    value_rules(root, complaints);
    renewal_rules(root, complaints);
    garbage_collection_rules(root, complaints);
    if (complaints.empty()) return ok(id, "config.toml has the form IoT Edge reads");
    std::string detail;
    std::string remedy;
    for (const auto& [what, todo] : complaints) {
        detail += (detail.empty() ? "" : "\n") + what;
        remedy += (remedy.empty() ? "" : "\n") + todo;
    }
    return failed(id, "iotedge config apply would refuse config.toml", detail, remedy);
}

Finding scope_id(const toml::value& root) {
    constexpr auto id = "config.scope-id";
    const auto text = text_at(root, {"provisioning", "id_scope"});
    if (!text) return skipped(id, "There is no ID scope to judge", "this device is not provisioned through DPS");
    const auto judged = IdScope::parse(*text);
    if (const auto* finding = std::get_if<Finding>(&judged)) return *finding;
    if (std::get<IdScope>(judged).unusual())
        return warning(id, "The ID scope looks unusual", "'" + *text + "' is not 0ne and eight hexadecimal digits",
                       "Compare it with the ID Scope on the overview page of the DPS instance.");
    return ok(id, "The ID scope has the form DPS gives", *text);
}

Finding endpoint(const toml::value& root) {
    constexpr auto id = "config.endpoint";
    const auto text = text_at(root, {"provisioning", "global_endpoint"});
    if (!text) return skipped(id, "There is no endpoint to judge", "this device is not provisioned through DPS");
    const auto judged = DpsEndpoint::parse(*text);
    if (const auto* finding = std::get_if<Finding>(&judged)) return *finding;
    if (text->find("://") == std::string::npos)
        return failed(id, "The global endpoint is no URL", "'" + *text + "' lacks its scheme",
                      "Write https://" + *text + "/");
    return ok(id, "The global endpoint is an https address", *text);
}

Finding timeouts(const toml::value& root) {
    constexpr auto id = "config.timeouts";
    const toml::value* timeout = value_at(root, {"cloud_timeout_sec"});
    if (timeout == nullptr) return ok(id, "The cloud timeout is the default of 70 s");
    if (timeout->is_integer() && timeout->as_integer() >= least_timeout)
        return ok(id, "The cloud timeout is long enough");
    return failed(id, "iotedge config apply would refuse the cloud timeout",
                  "line " + std::to_string(timeout->location().line()) +
                      ": cloud_timeout_sec must be a number of at least 70 seconds",
                  "Take the line out, or write 70 or more (the shipped template's 10 is refused).");
}

Finding hostname(const toml::value& root) {
    constexpr auto id = "config.hostname";
    const toml::value* value = value_at(root, {"hostname"});
    if (value == nullptr) return ok(id, "The hostname is the machine's own");
    const std::string name = value->is_string() ? std::string(value->as_string()) : std::string();
    const auto allowed = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
    };
    const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), allowed) && name.front() != '-' &&
                       name.back() != '-' && name.front() != '.' && name.find("..") == std::string::npos;
    if (!plain)
        return failed(
            id, "The hostname is not one",
            "line " + std::to_string(value->location().line()) + ": only letters, digits, dashes and dots (RFC 1035)",
            "Write the machine's own name: hostnamectl hostname");
    if (name.size() > longest_hostname)
        return warning(id, "The hostname is too long for a certificate",
                       std::to_string(name.size()) + " characters, more than 64",
                       "Modules that connect by this name will fail; choose a shorter one.");
    return ok(id, "The hostname has a valid form", name);
}

}  // namespace

Findings judge_config(std::string_view text) {
    const auto parsed = parse_document(text);
    if (const auto* finding = std::get_if<Finding>(&parsed)) {
        Findings findings{*finding};
        for (const char* id :
             {"config.known-keys", "config.scope-id", "config.endpoint", "config.timeouts", "config.hostname"})
            findings.push_back(skipped(id, "Not judged", "config.toml cannot be read"));
        return findings;
    }
    const toml::value& root = std::get<toml::value>(parsed);
    Findings findings{well_formed(root)};
    append(findings, judge_keys(root));
    for (const auto check : {scope_id, endpoint, timeouts, hostname}) findings.push_back(check(root));
    return findings;
}

std::optional<ProvisioningSeen> read_provisioning(std::string_view text) {
    const auto parsed = parse_document(text);
    const auto* root = std::get_if<toml::value>(&parsed);
    if (root == nullptr || value_at(*root, {"provisioning"}) == nullptr) return std::nullopt;
    ProvisioningSeen seen;
    seen.source = text_at(*root, {"provisioning", "source"}).value_or("");
    seen.method = text_at(*root, {"provisioning", "attestation", "method"})
                      .value_or(text_at(*root, {"provisioning", "authentication", "method"}).value_or(""));
    seen.id_scope = text_at(*root, {"provisioning", "id_scope"});
    seen.global_endpoint = text_at(*root, {"provisioning", "global_endpoint"});
    seen.registration_id = text_at(*root, {"provisioning", "attestation", "registration_id"});
    seen.identity_cert = text_at(*root, {"provisioning", "attestation", "identity_cert"});
    seen.identity_pk = text_at(*root, {"provisioning", "attestation", "identity_pk"});
    seen.payload = text_at(*root, {"provisioning", "payload", "uri"});
    seen.agent_proxy = text_at(*root, {"agent", "env", "https_proxy"})
                           .value_or(text_at(*root, {"agent", "env", "HTTPS_PROXY"}).value_or(""));
    return seen;
}

bool can_be_read(std::string_view text) {
    return std::holds_alternative<toml::value>(parse_document(text));
}

bool could_be_applied(std::string_view text) {
    return gravest(judge_config(text)) != Severity::failed && read_provisioning(text).has_value();
}

}  // namespace eflow
