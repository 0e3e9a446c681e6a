#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/finding.hpp"
#include "shared/identity.hpp"
#include "vm-agent/config/statements.hpp"

namespace eflow {

/// What we write into config.toml: these keys of [provisioning], and each optional edge setting that is given. Every
/// other key stays; only those of another source or method, which DPS X.509 does not have, are taken out.
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

/// A setting outside of [provisioning] that was wanted, and what stood there before.
struct EdgeSetting {
    KeyPath path;
    std::string text;
    std::optional<std::string> stood;  ///< absent: nothing did
};

/// The new text and the findings on the way. `text` is absent when a finding failed: then nothing may be written.
struct Spliced {
    std::optional<std::string> text;
    Findings findings;
    std::vector<EdgeSetting> edge;  ///< what `managed` sets outside of [provisioning]
};

/// Puts `managed` into `existing` (empty for a new file). Every byte outside the values that must change stays:
/// comments, order, indentation, the form of tables, line ends, a byte order mark. A payload that is not given stays.
/// Another provisioning method is replaced only with `force`, and what is taken out with it is named (finding
/// config.matches-manifest). Splicing the result again with the same input gives the same bytes.
Spliced splice(std::string_view existing, const ManagedConfig& managed, bool force);

/// `existing` without [provisioning] and its subtables: what deprovision leaves. Absent with a finding when it cannot
/// be parsed.
Spliced remove_provisioning(std::string_view existing);

/// `existing` without those of `ours` that still say what they said, and without the tables that are empty then. The
/// name, type and image of [agent] stay while anything else stands there, which needs them.
std::string remove_settings(std::string_view existing, const std::vector<EdgeSetting>& ours);

}  // namespace eflow
