#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/finding.hpp"
#include "shared/identity.hpp"
#include "shared/manifest.hpp"
#include "vm-agent/config/splice.hpp"
#include "vm-agent/identity/judge.hpp"
#include "vm-agent/machine/input.hpp"
#include "vm-agent/placement/key_copies.hpp"
#include "vm-agent/placement/tree.hpp"

namespace CLI {
class App;
}

namespace eflow {

/// What `provision` and `post-install` are asked for, as typed: from the flags or from a manifest.
struct ProvisionOptions {
    std::string manifest;
    std::string scope_id;
    std::string registration_id;
    std::string certificate;
    std::string key;
    std::string global_endpoint;
    std::string payload;
    std::string trust_bundle;
    std::string enrollment;
    std::string hostname;
    bool dry_run = false;
    bool no_apply = false;
    bool no_wait = false;
    std::string timeout = "5min";
    bool allow_after_2038 = false;
    bool force = false;
};

/// What post-install adds to a request: where the material comes from, and what of it lies about.
struct Adoption {
    std::string source;                   ///< "bundle", "config.toml" or "options"
    std::vector<std::string> named_keys;  ///< keys that config.toml names, or named before our last change of it
    std::vector<FileId> spared;           ///< files that were handed to us: whoever did so removes them
    bool keep_copies = false;
};

/// A request whose every part was judged. `material` and `config` are there only when no finding failed.
struct JudgedRequest {
    Findings findings;
    std::optional<IdentityMaterial> material;
    std::optional<ManagedConfig> config;
    std::string certificate_path;  ///< where the material goes, as the VM sees it
    std::string key_path;
    std::optional<Adoption> adoption;  ///< of post-install only
};

/// The files of an identity as they were read, with the names they go by in texts and where to look when they were not.
struct IdentityFiles {
    std::string certificate_name;
    std::string key_name;
    InputFile certificate;
    InputFile key;
    std::string certificate_remedy = "Check the path of --cert.";
    std::string key_remedy = "Check the path of --key.";
};

/// Declares the options that ProvisionOptions holds.
void declare_options(CLI::App& app, ProvisionOptions& options);

/// The manifest of --manifest, or an empty one. Throws Failure(refused) when it cannot be used.
Manifest manifest_of(const ProvisionOptions& options);

/// The flags put over `manifest`.
Manifest with_flags(Manifest manifest, const ProvisionOptions& options);

/// Judges everything that is wanted, collecting all findings. An empty registration_id means the leaf's CN.
JudgedRequest judge_request(const Manifest& wanted, const IdentityFiles& files, bool allow_after_2038, const Tree& tree,
                            Instant now);

}  // namespace eflow
