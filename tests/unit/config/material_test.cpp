#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm-agent/config/material.hpp"

namespace eflow {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(Material, NamesEveryCredentialWithItsUse) {
    const auto seen = read_material(R"(hostname = "gw-7"
trust_bundle_cert = "file:///pki/roots.pem"
[provisioning]
source = "dps"
[provisioning.attestation]
method = "x509"
identity_cert = "file:///pki/a%20b.pem"
identity_pk = "pkcs11:token=hub;object=device"
[cert_issuance.est]
trusted_certs = ["file:///pki/est-root.pem"]
[cert_issuance.est.auth]
bootstrap_identity_cert = "file:///pki/boot.pem"
bootstrap_identity_pk = "file:///keys/boot.pem"
[cert_issuance.local_ca]
cert = "file:///pki/local.pem"
pk = "file:///keys/local.pem"
[preloaded_keys]
x = "file:///keys/x.pem"
[preloaded_certs]
y = "file:///pki/y.pem"
[edge_ca]
cert = "file:///pki/ca.pem"
pk = "file:///keys/ca.pem"
[moby_runtime]
uri = "unix:///run/engine.sock"
network = "n"
[agent.env]
"UpstreamProtocol" = "AmqpWs"
)");
    EXPECT_TRUE(seen.whole);
    ASSERT_NE(seen.find(CredentialUse::dps_identity), nullptr);
    EXPECT_EQ(seen.find(CredentialUse::dps_identity)->cert_path, "/pki/a b.pem");
    EXPECT_EQ(seen.find(CredentialUse::dps_identity)->pk_path, std::nullopt);
    EXPECT_EQ(seen.find(CredentialUse::edge_ca)->pk_path, "/keys/ca.pem");
    EXPECT_EQ(seen.find(CredentialUse::est_bootstrap)->table, "cert_issuance.est.auth");
    EXPECT_EQ(seen.find(CredentialUse::local_ca)->cert_path, "/pki/local.pem");
    EXPECT_EQ(seen.find(CredentialUse::manual_identity), nullptr);
    EXPECT_EQ(seen.edge_ca, EdgeCaForm::preloaded);
    EXPECT_EQ(seen.trust_bundle_cert_path, "/pki/roots.pem");
    EXPECT_EQ(seen.moby_uri, "unix:///run/engine.sock");
    EXPECT_EQ(seen.hostname, "gw-7");
    EXPECT_THAT(seen.agent_env, ElementsAre(Pair("UpstreamProtocol", "AmqpWs")));
    EXPECT_THAT(seen.keys, UnorderedElementsAre("/keys/boot.pem", "/keys/local.pem", "/keys/x.pem", "/keys/ca.pem"));
    EXPECT_THAT(seen.certificates,
                UnorderedElementsAre("/pki/roots.pem", "/pki/a b.pem", "/pki/est-root.pem", "/pki/boot.pem",
                                     "/pki/local.pem", "/pki/y.pem", "/pki/ca.pem"));
}

TEST(Material, ReadsManualAndIssuedForms) {
    const auto seen = read_material(R"([provisioning]
source = "manual"
[provisioning.authentication]
method = "x509"
identity_cert = "file:///c"
identity_pk = "file:///k"
[edge_ca]
method = "est"
identity_cert = "file:///est-c"
identity_pk = "file:///est-k"
)");
    EXPECT_EQ(seen.find(CredentialUse::manual_identity)->pk_path, "/k");
    EXPECT_EQ(seen.edge_ca, EdgeCaForm::issued);
    EXPECT_EQ(seen.edge_ca_method, "est");
    EXPECT_EQ(seen.find(CredentialUse::est_identity)->table, "edge_ca");
    EXPECT_THAT(seen.keys, UnorderedElementsAre("/k", "/est-k"));
}

TEST(Material, MentionsWhatNoTableKnowsAndWhatIsCommentedOut) {
    const auto seen = read_material("# identity_pk = \"file:///old/key one.pem\"\nidentity_key = \"file:///k\"\n");
    EXPECT_TRUE(seen.whole);
    EXPECT_THAT(seen.keys, IsEmpty());
    EXPECT_THAT(seen.mentioned, UnorderedElementsAre("/old/key one.pem", "/k"));
}

TEST(Material, TakesEveryPathOfATextThatCannotBeRead) {
    const auto seen =
        read_material("[provisioning\nidentity_pk = 'file:///k%20y'\ncert: /c, /d\nurl = \"https://h/p\"");
    EXPECT_FALSE(seen.whole);
    EXPECT_THAT(seen.keys, ElementsAre("/k y", "/c", "/d"));
    EXPECT_EQ(seen.certificates, seen.keys);
    EXPECT_THAT(seen.mentioned, Not(Contains("/p")));
}

}  // namespace
}  // namespace eflow
