#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/finding.hpp"
#include "shared/identity.hpp"

namespace eflow {

/// What we write into config.toml. [provisioning] and [provisioning.attestation] are ours whole; each optional edge
/// setting, when given, replaces or adds that one key (or table) and leaves the rest.
struct ManagedConfig {
    std::string id_scope;
    std::string global_endpoint;
    std::optional<std::string> registration_id;  ///< only when it differs from the leaf's CN (iot-edge.md, section 6)
    std::string identity_cert_uri;               ///< file:///...
    std::string identity_pk_uri;                 ///< file:///...
    std::optional<std::string> payload_uri;

    std::optional<std::string> hostname;
    std::optional<std::string> trust_bundle_uri;
    struct EdgeCa {
        std::string cert_uri;
        std::string pk_uri;
    };
    std::optional<EdgeCa> edge_ca;
    std::optional<std::string> agent_image;
    std::optional<std::string> proxy;  ///< [agent.env] https_proxy
};

/// The new text and the findings on the way. `text` is absent when a finding failed: then nothing may be written.
struct Spliced {
    std::optional<std::string> text;
    Findings findings;
};

/// Puts `managed` into `existing` (empty for a new file). Every byte outside what we manage stays, comments and order
/// included. Another provisioning method that stands there is replaced only with `force` (finding
/// config.matches-manifest otherwise). Splicing the result again with the same input gives the same bytes.
Spliced splice(std::string_view existing, const ManagedConfig& managed, bool force);

/// `existing` without [provisioning] and its subtables: what deprovision leaves. Absent with a finding when it cannot
/// be parsed.
Spliced remove_provisioning(std::string_view existing);

}  // namespace eflow
