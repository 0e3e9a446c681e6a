#include "vm-agent/identity/strength.hpp"

#include <algorithm>
#include <array>

#include <openssl/rsa.h>

#include "vm-agent/identity/openssl.hpp"

namespace eflow {

namespace {

constexpr int least_rsa_bits = 2048;
constexpr int least_curve_bits = 224;

/// RSA's public exponent; nothing when it cannot be had.
OwnedBignum exponent_of(EVP_PKEY* key) {
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    BIGNUM* exponent = nullptr;
    EVP_PKEY_get_bn_param(key, "e", &exponent);
    return OwnedBignum(exponent);
#else
    const BIGNUM* exponent = nullptr;
    RSA_get0_key(EVP_PKEY_get0_RSA(key), nullptr, &exponent, nullptr);
    return OwnedBignum(exponent == nullptr ? nullptr : BN_dup(exponent));
#endif
}

}  // namespace

std::optional<KeyWeakness> weakness_of_key(const Certificate& certificate) {
    EVP_PKEY* key = X509_get0_pubkey(certificate.get());
    const int kind = key == nullptr ? NID_undef : EVP_PKEY_base_id(key);
    std::optional<KeyWeakness> weakness;
    if (key == nullptr) weakness = {"its key cannot be read", true};
    if (kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS) {
        const OwnedBignum exponent = exponent_of(key);
        if (!exponent || BN_is_one(exponent.get()) || !BN_is_odd(exponent.get()))
            weakness = {certificate.key_description() + " with a public exponent that makes every signature forgeable", true};
        else if (EVP_PKEY_bits(key) < least_rsa_bits)
            weakness = {certificate.key_description(), false};
    }
    if (kind == EVP_PKEY_EC && EVP_PKEY_bits(key) < least_curve_bits) weakness = {certificate.key_description(), false};
    drain_errors();
    return weakness;
}

std::optional<std::string> weak_signature(const Certificate& certificate) {
    constexpr std::array weak{NID_md2, NID_md4, NID_md5, NID_md5_sha1, NID_sha1};
    int digest = NID_undef;
    if (X509_get_signature_info(certificate.get(), &digest, nullptr, nullptr, nullptr) != 1 || digest == NID_undef)
        OBJ_find_sigid_algs(X509_get_signature_nid(certificate.get()), &digest, nullptr);
    drain_errors();
    if (std::find(weak.begin(), weak.end(), digest) == weak.end()) return std::nullopt;
    return certificate.signature_description();
}

}  // namespace eflow
