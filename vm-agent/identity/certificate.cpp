#include "vm-agent/identity/certificate.hpp"

#include <openssl/pem.h>

#include "shared/failure.hpp"
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
    return text_of(bio.get());
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

std::optional<std::string> Certificate::common_name() const {
    const X509_NAME* name = X509_get_subject_name(get());
    int index = -1;
    // The most specific one counts, as DPS and OpenSSL take it: the last.
    for (int next = -1; (next = X509_NAME_get_index_by_NID(name, NID_commonName, next)) >= 0;) index = next;
    if (index < 0) return std::nullopt;
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
    if (size < 0) {
        drain_errors();
        return std::nullopt;
    }
    std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
    // What OPENSSL_free is, without the name of this file in the program: it differs between build folders.
    CRYPTO_free(utf8, "", 0);
    if (text.find('\0') != std::string::npos) return std::nullopt;
    return text;
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

}  // namespace eflow
