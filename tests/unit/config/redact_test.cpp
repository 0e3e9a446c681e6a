#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm-agent/config/certificate_uris.hpp"
#include "vm-agent/config/document.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/redact.hpp"
#include "vm-agent/config/scrub.hpp"

namespace eflow {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// Every key of upstream's types that holds a secret, in the forms that TOML allows; PLANTED marks each.
constexpr auto whole = R"(hostname = "plant7"
[provisioning]
source = "manual"
connection_string = "HostName=hub.azure-devices.net;DeviceId=d;SharedAccessKey=PLANTED01"
[provisioning.authentication]
method = "sas"
device_id_pk = { value = "PLANTED02" }
[provisioning.attestation]
method = "x509"
symmetric_key = { value = 'PLANTED03' }
identity_pk = "pkcs11:token=Keys;object=device?pin-value=PLANTED04"
[provisioning.attestation.identity_cert]
method = "est"
url = "https://est:PLANTED05@example.org/est"
username = "me"
password = """
PLANTED06
"""
[cert_issuance.est.auth]
username = "me"
password = 'PLANTED07'
[cert_issuance.est.urls]
default = "https://user:PLANTED08@est.example.org/"
[preloaded_keys]
device-id = "pkcs11:slot-id=0;object=k?pin-value=PLANTED09&x=y"
[aziot_keys]
pkcs11_lib_path = "/usr/lib/pkcs11.so"
pkcs11_base_slot = "pkcs11:token=Slot?pin-value=PLANTED10"
[tpm.hierarchy_authorization]
endorsement = "PLANTED11"
owner = "PLANTED12"
[agent]
name = "edgeAgent"
type = "docker"
[agent.config]
image = "mcr.microsoft.com/azureiotedge-agent:1.5"
createOptions = { Env = ["A=PLANTED13", "B=c"], HostConfig = { Binds = ["/PLANTED14:/x"] } }
[agent.config.auth]
serveraddress = "registry.example.org"
username = "puller"
password = "PLANTED15"
[agent.env]
"RuntimeLogLevel" = "debug"
UpstreamProtocol = "AmqpWs"
https_proxy = "http://proxyuser:PLANTED16@proxy:3128"
SOMETHING = "PLANTED17" # was PLANTED18
LIST = "https://example.org/?sig=PLANTED19&se=1"
[edge_ca]
method = "est"
username = "me"
"password" = "PLANTED20"
# symmetric_key = { value = "PLANTED21" }
# [agent.env]
# OLD = "PLANTED22"
)";

TEST(RedactConfig, EverySecretBearingKeyOfTheSchema) {
    ASSERT_TRUE(std::holds_alternative<toml::value>(parse_document(whole)));
    const RedactedConfig config = redact_config(whole);
    EXPECT_THAT(config.text, Not(HasSubstr("PLANTED"))) << config.text;
    EXPECT_EQ(std::count(config.text.begin(), config.text.end(), '\n'),
              std::count(whole, whole + std::string_view(whole).size(), '\n'));
    for (const char* stays :
         {"hostname = \"plant7\"", "username = \"me\"", "username = \"puller\"", "RuntimeLogLevel\" = \"debug\"",
          "AmqpWs", "@proxy:3128", "azureiotedge-agent:1.5", "/usr/lib/pkcs11.so", "registry.example.org"})
        EXPECT_THAT(config.text, HasSubstr(stays));
    EXPECT_TRUE(std::holds_alternative<toml::value>(parse_document(config.text))) << "it stays TOML";
    for (const char* secret : {"PLANTED01", "PLANTED02", "PLANTED03", "PLANTED04", "PLANTED07", "PLANTED11",
                               "PLANTED12", "PLANTED15", "PLANTED16", "PLANTED17", "PLANTED20"})
        EXPECT_THAT(config.secrets, Contains(secret));
}

TEST(RedactConfig, DottedQuotedNestedAndOverLines) {
    for (const char* text : {"agent.env.X = \"PLANTED\"", "agent = { env = { X = \"PLANTED\" } }",
                             "[agent]\nenv = { X = 'PLANTED' }", "\"agent\".\"env\".\"X\" = 'PLANTED'",
                             "[agent.config]\ncreateOptions.Env = [\n  \"A=PLANTED\", # PLANTED\n  'PLANTED'\n]",
                             "\"pass\\u0077ord\" = \"PLANTED\"", "[x]\npassword = '''\nPLANTED\nPLANTED'''",
                             "[[x]]\nsecret = [[\"PLANTED\"]]", "[\"agent\".\"e\\u006ev\"]\nX = 'PLANTED'",
                             "password = \"a\\\"PLANTED\" # PLANTED", "password = 12345 # PLANTED"}) {
        const std::string shown = redacted(text);
        EXPECT_THAT(shown, Not(HasSubstr("PLANTED"))) << text;
        EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'),
                  std::count(text, text + std::string_view(text).size(), '\n'));
    }
}

TEST(RedactConfig, OfATextThatIsNoTomlOnlyWhatIsNeverSecretStays) {
    const std::string text =
        "hostname = \"h\"\nlist = [ \"PLANTED\",\npassword = \"PLANTED\"\n[agent.env]\nX = \"PLANTED\"\nPLANTED\n"
        "# PLANTED\nid_scope = \"0ne00A1B2C3\"\nsymmetric_key = { value = PLANTED\n= PLANTED\n\"\"\"\nid_scope = "
        "PLANTED\n";
    ASSERT_TRUE(std::holds_alternative<Finding>(parse_document(text)));
    const std::string shown = redacted(text);
    EXPECT_THAT(shown, Not(HasSubstr("PLANTED"))) << shown;
    EXPECT_THAT(shown, HasSubstr("hostname = \"h\""));
    EXPECT_THAT(shown, HasSubstr("id_scope = \"0ne00A1B2C3\""));
    EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), std::count(text.begin(), text.end(), '\n'));
}

TEST(SecretForms, AreTakenOutOfAnyText) {
    for (const char* text : {"SharedAccessKey=PLANTED",
                             "HostName=h;SharedAccessKeyName=n;SharedAccessKey=PLANTED=;x",
                             "sharedaccesskey = PLANTED",
                             "SharedAccessSignature sr=h&sig=PLANTED%3D&se=1",
                             "sig%3DPLANTED",
                             "Authorization: Basic PLANTED",
                             "authorization: PLANTED a PLANTED",
                             "{\"Authorization\": \"Bearer PLANTED\"}",
                             "curl -H 'Proxy-Authorization: Basic PLANTED'",
                             "password=PLANTED",
                             "\"password\": \"PLANTED PLANTED\"",
                             "{\\\"password\\\":\\\"PLANTED\\\"}",
                             "MYSQL_PASSWORD=PLANTED",
                             "token='PLANTED'",
                             "https://user:PLANTED@host/path",
                             "amqps://PLANTED@host",
                             "pin-value=PLANTED",
                             "AccountKey=PLANTED;",
                             "Cookie: a=PLANTED; b=PLANTED",
                             "connection_string = \"PLANTED\"",
                             "Authorization: PLANTED"})
        EXPECT_THAT(without_secret_forms(text), Not(HasSubstr("PLANTED"))) << text;
    const std::string run = "PLANTED0" + std::string(60, 'x');
    EXPECT_THAT(without_secret_forms("a " + run + " b"), Not(HasSubstr("PLANTED")));
}

TEST(SecretForms, WhatIsNoneStays) {
    for (const char* text : {"the password is wrong", "/var/aziot/secrets/device-id-0a1b2c3d.key.pem",
                             "signature: sha256WithRSAEncryption", "https://global.azure-devices-provisioning.net/",
                             "https://host/a@b", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                             "a token was refused", "mcr.microsoft.com/azureiotedge-agent:1.5",
                             "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "----- PRIVATE KEY-----"})
        EXPECT_EQ(without_secret_forms(text), text);
}

TEST(SecretForms, PrivateKeyBlocksWholeOrCut) {
    const std::string body =
        "PLANTEDa0" + std::string(55, 'A') + "\nPLANTEDb1" + std::string(55, 'B') + "\nPLANTEDc==\n";
    const std::string begin = "-----BEGIN EC PRIVATE KEY-----\n";
    const std::string end = "-----END EC PRIVATE KEY-----\n";
    for (const std::string& key : {begin + body + end, begin + body, body + end}) {
        const std::string shown = without_secret_forms("before\n" + key + "after\n");
        EXPECT_THAT(shown, Not(HasSubstr("PLANTED"))) << key << shown;
        EXPECT_THAT(shown, HasSubstr("before\n"));
        EXPECT_THAT(shown, HasSubstr("after\n"));
    }
    std::string logged;
    for (const std::string line : {"-----BEGIN PRIVATE KEY-----", "PLANTEDshortline1", "PLANTEDd=="})
        logged += "2026-01-01T00:00:00Z app[1]: " + line + "\n";
    EXPECT_THAT(without_secret_forms(logged + "2026-01-01 -----END PRIVATE KEY-----\nafter"),
                Not(HasSubstr("PLANTED")));
    EXPECT_THAT(
        without_secret_forms("{\"k\":\"-----BEGIN PRIVATE KEY-----\\nPLANTED\\n-----END PRIVATE KEY-----\\n\"}"),
        Not(HasSubstr("PLANTED")));
}

TEST(Scrubber, KnownSecretsInEverySpelling) {
    Scrubber scrubber;
    scrubber.know("p\"l<a&n/t ed");
    scrubber.know("first line\nPLANTED line\nlast PLANTED");
    scrubber.know("abc");
    scrubber.know("***");
    EXPECT_EQ(scrubber.clean("x p\"l<a&n/t ed y"), "x *** y");
    EXPECT_EQ(scrubber.clean(R"({"a":"p\"l<a&n/t ed"})"), R"({"a":"***"})");
    EXPECT_EQ(scrubber.clean("<p>p&quot;l&lt;a&amp;n/t ed</p>"), "<p>***</p>");
    EXPECT_EQ(scrubber.clean("?q=p%22l%3Ca%26n%2Ft%20ed"), "?q=***");
    EXPECT_EQ(scrubber.clean("log: PLANTED line"), "log: ***");
    EXPECT_EQ(scrubber.clean("abc ***"), "abc ***") << "too short to be looked for";
}

TEST(Scrubber, WhatIsSparedStaysAndAShortSecretIsAWord) {
    Scrubber scrubber;
    scrubber.spare("plant7-gw-03");
    scrubber.know("plant7-gw-03");
    scrubber.know("edge");
    EXPECT_EQ(scrubber.clean("plant7-gw-03: edgeHub, edge"), "plant7-gw-03: edgeHub, ***");
}

TEST(Scrubber, SaysWhenThereAreTooMany) {
    Scrubber scrubber;
    for (int i = 0; i < 5000; ++i) scrubber.know("secret" + std::to_string(i));
    EXPECT_FALSE(scrubber.is_full());
    EXPECT_EQ(scrubber.clean("secret4999 secret17"), "*** ***");
    scrubber.know("one more");
    EXPECT_TRUE(scrubber.is_full());
}

TEST(Scrubber, TheLongestOfSeveralGoes) {
    Scrubber scrubber;
    scrubber.know("secret-one");
    scrubber.know("secret-one-and-more");
    EXPECT_EQ(scrubber.clean("secret-one-and-more, secret-one"), "***, ***");
}

TEST(CertificateUris, AreThoseOfCertificatesNotOfKeys) {
    EXPECT_THAT(certificate_uris(
                    "trust_bundle_cert = \"file:///t\"\n[provisioning.attestation]\nidentity_cert = \"file:///i\"\n"
                    "identity_pk = \"file:///key\"\n[edge_ca]\ncert = \"file:///e\"\npk = \"file:///key2\"\n"
                    "[preloaded_certs]\na = \"file:///p\"\n[preloaded_keys]\na = \"file:///key3\"\n"
                    "[cert_issuance.est]\ntrusted_certs = [\"file:///s\"]\n"),
                ElementsAre("file:///s", "file:///e", "file:///p", "file:///i", "file:///t"));
    EXPECT_TRUE(certificate_uris("no toml").empty());
}

}  // namespace
}  // namespace eflow
