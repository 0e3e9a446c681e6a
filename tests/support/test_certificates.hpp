#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vm-agent/identity/certificate.hpp"

namespace eflow::testing {

/// A certificate to be made by a test, at run time, so that nothing expires in the repository and any date can be had.
struct Wish {
    std::string common_name = "device-1";
    std::string key = "P-256";  ///< "RSA-n", "P-256", "P-384", "Ed25519"
    std::string digest = "sha256";
    std::string basic_constraints = "critical,CA:FALSE";
    std::string key_usage = "critical,digitalSignature,keyEncipherment";
    std::string extended_key_usage = "clientAuth";
    std::string name_constraints{};
    std::string subject_key_identifier{};    ///< "hash"
    std::string authority_key_identifier{};  ///< "keyid:always"
    std::string unknown_critical_oid{};      ///< a critical extension that nobody knows
    std::vector<std::pair<int, std::string>> more_names{};  ///< further CNs: ASN.1 string type (V_ASN1_...), raw bytes
    int name_type = 0;                     ///< the ASN.1 string type of common_name, its bytes raw; 0: UTF8String
    std::optional<PrivateKey> with_key{};    ///< this key instead of a new one
    Instant not_before = std::chrono::sys_days(std::chrono::year(2025) / 1 / 1);
    Instant not_after = std::chrono::sys_days(std::chrono::year(2035) / 1 / 1);

    static Wish authority(std::string name);
};

struct Pair {
    Certificate certificate;
    PrivateKey key;

    [[nodiscard]] std::string pem() const { return certificate.pem(); }
    /// PEM of the key: "PKCS8", "traditional" (PKCS#1 or SEC1), or encrypted as "PKCS8-encrypted",
    /// "traditional-encrypted".
    [[nodiscard]] std::string key_pem(const std::string& form = "PKCS8") const;
};

/// Signed by `issuer`, or by itself.
Pair make(const Wish& wish, const Pair* issuer = nullptr);

/// Test's "now": well inside the default dates.
inline constexpr Instant now = std::chrono::sys_days(std::chrono::year(2026) / 6 / 1);

}  // namespace eflow::testing
