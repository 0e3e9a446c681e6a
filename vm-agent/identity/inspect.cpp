#include "vm-agent/identity/inspect.hpp"

#include <array>
#include <utility>

#include "shared/printable.hpp"
#include "vm-agent/identity/openssl.hpp"

namespace eflow {

namespace {

template <class Names>
std::vector<std::string> words(std::uint32_t bits, const Names& names) {
    std::vector<std::string> found;
    for (const auto& [bit, name] : names)
        if ((bits & bit) != 0) found.emplace_back(name);
    return found;
}

std::vector<std::string> alternative_names(X509* x509) {
    std::vector<std::string> found;
    const OwnedNames names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
    if (!names) return found;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const OwnedBio bio(made(BIO_new(BIO_s_mem()), "allocating"));
        GENERAL_NAME_print(bio.get(), sk_GENERAL_NAME_value(names.get(), i));
        found.push_back(printable(text_of(bio.get())));
    }
    return found;
}

}  // namespace

CertificateFacts facts(const Certificate& certificate, Instant now) {
    constexpr std::array<std::pair<std::uint32_t, const char*>, 9> usages{{{KU_DIGITAL_SIGNATURE, "digitalSignature"},
                                                                           {KU_NON_REPUDIATION, "nonRepudiation"},
                                                                           {KU_KEY_ENCIPHERMENT, "keyEncipherment"},
                                                                           {KU_DATA_ENCIPHERMENT, "dataEncipherment"},
                                                                           {KU_KEY_AGREEMENT, "keyAgreement"},
                                                                           {KU_KEY_CERT_SIGN, "keyCertSign"},
                                                                           {KU_CRL_SIGN, "cRLSign"},
                                                                           {KU_ENCIPHER_ONLY, "encipherOnly"},
                                                                           {KU_DECIPHER_ONLY, "decipherOnly"}}};
    constexpr std::array<std::pair<std::uint32_t, const char*>, 7> purposes{{{XKU_SSL_CLIENT, "clientAuth"},
                                                                             {XKU_SSL_SERVER, "serverAuth"},
                                                                             {XKU_SMIME, "emailProtection"},
                                                                             {XKU_CODE_SIGN, "codeSigning"},
                                                                             {XKU_OCSP_SIGN, "OCSPSigning"},
                                                                             {XKU_TIMESTAMP, "timeStamping"},
                                                                             {XKU_ANYEKU, "anyExtendedKeyUsage"}}};
    X509* x509 = certificate.get();
    CertificateFacts seen;
    seen.subject = certificate.subject();
    seen.issuer = certificate.issuer();
    if (const auto name = certificate.common_name()) seen.common_name = printable(*name);
    seen.serial = certificate.serial();
    seen.not_before = certificate.not_before();
    seen.not_after = certificate.not_after();
    seen.days_left = std::chrono::floor<std::chrono::days>(seen.not_after - now).count();
    seen.key = certificate.key_description();
    seen.signature = certificate.signature_description();
    seen.sha256 = certificate.sha256();
    const std::uint32_t flags = X509_get_extension_flags(x509);
    seen.ca = (flags & EXFLAG_CA) != 0;
    seen.has_key_usage = (flags & EXFLAG_KUSAGE) != 0;
    seen.has_extended_key_usage = (flags & EXFLAG_XKUSAGE) != 0;
    if (seen.has_key_usage) seen.key_usage = words(X509_get_key_usage(x509), usages);
    if (seen.has_extended_key_usage) seen.extended_key_usage = words(X509_get_extended_key_usage(x509), purposes);
    seen.subject_alternative_names = alternative_names(x509);
    drain_errors();
    return seen;
}

}  // namespace eflow
