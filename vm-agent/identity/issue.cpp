#include "vm-agent/identity/issue.hpp"

#include <array>
#include <utility>

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "shared/failure.hpp"
#include "shared/identity.hpp"
#include "vm-agent/identity/openssl.hpp"

namespace eflow {

namespace {

constexpr int serial_bits = 127;  // positive, and well under RFC 5280's 20 octets
constexpr std::size_t longest_cn = 64;

using Extensions = std::vector<std::pair<int, const char*>>;

// The profiles of certGen.sh (Azure/iotedge tools/CACertificates/openssl_root_ca.cnf): v3_ca and v3_intermediate_ca are
// the same, usr_cert is the device identity's.
const Extensions& authority_profile() {
    static const Extensions profile{{NID_subject_key_identifier, "hash"},
                                    {NID_authority_key_identifier, "keyid:always,issuer"},
                                    {NID_basic_constraints, "critical,CA:TRUE"},
                                    {NID_key_usage, "critical,digitalSignature,cRLSign,keyCertSign"}};
    return profile;
}

const Extensions& device_profile() {
    static const Extensions profile{{NID_basic_constraints, "CA:FALSE"},
                                    {NID_netscape_cert_type, "client,email"},
                                    {NID_subject_key_identifier, "hash"},
                                    {NID_authority_key_identifier, "keyid,issuer"},
                                    {NID_key_usage, "critical,nonRepudiation,digitalSignature,keyEncipherment"},
                                    {NID_ext_key_usage, "clientAuth,emailProtection"}};
    return profile;
}

PrivateKey generate(KeyKind kind) {
    const bool ec = kind == KeyKind::ec_p256;
    const OwnedKeyContext context(
        made(EVP_PKEY_CTX_new_id(ec ? EVP_PKEY_EC : EVP_PKEY_RSA, nullptr), "preparing a key"));
    must(EVP_PKEY_keygen_init(context.get()), "preparing a key");
    if (ec) {
        must(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context.get(), NID_X9_62_prime256v1), "choosing P-256");
        must(EVP_PKEY_CTX_set_ec_param_enc(context.get(), OPENSSL_EC_NAMED_CURVE), "naming the curve");
    } else {
        must(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), kind == KeyKind::rsa_4096 ? 4096 : 2048),
             "choosing the key's width");
    }
    EVP_PKEY* key = nullptr;
    must(EVP_PKEY_keygen(context.get(), &key), "making a key");
    return PrivateKey(std::shared_ptr<evp_pkey_st>(key, Free<EVP_PKEY_free>{}));
}

struct Issued {
    Certificate certificate;
    PrivateKey key;
};

void set_serial(X509* x509) {
    const OwnedBignum number(made(BN_new(), "making a serial number"));
    must(BN_rand(number.get(), serial_bits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY), "making a serial number");
    made(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509)), "making a serial number");
}

/// A certificate for `common_name`, signed by `issuer` or by itself.
Issued issue(const std::string& common_name, KeyKind kind, const Extensions& profile,
             const TestIdentityRequest& request, const Issued* issuer) {
    PrivateKey key = generate(kind);
    OwnedX509 x509(made(X509_new(), "allocating"));
    must(X509_set_version(x509.get(), 2), "making a certificate");
    set_serial(x509.get());
    X509_NAME* name = X509_get_subject_name(x509.get());
    must(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0),
         "naming the subject");
    X509* signer = issuer != nullptr ? issuer->certificate.get() : x509.get();
    must(X509_set_issuer_name(x509.get(), X509_get_subject_name(signer)), "naming the issuer");
    must(X509_set_pubkey(x509.get(), key.get()), "setting the public key");
    made(ASN1_TIME_set(X509_getm_notBefore(x509.get()),
                       static_cast<std::time_t>(request.not_before.time_since_epoch().count())),
         "setting the dates");
    made(ASN1_TIME_set(X509_getm_notAfter(x509.get()),
                       static_cast<std::time_t>(request.not_after.time_since_epoch().count())),
         "setting the dates");
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, x509.get(), nullptr, nullptr, 0);
    for (const auto& [nid, value] : profile) {
        const OwnedExtension extension(made(X509V3_EXT_conf_nid(nullptr, &context, nid, value), "making an extension"));
        must(X509_add_ext(x509.get(), extension.get(), -1), "adding an extension");
    }
    must(X509_sign(x509.get(), issuer != nullptr ? issuer->key.get() : key.get(), EVP_sha256()), "signing");
    return {Certificate(std::shared_ptr<x509_st>(x509.release(), Free<X509_free>{})), std::move(key)};
}

IssuedFile public_file(std::string path, const std::string& pem) {
    return {std::move(path), SecretBytes(std::string_view(pem)), false};
}

}  // namespace

std::vector<IssuedFile> create_test_identity(const TestIdentityRequest& request) {
    const auto judged = RegistrationId::parse(request.common_name);
    if (const auto* finding = std::get_if<Finding>(&judged))
        throw Failure(ExitCode::usage, "the name cannot be a device's: " + finding->detail, finding->remedy);
    if (request.common_name.size() > longest_cn)
        throw Failure(ExitCode::usage, "the name has more than 64 characters, which a common name cannot hold",
                      "Choose a shorter one.");

    const Issued root = issue("Azure_IoT_Hub_CA_Cert_Test_Only", request.ca_key, authority_profile(), request, nullptr);
    const Issued intermediate =
        issue("Azure_IoT_Hub_Intermediate_Cert_Test_Only", request.ca_key, authority_profile(), request, &root);
    const Issued device = issue(request.common_name, request.leaf_key, device_profile(), request, &intermediate);

    const std::string identity = "iot-edge-device-identity-" + request.common_name;
    std::vector<IssuedFile> files;
    const auto add = [&files](const std::string& name, const Issued& issued) {
        files.push_back(public_file("certs/" + name + ".cert.pem", issued.certificate.pem()));
        files.push_back({"private/" + name + ".key.pem", issued.key.pkcs8_pem(), true});
    };
    add("azure-iot-test-only.root.ca", root);
    add("azure-iot-test-only.intermediate", intermediate);
    add(identity, device);
    files.push_back(public_file("certs/" + identity + "-full-chain.cert.pem",
                                device.certificate.pem() + intermediate.certificate.pem() + root.certificate.pem()));
    return files;
}

}  // namespace eflow
