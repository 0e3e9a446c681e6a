#include "vm-agent/identity/pem.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "tests/support/test_certificates.hpp"
#include "vm-agent/identity/openssl.hpp"

namespace eflow {
namespace {

using ::testing::HasSubstr;
using testing::make;
using testing::Pair;

const Pair& identity() {
    static const Pair one = make({});
    return one;
}

std::string der() {
    unsigned char* data = nullptr;
    const int size = i2d_X509(identity().certificate.get(), &data);
    std::string bytes(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(data);
    return bytes;
}

std::string key_der() {
    unsigned char* data = nullptr;
    const int size = i2d_PrivateKey(identity().key.get(), &data);
    std::string bytes(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(data);
    return bytes;
}

std::string pfx() {
    const std::unique_ptr<PKCS12, Free<PKCS12_free>> bundle(
        PKCS12_create("", "", identity().key.get(), identity().certificate.get(), nullptr, 0, 0, 0, 0, 0));
    unsigned char* data = nullptr;
    const int size = i2d_PKCS12(bundle.get(), &data);
    std::string bytes(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(data);
    return bytes;
}

Finding refused_certificates(const std::string& bytes) {
    const auto judged = read_certificates(bytes, "my file.pem");
    EXPECT_EQ(ERR_peek_error(), 0UL) << "the error queue is left clean";
    if (const auto* finding = std::get_if<Finding>(&judged)) return *finding;
    ADD_FAILURE() << "was taken";
    return {};
}

Finding refused_key(const std::string& bytes) {
    const auto judged = read_private_key(bytes, "my file.pem");
    EXPECT_EQ(ERR_peek_error(), 0UL) << "the error queue is left clean";
    if (const auto* finding = std::get_if<Finding>(&judged)) return *finding;
    ADD_FAILURE() << "was taken";
    return {};
}

TEST(ReadCertificates, OtherFormsAreNamedWithTheWayOut) {
    EXPECT_THAT(refused_certificates("").detail, HasSubstr("empty"));
    EXPECT_THAT(refused_certificates(der()).detail, HasSubstr("DER"));
    EXPECT_THAT(refused_certificates(der()).remedy, HasSubstr("openssl x509 -inform DER -in 'my file.pem'"));
    EXPECT_THAT(refused_certificates(pfx()).detail, HasSubstr("PFX"));
    EXPECT_THAT(refused_certificates(pfx()).remedy, HasSubstr("openssl pkcs12"));
    EXPECT_THAT(refused_certificates(identity().key_pem()).detail, HasSubstr("private key"));
    EXPECT_THAT(
        refused_certificates("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n").detail,
        HasSubstr("CSR"));
    EXPECT_THAT(refused_certificates("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").detail,
                HasSubstr("damaged"));
    EXPECT_THAT(refused_certificates("hello").detail, HasSubstr("BEGIN CERTIFICATE"));
}

TEST(ReadCertificates, ATruncatedBlockIsNoCertificate) {
    const std::string pem = identity().pem();
    for (const std::size_t size : {pem.size() - 10, pem.size() / 2, std::size_t{30}})
        refused_certificates(pem.substr(0, size));
}

TEST(ReadCertificates, ADateThatIsNoneIsNotShownAsOne) {
    // 2025-01-01 becomes 2025-13-01: OpenSSL parses such a certificate, and reads no date from it.
    std::string bytes = der();
    const std::size_t at = bytes.find("250101000000Z");
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at + 2, 2, "13");
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    const Certificate odd(std::shared_ptr<x509_st>(d2i_X509(nullptr, &data, static_cast<long>(bytes.size())), Free<X509_free>{}));
    ASSERT_NE(odd.get(), nullptr);
    EXPECT_FALSE(odd.dates_readable());
    EXPECT_THAT(refused_certificates(odd.pem()).detail, HasSubstr("month 13"));
}

TEST(ReadCertificates, AFileInPlaceMustBeReadableByTheServices) {
    std::string utf16 = "\xff\xfe";
    for (const char c : identity().pem()) utf16 += {c, '\0'};
    EXPECT_TRUE(std::holds_alternative<std::vector<Certificate>>(read_certificates(utf16, "f")));
    EXPECT_TRUE(std::holds_alternative<Finding>(read_certificates(utf16, "f", {.reading = Reading::in_place})));
}

TEST(ReadCertificates, ABundleMayHoldMore) {
    std::string many;
    for (int i = 0; i < 200; ++i) many += identity().pem();
    EXPECT_TRUE(std::holds_alternative<std::vector<Certificate>>(read_certificates(many, "f", CertificateFile::bundle())));
}

TEST(ReadCertificates, TheLimits) {
    std::string many;
    for (int i = 0; i < 16; ++i) many += identity().pem();
    EXPECT_TRUE(std::holds_alternative<std::vector<Certificate>>(read_certificates(many, "f")));
    EXPECT_THAT(refused_certificates(many + identity().pem()).detail, HasSubstr("16"));
    EXPECT_TRUE(std::holds_alternative<std::vector<Certificate>>(
        read_certificates(identity().pem() + std::string(1024 * 1024 - identity().pem().size(), '\n'), "f")));
    EXPECT_THAT(refused_certificates(identity().pem() + std::string(1024 * 1024, '\n')).detail, HasSubstr("1 MiB"));
}

TEST(ReadCertificates, ASubjectCannotDriveTheTerminal) {
    testing::Wish wish;
    wish.common_name = "a\x1b[31mb\nc";
    const Pair hostile = make(wish);
    EXPECT_EQ(hostile.certificate.subject().find('\x1b'), std::string::npos);
    EXPECT_EQ(hostile.certificate.subject().find('\n'), std::string::npos);
}

TEST(ReadPrivateKey, EncryptedKeysComeWithTheCommandThatDecryptsThem) {
    for (const char* form : {"PKCS8-encrypted", "traditional-encrypted"}) {
        const Finding finding = refused_key(identity().key_pem(form));
        EXPECT_THAT(finding.detail, HasSubstr("encrypted")) << form;
        EXPECT_THAT(finding.remedy, HasSubstr("openssl pkey -in 'my file.pem'"));
    }
}

TEST(ReadPrivateKey, OtherFormsAreNamedWithTheWayOut) {
    EXPECT_THAT(refused_key("").detail, HasSubstr("empty"));
    EXPECT_THAT(refused_key(identity().pem()).detail, HasSubstr("certificate"));
    EXPECT_THAT(refused_key(key_der()).detail, HasSubstr("DER"));
    EXPECT_THAT(refused_key(pfx()).detail, HasSubstr("PFX"));
    EXPECT_THAT(refused_key(identity().key_pem() + identity().key_pem()).detail, HasSubstr("2 private keys"));
    EXPECT_THAT(refused_key("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").detail,
                HasSubstr("damaged"));
}

TEST(ReadPrivateKey, AnAbsurdlyLongKeyIsRefusedBeforeItIsParsed) {
    EXPECT_THAT(refused_key("-----BEGIN RSA PRIVATE KEY-----\n" + std::string(200'000, 'A') +
                            "\n-----END RSA PRIVATE KEY-----\n")
                    .detail,
                HasSubstr("16384"));
}

TEST(ReadPrivateKey, AQuoteInTheNameStaysDataInTheRemedy) {
    const auto judged = read_private_key(identity().key_pem("PKCS8-encrypted"), "x'; rm -rf /; '");
    EXPECT_THAT(std::get<Finding>(judged).remedy, HasSubstr("'x'\\''; rm -rf /; '\\'''"));
}

}  // namespace
}  // namespace eflow
