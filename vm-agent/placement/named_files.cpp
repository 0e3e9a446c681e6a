#include "vm-agent/placement/named_files.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "shared/failure.hpp"
#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/material.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

using Role = NamedFile::Role;

constexpr std::size_t largest_config = 1024 * 1024;

struct Words {
    CredentialUse use;
    const char* certificate;
    const char* key;
    bool identity;
};

constexpr std::array<Words, 6> words{{
    {CredentialUse::dps_identity, "the device's certificate", "the device's private key", true},
    {CredentialUse::manual_identity, "the device's certificate", "the device's private key", true},
    {CredentialUse::edge_ca, "the Edge CA certificate", "the Edge CA's key", false},
    {CredentialUse::local_ca, "the local CA's certificate", "the local CA's key", false},
    {CredentialUse::est_identity, "the EST client's certificate", "the EST client's key", false},
    {CredentialUse::est_bootstrap, "the EST bootstrap certificate", "the EST bootstrap key", false},
}};

class Names {
public:
    void add(const std::optional<std::string>& path, const char* what, Role role, bool identity = false,
             bool may_be_absent = false) {
        if (!path || !path->starts_with('/')) return;
        const auto same = [&](const NamedFile& one) { return one.path == *path && one.role == role; };
        if (std::find_if(all_.begin(), all_.end(), same) == all_.end())
            all_.push_back({*path, what, role, identity, may_be_absent});
    }
    std::vector<NamedFile> take() { return std::move(all_); }

private:
    std::vector<NamedFile> all_;
};

/// The settings of one daemon: its own file and every drop-in (config-common/src/lib.rs read_config).
std::vector<std::string> settings_of(const Tree& tree, const char* daemon) {
    const std::string folder = std::string("/etc/aziot/") + daemon;
    std::vector<std::string> files{folder + "/config.toml"};
    for (const auto& name : tree.names(folder + "/config.d")) files.push_back(folder + "/config.d/" + name);
    return files;
}

void take_text(KeysInUse& keys, std::string_view text) {
    const Material material = read_material(text);
    keys.paths.insert(keys.paths.end(), material.keys.begin(), material.keys.end());
    keys.paths.insert(keys.paths.end(), material.mentioned.begin(), material.mentioned.end());
    keys.texts.emplace_back(text);
}

/// Nothing is in the file's way but what the text says of it; what cannot be read leaves a doubt.
void take_file(KeysInUse& keys, const Tree& tree, const std::string& path) {
    try {
        if (const auto bytes = tree.read(path, largest_config)) take_text(keys, bytes->reveal());
    } catch (const Failure& failure) {
        if (keys.doubt.empty()) keys.doubt = std::string("what may name it cannot be read: ") + failure.what();
    }
}

}  // namespace

const char* reader_of(Role role) {
    switch (role) {
        case Role::certificate: return "aziotcs";
        case Role::key: return "aziotks";
        case Role::payload: return "aziotid";
    }
    return "";
}

std::vector<NamedFile> named_files(std::string_view config) {
    const Material material = read_material(config);
    Names names;
    if (!material.whole) return {};
    const bool bootstrapped = material.find(CredentialUse::est_bootstrap) != nullptr;
    for (const auto& word : words)
        for (const auto& one : material.credentials) {
            if (one.use != word.use) continue;
            // certd gets it with the bootstrap identity where it is not there yet.
            const bool absent = one.use == CredentialUse::est_identity && bootstrapped;
            names.add(one.cert_path, word.certificate, Role::certificate, word.identity, absent);
            names.add(one.pk_path, word.key, Role::key, word.identity, absent);
        }
    names.add(material.trust_bundle_cert_path, "the trust bundle", Role::certificate);
    if (const auto provisioning = read_provisioning(config); provisioning && provisioning->payload)
        names.add(path_of_file_uri(*provisioning->payload), "the DPS payload", Role::payload);
    for (const auto& path : material.certificates) names.add(path, "a certificate that it preloads", Role::certificate);
    // keyd makes a preloaded key that is not there (aziot-keys/src/key_pair.rs create_inner).
    for (const auto& path : material.keys) names.add(path, "a key that it preloads", Role::key, false, true);
    return names.take();
}

bool KeysInUse::may_use(const std::string& path) const {
    if (std::find(paths.begin(), paths.end(), path) != paths.end()) return true;
    const std::string uri = file_uri(path);
    return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
        return text.find(path) != std::string::npos || text.find(uri) != std::string::npos;
    });
}

KeysInUse keys_in_use(const Tree& tree, const std::optional<std::string>& config) {
    KeysInUse keys;
    if (!config) {
        keys.doubt = "there is no config.toml that would say so";
    } else {
        take_text(keys, *config);
        if (!can_be_read(*config))
            keys.doubt = "config.toml cannot be parsed";
        else if (!read_provisioning(*config))
            keys.doubt = "config.toml has no [provisioning]";
    }
    take_file(keys, tree, names::previous_config);
    take_file(keys, tree, names::journal);
    take_file(keys, tree, "/etc/eflow-agent/device.toml");
    for (const char* daemon : {"keyd", "certd", "identityd", "edged"}) {
        try {
            for (const auto& path : settings_of(tree, daemon)) take_file(keys, tree, path);
        } catch (const Failure& failure) {
            if (keys.doubt.empty()) keys.doubt = failure.what();
        }
    }
    if (keys.doubt.empty() && tree.status(names::journal)) keys.doubt = "a change of this device was interrupted";
    return keys;
}

}  // namespace eflow
