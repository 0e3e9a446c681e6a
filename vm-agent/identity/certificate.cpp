#include "vm-agent/identity/certificate.hpp"

#include <array>
#include <cstdio>

#include <openssl/pem.h>

#include "shared/failure.hpp"
#include "shared/printable.hpp"
#include "vm-agent/identity/openssl.hpp"

namespace eflow {

namespace {

std::string printed(const X509_NAME* name) {
    const OwnedBio bio(made(BIO_new(BIO_s_mem()), "allocating"));
    // UTF-8 kept, control characters escaped: what is printed cannot drive a terminal.
    X509_NAME_print_ex(bio.get(), name, 0,
                       ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT |
                           XN_FLAG_SEP_COMMA_PLUS | XN_FLAG_FN_SN);
    drain_errors();
    constexpr std::size_t longest = 512;
    return printable(text_of(bio.get()), longest);
}

bool readable(const ASN1_TIME* time) {
    std::tm parts{};
    // X509_cmp_time is strict about the form, and 0 is its error.
    const bool both = X509_cmp_time(time, nullptr) != 0 && ASN1_TIME_to_tm(time, &parts) == 1;
    drain_errors();
    return both;
}

Instant instant_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        drain_errors();
        return Instant{};
    }
    const auto day = std::chrono::year(parts.tm_year + 1900) / (parts.tm_mon + 1) / parts.tm_mday;
    return std::chrono::sys_days(day) + std::chrono::hours(parts.tm_hour) + std::chrono::minutes(parts.tm_min) +
           std::chrono::seconds(parts.tm_sec);
}

}  // namespace

std::string in_utc(Instant instant) {
    const auto day = std::chrono::floor<std::chrono::days>(instant);
    const std::chrono::year_month_day ymd(day);
    const std::chrono::hh_mm_ss time(instant - day);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02u %02d:%02d:%02d UTC", static_cast<int>(ymd.year()),
                  static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()), static_cast<int>(time.hours().count()),
                  static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
    return text.data();
}

std::vector<CommonName> Certificate::common_names() const {
    const X509_NAME* name = X509_get_subject_name(get());
    std::vector<CommonName> names;
    for (int index = -1; (index = X509_NAME_get_index_by_NID(name, NID_commonName, index)) >= 0;) {
        const ASN1_STRING* data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
        const std::string_view raw(reinterpret_cast<const char*>(ASN1_STRING_get0_data(data)),
                                   static_cast<std::size_t>(ASN1_STRING_length(data)));
        CommonName& found = names.emplace_back();
        unsigned char* utf8 = nullptr;
        const int size = ASN1_STRING_to_UTF8(&utf8, data);
        if (size < 0) {
            drain_errors();
            continue;
        }
        std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
        // What OPENSSL_free is, without the name of this file in the program: it differs between build folders.
        CRYPTO_free(utf8, "", 0);
        found.plain_bytes = text == raw;
        if (text.find('\0') == std::string::npos) found.text = std::move(text);
    }
    return names;
}

std::optional<std::string> Certificate::common_name() const {
    auto names = common_names();
    return names.empty() ? std::nullopt : std::move(names.front().text);
}

std::string Certificate::subject() const {
    return printed(X509_get_subject_name(get()));
}
std::string Certificate::issuer() const {
    return printed(X509_get_issuer_name(get()));
}

std::string Certificate::serial() const {
    const ASN1_INTEGER* number = X509_get0_serialNumber(get());
    return hex(ASN1_STRING_get0_data(number), static_cast<std::size_t>(ASN1_STRING_length(number)));
}

Instant Certificate::not_before() const {
    return instant_of(X509_get0_notBefore(get()));
}
Instant Certificate::not_after() const {
    return instant_of(X509_get0_notAfter(get()));
}

std::string Certificate::sha256() const {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    must(X509_digest(get(), EVP_sha256(), digest, &size), "taking the fingerprint");
    return hex(digest, size);
}

bool Certificate::dates_readable() const {
    return readable(X509_get0_notBefore(get())) && readable(X509_get0_notAfter(get()));
}

bool Certificate::signed_by(const Certificate& issuer) const {
    EVP_PKEY* key = X509_get0_pubkey(issuer.get());
    const bool fits = key != nullptr && X509_verify(get(), key) == 1;
    drain_errors();
    return fits;
}

bool Certificate::self_issued() const {
    return X509_NAME_cmp(X509_get_subject_name(get()), X509_get_issuer_name(get())) == 0;
}

std::string Certificate::key_description() const {
    EVP_PKEY* key = X509_get0_pubkey(get());
    drain_errors();
    return describe(key);
}

std::string Certificate::signature_description() const {
    const char* name = OBJ_nid2ln(X509_get_signature_nid(get()));
    return name != nullptr ? name : "unknown";
}

std::string Certificate::pem() const {
    const OwnedBio bio(made(BIO_new(BIO_s_mem()), "allocating"));
    must(PEM_write_bio_X509(bio.get(), get()), "writing a certificate");
    return text_of(bio.get());
}

std::string PrivateKey::description() const {
    return describe(get());
}

SecretBytes PrivateKey::pkcs8_pem() const {
    const OwnedBio bio(made(BIO_new(BIO_s_secmem()), "allocating"));
    must(PEM_write_bio_PKCS8PrivateKey(bio.get(), get(), nullptr, nullptr, 0, nullptr, nullptr),
         "writing the private key");
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    SecretBytes bytes(std::string_view(data, static_cast<std::size_t>(size)));
    OPENSSL_cleanse(data, static_cast<std::size_t>(size));
    return bytes;
}

bool PrivateKey::belongs_to(const Certificate& certificate) const {
    const bool same = X509_check_private_key(certificate.get(), get()) == 1;
    drain_errors();
    return same;
}

bool PrivateKey::proven_by(const Certificate& certificate) const {
    constexpr std::array<unsigned char, 32> message{'e', 'f', 'l', 'o', 'w'};
    const bool own_digest = EVP_PKEY_base_id(get()) == EVP_PKEY_ED25519 || EVP_PKEY_base_id(get()) == EVP_PKEY_ED448;
    const EVP_MD* digest = own_digest ? nullptr : EVP_sha256();
    EVP_PKEY* public_half = X509_get0_pubkey(certificate.get());
    const OwnedDigestContext signing(made(EVP_MD_CTX_new(), "allocating"));
    const OwnedDigestContext verifying(made(EVP_MD_CTX_new(), "allocating"));
    std::size_t size = 0;
    std::vector<unsigned char> signature;
    bool proven = public_half != nullptr && EVP_DigestSignInit(signing.get(), nullptr, digest, nullptr, get()) == 1 &&
                  EVP_DigestSign(signing.get(), nullptr, &size, message.data(), message.size()) == 1;
    if (proven) {
        signature.resize(size);
        proven = EVP_DigestSign(signing.get(), signature.data(), &size, message.data(), message.size()) == 1 &&
                 EVP_DigestVerifyInit(verifying.get(), nullptr, digest, nullptr, public_half) == 1 &&
                 EVP_DigestVerify(verifying.get(), signature.data(), size, message.data(), message.size()) == 1;
    }
    drain_errors();
    return proven;
}

}  // namespace eflow
