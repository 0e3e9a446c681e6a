#pragma once

#include <optional>
#include <string>

#include "shared/finding.hpp"
#include "shared/identity.hpp"
#include "vm-agent/config/splice.hpp"
#include "vm-agent/identity/judge.hpp"
#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// What `provision` was asked for, as typed: from the flags or from a manifest.
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

/// A request whose every part was judged. `material` and `config` are there only when no finding failed.
struct JudgedRequest {
    Findings findings;
    std::optional<IdentityMaterial> material;
    std::optional<ManagedConfig> config;
    std::string certificate_path;  ///< where the material goes, as the VM sees it
    std::string key_path;
};

/// Merges flags over the manifest, reads the files named and judges everything, collecting all findings.
/// Throws Failure(usage) when something that must be given is not.
JudgedRequest judge_request(const ProvisionOptions& options, const Tree& tree, Instant now);

}  // namespace eflow
