#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/finding.hpp"
#include "shared/identity.hpp"
#include "shared/secret.hpp"
#include "vm-agent/identity/certificate.hpp"
#include "vm-agent/identity/path.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {

/// What the identity is held against. `registration_id` absent: cn-matches-registration-id is skipped.
struct IdentityExpectation {
    std::optional<RegistrationId> registration_id;
    Enrollment enrollment = Enrollment::group;
    Instant now{};
    bool allow_after_2038 = false;
    std::vector<Certificate> trusted;  ///< when not empty the chain must lead to one of these (cert verify --ca)
    Purpose purpose = Purpose::tls_client;
    Reading reading = Reading::input;
};

/// Certificate and key as they go onto the device: leaf first, then its issuers in order, then what leads up another way.
struct IdentityMaterial {
    std::string certificate_pem;
    SecretBytes key_pem;       ///< unencrypted PKCS#8
    std::string common_name;   ///< of the leaf
    std::string fingerprint8;  ///< FP8: the first 8 hex digits of the leaf's SHA-256
    std::vector<Certificate> chain;
};

/// One finding for each identity check of the contract, in its order; `material` only when none of them failed.
struct IdentityVerdict {
    Findings findings;
    std::optional<IdentityMaterial> material;
};

/// Judges a pair of files by every identity check. Pure: the time is in `expectation`.
/// `certificate_name` and `key_name` are the files as the user gave them, for the texts.
IdentityVerdict judge_identity(std::string_view certificate_bytes, std::string_view certificate_name,
                               std::string_view key_bytes, std::string_view key_name,
                               const IdentityExpectation& expectation);

/// The checks that need no key (cert verify without --key); the key's checks are skipped, for the reason `no_key`.
Findings judge_certificate(std::string_view certificate_bytes, std::string_view certificate_name,
                           const IdentityExpectation& expectation, const std::string& no_key = "no key was given");

/// The same for a file that read_certificates has read before.
Findings judge_certificate(const Judged<std::vector<Certificate>>& file, std::string_view certificate_name,
                           const IdentityExpectation& expectation, const std::string& no_key);

}  // namespace eflow
