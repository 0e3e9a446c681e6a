#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/secret.hpp"

struct x509_st;
struct evp_pkey_st;

namespace eflow {

using Instant = std::chrono::sys_seconds;

/// A moment with its zone: "2026-11-27 14:03:00 UTC".
[[nodiscard]] std::string in_utc(Instant instant);

/// A common name of a subject.
struct CommonName {
    std::optional<std::string> text;  ///< as UTF-8; nothing when it cannot be read or holds a NUL
    bool plain_bytes = false;         ///< its bytes are that text: it is in no string type of two or four bytes a character
};

/// One parsed X.509 certificate. Copies share it; it never changes.
class Certificate {
public:
    explicit Certificate(std::shared_ptr<x509_st> x509) : x509_(std::move(x509)) {}

    /// The subject's common names in its order. identityd takes the bytes of the first as they are
    /// (aziot-identityd/src/lib.rs:307).
    [[nodiscard]] std::vector<CommonName> common_names() const;
    /// The text of the first; not made printable.
    [[nodiscard]] std::optional<std::string> common_name() const;
    /// RFC 2253 names, with whatever cannot be seen written out: safe to print.
    [[nodiscard]] std::string subject() const;
    [[nodiscard]] std::string issuer() const;
    [[nodiscard]] std::string serial() const;  ///< hexadecimal
    [[nodiscard]] Instant not_before() const;
    [[nodiscard]] Instant not_after() const;
    [[nodiscard]] std::string sha256() const;  ///< fingerprint of the DER, 64 lower-case hex digits
    /// Both dates can be read, as RFC 5280 wants them; else not_before and not_after mean nothing.
    [[nodiscard]] bool dates_readable() const;
    [[nodiscard]] bool self_issued() const;  ///< subject and issuer are the same name; its signature may be another's
    [[nodiscard]] bool signed_by(const Certificate& issuer) const;  ///< by the issuer's key, whatever the names
    [[nodiscard]] std::string key_description() const;        ///< "RSA 2048", "EC P-256", "Ed25519"
    [[nodiscard]] std::string signature_description() const;  ///< "sha256WithRSAEncryption"
    [[nodiscard]] std::string pem() const;
    [[nodiscard]] x509_st* get() const noexcept { return x509_.get(); }

private:
    std::shared_ptr<x509_st> x509_;
};

/// One parsed private key. Its bytes leave it only as SecretBytes.
class PrivateKey {
public:
    explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}

    [[nodiscard]] std::string description() const;  ///< "RSA 2048", "EC P-256", "EC secp384r1", "Ed25519"
    /// Unencrypted PKCS#8 PEM, the form keyd itself writes.
    [[nodiscard]] SecretBytes pkcs8_pem() const;
    /// The public halves are the same.
    [[nodiscard]] bool belongs_to(const Certificate& certificate) const;
    /// What this key signs, the certificate verifies: a damaged private half may still have the right public one.
    [[nodiscard]] bool proven_by(const Certificate& certificate) const;
    [[nodiscard]] evp_pkey_st* get() const noexcept { return key_.get(); }

private:
    std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace eflow
