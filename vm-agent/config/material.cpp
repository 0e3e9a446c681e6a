#include "vm-agent/config/material.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "vm-agent/config/document.hpp"
#include "vm-agent/config/file_uri.hpp"

namespace eflow {

namespace {

/// Keys of config.toml whose value is a private or shared key, wherever they stand.
constexpr std::array<std::string_view, 4> key_names{"identity_pk", "bootstrap_identity_pk", "pk",
                                                    "imported_master_encryption_key"};
constexpr std::array<std::string_view, 5> certificate_names{"identity_cert", "bootstrap_identity_cert",
                                                            "trust_bundle_cert", "cert", "trusted_certs"};
/// Tables whose every value is a certificate; `preloaded_keys`, `device_id_pk` and `symmetric_key` hold keys.
constexpr std::array<std::string_view, 2> certificate_tables{"preloaded_certs", "ca_certs"};
constexpr std::array<std::string_view, 3> key_tables{"preloaded_keys", "device_id_pk", "symmetric_key"};

template <class Words>
bool is_among(const Words& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::optional<std::string> path_of(std::string_view value) {
    if (value.starts_with('/')) return std::string(value);
    return path_of_file_uri(value);
}

/// A list in the order of arrival without repetitions, in time that a hostile text cannot stretch.
class Paths {
public:
    void add(const std::string& path) {
        if (seen_.insert(path).second) list_.push_back(path);
    }
    std::vector<std::string> take() { return std::move(list_); }

private:
    std::set<std::string> seen_;
    std::vector<std::string> list_;
};

enum class Role { none, key, certificate };

struct Collected {
    Paths keys, certificates, mentioned;
};

void collect(const Toml& value, Role role, Collected& found) {
    if (const auto* text = value.text()) {
        const auto path = path_of(*text);
        if (!path) return;
        found.mentioned.add(*path);
        if (role == Role::key) found.keys.add(*path);
        if (role == Role::certificate) found.certificates.add(*path);
    } else if (const auto* array = value.array()) {
        for (const auto& one : *array) collect(one, role, found);
    } else if (const auto* table = value.table()) {
        for (const auto& entry : table->entries) {
            const std::string& key = entry.key;
            Role next = role;
            if (is_among(key_names, key) || is_among(key_tables, key))
                next = Role::key;
            else if (is_among(certificate_names, key) || is_among(certificate_tables, key))
                next = Role::certificate;
            // identity_cert and cert may be tables that issue one, with keys of their own names.
            if (entry.value.table() != nullptr && !is_among(certificate_tables, key) && !is_among(key_tables, key))
                next = Role::none;
            collect(entry.value, next, found);
        }
    }
}

/// Every path and file URI that stands in the text, read as text: what follows `file:` or a slash at the start of a
/// word, up to the quote that encloses it, or else to the end of the word.
void scan(std::string_view text, Paths& found) {
    const auto ends_word = [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || std::string_view("\"',;#]})").find(c) != std::string_view::npos;
    };
    for (std::size_t at = 0; at < text.size();) {
        const bool starts_word =
            at == 0 || ends_word(text[at - 1]) || std::string_view("=[({").find(text[at - 1]) != std::string_view::npos;
        const std::string_view rest = text.substr(at);
        const bool uri = rest.size() > 5 && rest[4] == ':' && (rest[0] | 32) == 'f' && (rest[1] | 32) == 'i' &&
                         (rest[2] | 32) == 'l' && (rest[3] | 32) == 'e';
        if (!starts_word || (!uri && text[at] != '/')) {
            ++at;
            continue;
        }
        const char quote = at > 0 && (text[at - 1] == '"' || text[at - 1] == '\'') ? text[at - 1] : '\0';
        std::size_t end = at + 1;
        while (end < text.size() && text[end] != '\n' && text[end] != '\r' &&
               (quote != '\0' ? text[end] != quote : !ends_word(text[end])))
            ++end;
        if (const auto path = path_of(text.substr(at, end - at)); path && path->size() > 1) found.add(*path);
        at = end;
    }
}

void add_credential(const Toml& root, CredentialUse use, std::initializer_list<std::string_view> table,
                    const char* cert, const char* pk, std::vector<NamedCredential>& to) {
    const Toml* at = root.find(table);
    if (at == nullptr || at->table() == nullptr) return;
    NamedCredential one;
    one.use = use;
    for (const auto name : table) one.table += (one.table.empty() ? "" : ".") + std::string(name);
    one.cert = text_at(*at, {cert});
    one.pk = text_at(*at, {pk});
    if (!one.cert && !one.pk) return;
    if (one.cert) one.cert_path = path_of_file_uri(*one.cert);
    if (one.pk) one.pk_path = path_of_file_uri(*one.pk);
    to.push_back(std::move(one));
}

/// EdgeCa is untagged: the first variant that fits (edgelet/iotedge super_config.rs:80).
EdgeCaForm form_of(const Toml& root) {
    const Toml* table = root.find("edge_ca");
    if (table == nullptr) return EdgeCaForm::absent;
    if (text_at(root, {"edge_ca", "method"})) return EdgeCaForm::issued;
    if (text_at(root, {"edge_ca", "cert"}) && text_at(root, {"edge_ca", "pk"})) return EdgeCaForm::preloaded;
    if (root.find({"edge_ca", "auto_generated_edge_ca_expiry_days"}) != nullptr) return EdgeCaForm::quickstart;
    return EdgeCaForm::unknown;
}

}  // namespace

const NamedCredential* Material::find(CredentialUse use) const {
    const auto found =
        std::find_if(credentials.begin(), credentials.end(), [&](const auto& one) { return one.use == use; });
    return found == credentials.end() ? nullptr : &*found;
}

Material read_material(std::string_view text) {
    Material material;
    Collected found;
    const auto read = read_document(text);
    if (const auto* document = std::get_if<TomlText>(&read)) {
        const Toml* root = &document->root;
        collect(*root, Role::none, found);
        auto& all = material.credentials;
        add_credential(*root, CredentialUse::dps_identity, {"provisioning", "attestation"}, "identity_cert",
                       "identity_pk", all);
        add_credential(*root, CredentialUse::manual_identity, {"provisioning", "authentication"}, "identity_cert",
                       "identity_pk", all);
        add_credential(*root, CredentialUse::local_ca, {"cert_issuance", "local_ca"}, "cert", "pk", all);
        material.edge_ca = form_of(*root);
        if (material.edge_ca == EdgeCaForm::issued)
            material.edge_ca_method = text_at(*root, {"edge_ca", "method"}).value_or("");
        else
            add_credential(*root, CredentialUse::edge_ca, {"edge_ca"}, "cert", "pk", all);
        // Whoever issues by EST may carry the EST server's credentials itself (super_config.rs:314, flattened).
        for (const auto& table :
             {std::initializer_list<std::string_view>{"cert_issuance", "est", "auth"},
              std::initializer_list<std::string_view>{"provisioning", "attestation", "identity_cert"},
              std::initializer_list<std::string_view>{"provisioning", "authentication", "identity_cert"},
              std::initializer_list<std::string_view>{"edge_ca"}}) {
            add_credential(*root, CredentialUse::est_identity, table, "identity_cert", "identity_pk", all);
            add_credential(*root, CredentialUse::est_bootstrap, table, "bootstrap_identity_cert",
                           "bootstrap_identity_pk", all);
        }
        material.trust_bundle_cert = text_at(*root, {"trust_bundle_cert"});
        if (material.trust_bundle_cert) material.trust_bundle_cert_path = path_of_file_uri(*material.trust_bundle_cert);
        material.moby_uri = text_at(*root, {"moby_runtime", "uri"});
        material.hostname = text_at(*root, {"hostname"});
        if (const Toml* env = root->find({"agent", "env"}); env != nullptr && env->table() != nullptr)
            for (const auto& entry : env->table()->entries)
                if (entry.value.text() != nullptr) material.agent_env.emplace(entry.key, *entry.value.text());
    } else {
        material.whole = false;
    }
    scan(text, found.mentioned);
    material.mentioned = found.mentioned.take();
    material.keys = material.whole ? found.keys.take() : material.mentioned;
    material.certificates = material.whole ? found.certificates.take() : material.mentioned;
    return material;
}

}  // namespace eflow
