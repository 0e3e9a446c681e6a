#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shared/finding.hpp"

namespace eflow {

/// The provisioning that stands in a config.toml, as far as it is there. Values are as written.
struct ProvisioningSeen {
    std::string source;  ///< "dps", "manual", "none" or what else stands there
    std::string method;  ///< attestation or authentication method; "" when none
    std::optional<std::string> id_scope;
    std::optional<std::string> global_endpoint;
    std::optional<std::string> registration_id;
    std::optional<std::string> identity_cert;  ///< URI; absent when issued by a table
    std::optional<std::string> identity_pk;
    std::optional<std::string> payload;  ///< URI
    std::string agent_proxy;             ///< that edgeAgent is given in [agent.env]; "" when none
};

/// What judge_config complains of (config.well-formed) in IoT Edge's own template, which a VM comes with.
inline constexpr const char* no_provisioning = "there is no [provisioning]";

/// The config checks that the text alone decides: well-formed, known-keys, scope-id, endpoint, timeouts, hostname.
/// Failed is what `iotedge config apply` refuses (upstream_types.cpp has upstream's types), a warning what it takes and
/// what will not work. One finding an id at least; of well-formed and known-keys one for each fault, in the file's
/// order.
Findings judge_config(std::string_view text);

/// The warning config.endpoint when scope and endpoint's host are of different Azure clouds (0us with .net).
std::optional<Finding> cloud_mismatch(std::string_view scope, std::string_view host);

/// Nothing when the text is no TOML or holds no [provisioning].
std::optional<ProvisioningSeen> read_provisioning(std::string_view text);

/// Whether the text is TOML that upstream could parse.
bool can_be_read(std::string_view text);

/// Whether `iotedge config apply` could take the text, as far as the text alone decides: it can be read, provisions,
/// and no rule of upstream's is broken.
bool could_be_applied(std::string_view text);

/// `text` with every secret value (connection strings, symmetric keys, passwords, pin-values) replaced by "***".
/// For showing: diffs, reports, bundles.
std::string redacted(std::string_view text);

}  // namespace eflow
