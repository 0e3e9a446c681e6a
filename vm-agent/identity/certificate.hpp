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

/// One parsed X.509 certificate. Copies share it; it never changes.
class Certificate {
public:
    explicit Certificate(std::shared_ptr<x509_st> x509) : x509_(std::move(x509)) {}

    /// The subject's last common name as UTF-8; nothing when there is none or it holds a NUL.
    [[nodiscard]] std::optional<std::string> common_name() const;
    /// RFC 2253 names, control characters escaped: safe to print.
    [[nodiscard]] std::string subject() const;
    [[nodiscard]] std::string issuer() const;
    [[nodiscard]] std::string serial() const;  ///< hexadecimal
    [[nodiscard]] Instant not_before() const;
    [[nodiscard]] Instant not_after() const;
    [[nodiscard]] std::string sha256() const;  ///< fingerprint of the DER, 64 lower-case hex digits
    [[nodiscard]] bool self_issued() const;
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
    [[nodiscard]] bool belongs_to(const Certificate& certificate) const;
    [[nodiscard]] evp_pkey_st* get() const noexcept { return key_.get(); }

private:
    std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace eflow
