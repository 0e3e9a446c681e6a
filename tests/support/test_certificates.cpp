#include "tests/support/test_certificates.hpp"

#include <map>
#include <memory>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "vm-agent/identity/openssl.hpp"

namespace eflow::testing {

namespace {

PrivateKey generate(const std::string& kind) {
    const bool rsa = kind.starts_with("RSA-");
    const int id = rsa ? EVP_PKEY_RSA : kind == "Ed25519" ? EVP_PKEY_ED25519 : EVP_PKEY_EC;
    const OwnedKeyContext context(made(EVP_PKEY_CTX_new_id(id, nullptr), "key"));
    must(EVP_PKEY_keygen_init(context.get()), "key");
    if (rsa) must(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), std::stoi(kind.substr(4))), "key");
    if (id == EVP_PKEY_EC) {
        must(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context.get(),
                                                    kind == "P-384" ? NID_secp384r1 : NID_X9_62_prime256v1),
             "key");
        must(EVP_PKEY_CTX_set_ec_param_enc(context.get(), OPENSSL_EC_NAMED_CURVE), "key");
    }
    EVP_PKEY* key = nullptr;
    must(EVP_PKEY_keygen(context.get(), &key), "key");
    return PrivateKey(std::shared_ptr<evp_pkey_st>(key, Free<EVP_PKEY_free>{}));
}

/// RSA keys are slow to make, so each width is made once; EC keys are made anew.
PrivateKey key_of(const std::string& kind) {
    static std::map<std::string, PrivateKey> made_before;
    if (!kind.starts_with("RSA-")) return generate(kind);
    const auto found = made_before.find(kind);
    return found != made_before.end() ? found->second : made_before.emplace(kind, generate(kind)).first->second;
}

}  // namespace

Wish Wish::authority(std::string name) {
    Wish wish;
    wish.common_name = std::move(name);
    wish.basic_constraints = "critical,CA:TRUE";
    wish.key_usage = "critical,keyCertSign,cRLSign,digitalSignature";
    wish.extended_key_usage = "";
    return wish;
}

Pair make(const Wish& wish, const Pair* issuer) {
    static long serial = 1000;
    PrivateKey key = wish.with_key ? *wish.with_key : key_of(wish.key);
    OwnedX509 x509(made(X509_new(), "certificate"));
    must(X509_set_version(x509.get(), 2), "certificate");
    must(ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), ++serial), "certificate");
    X509_NAME* name = X509_get_subject_name(x509.get());
    const bool named = !wish.common_name.empty();
    const std::string text = named ? wish.common_name : "nobody";
    const auto add_name = [&](int nid, int type, const std::string& bytes) {
        must(X509_NAME_add_entry_by_NID(name, nid, type, reinterpret_cast<const unsigned char*>(bytes.data()),
                                        static_cast<int>(bytes.size()), -1, 0),
             "name");
    };
    add_name(named ? NID_commonName : NID_organizationName, wish.name_type != 0 ? wish.name_type : MBSTRING_UTF8, text);
    for (const auto& [type, bytes] : wish.more_names) add_name(NID_commonName, type, bytes);
    X509* signer = issuer != nullptr ? issuer->certificate.get() : x509.get();
    must(X509_set_issuer_name(x509.get(), X509_get_subject_name(signer)), "issuer");
    must(X509_set_pubkey(x509.get(), key.get()), "key");
    ASN1_TIME_set(X509_getm_notBefore(x509.get()),
                  static_cast<std::time_t>(wish.not_before.time_since_epoch().count()));
    ASN1_TIME_set(X509_getm_notAfter(x509.get()), static_cast<std::time_t>(wish.not_after.time_since_epoch().count()));
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, x509.get(), nullptr, nullptr, 0);
    const auto extend = [&](int nid, const std::string& value) {
        if (value.empty()) return;
        const OwnedExtension extension(made(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), "extension"));
        must(X509_add_ext(x509.get(), extension.get(), -1), "extension");
    };
    extend(NID_basic_constraints, wish.basic_constraints);
    extend(NID_key_usage, wish.key_usage);
    extend(NID_ext_key_usage, wish.extended_key_usage);
    extend(NID_name_constraints, wish.name_constraints);
    extend(NID_subject_key_identifier, wish.subject_key_identifier);
    if (!wish.unknown_critical_oid.empty()) {
        const std::unique_ptr<ASN1_OBJECT, Free<ASN1_OBJECT_free>> oid(made(OBJ_txt2obj(wish.unknown_critical_oid.c_str(), 1), "oid"));
        const std::unique_ptr<ASN1_OCTET_STRING, Free<ASN1_OCTET_STRING_free>> value(made(ASN1_OCTET_STRING_new(), "value"));
        must(ASN1_OCTET_STRING_set(value.get(), reinterpret_cast<const unsigned char*>("\x05"), 2), "value");
        const OwnedExtension extension(made(X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), 1, value.get()), "extension"));
        must(X509_add_ext(x509.get(), extension.get(), -1), "extension");
    }
    extend(NID_authority_key_identifier, wish.authority_key_identifier);
    EVP_PKEY* signing = issuer != nullptr ? issuer->key.get() : key.get();
    const EVP_MD* digest =
        EVP_PKEY_base_id(signing) == EVP_PKEY_ED25519 ? nullptr : EVP_get_digestbyname(wish.digest.c_str());
    must(X509_sign(x509.get(), signing, digest), "signing");
    return {Certificate(std::shared_ptr<x509_st>(x509.release(), Free<X509_free>{})), std::move(key)};
}

std::string Pair::key_pem(const std::string& form) const {
    const OwnedBio bio(made(BIO_new(BIO_s_mem()), "bio"));
    const EVP_CIPHER* cipher = form.ends_with("-encrypted") ? EVP_aes_256_cbc() : nullptr;
    const auto* pass = reinterpret_cast<const unsigned char*>("1234");
    if (form.starts_with("PKCS8"))
        must(PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), cipher, cipher != nullptr ? "1234" : nullptr,
                                           cipher != nullptr ? 4 : 0, nullptr, nullptr),
             "key");
    else
        must(PEM_write_bio_PrivateKey_traditional(bio.get(), key.get(), cipher, cipher != nullptr ? pass : nullptr,
                                                  cipher != nullptr ? 4 : 0, nullptr, nullptr),
             "key");
    return text_of(bio.get());
}

}  // namespace eflow::testing
