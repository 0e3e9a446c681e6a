#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// What a certificate and key that config.toml names are for (super_config.rs of Azure/iot-identity-service and
/// Azure/iotedge: X509Identity, EdgeCa, EstAuthX509, LocalCa).
enum class CredentialUse { dps_identity, manual_identity, edge_ca, local_ca, est_identity, est_bootstrap };

/// A certificate and a private key, as one table of config.toml names them.
struct NamedCredential {
    CredentialUse use{};
    std::string table;                     ///< dotted: "provisioning.attestation", "cert_issuance.est.auth"
    std::optional<std::string> cert;       ///< URI as written
    std::optional<std::string> pk;         ///< URI as written
    std::optional<std::string> cert_path;  ///< absent when `cert` is no file URI
    std::optional<std::string> pk_path;    ///< absent when `pk` is no file URI (pkcs11:)
};

/// Where the Edge CA comes from; upstream tries its variants in this order (edgelet/iotedge super_config.rs:80).
/// `absent` is a self-signed one of 90 days; `unknown` is a table that fits none, which upstream refuses.
enum class EdgeCaForm { absent, issued, preloaded, quickstart, unknown };

/// Everything that a config.toml names outside itself.
struct Material {
    /// Whether the text could be read. When not, `keys` and `certificates` both hold every path that stands in it,
    /// and nothing else is known.
    bool whole = true;

    std::vector<NamedCredential> credentials;
    EdgeCaForm edge_ca = EdgeCaForm::absent;
    std::string edge_ca_method;                         ///< of an issued one: "est", "local_ca", "self_signed"; else ""
    std::optional<std::string> trust_bundle_cert;       ///< URI as written
    std::optional<std::string> trust_bundle_cert_path;  ///< absent when it is no file URI
    std::optional<std::string> moby_uri;                ///< as written; upstream's default is /var/run/docker.sock
    std::optional<std::string> hostname;
    std::map<std::string, std::string> agent_env;

    std::vector<std::string> keys;          ///< paths, each once, named as a private or shared key by any table
    std::vector<std::string> certificates;  ///< paths, each once, named as a certificate by any table
    /// Paths that stand anywhere in the text, each once: under keys that upstream does not know, in comments, in text
    /// that is no TOML. Who asks whether a file may be in use asks here.
    std::vector<std::string> mentioned;

    /// The first of `use`, or nullptr.
    [[nodiscard]] const NamedCredential* find(CredentialUse use) const;
};

/// Reads what stands there, also where upstream would refuse the file.
Material read_material(std::string_view text);

}  // namespace eflow
