#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm-agent/config/judge.hpp"

namespace eflow {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<std::string> said(const std::string& text, const std::string& id) {
    std::vector<std::string> all;
    for (const auto& finding : judge_config(text))
        if (finding.id == id)
            all.push_back(std::string(to_text(finding.severity)) + " " + finding.detail + " => " + finding.remedy);
    return all;
}

std::vector<std::string> keys(const std::string& text) {
    return said(text, "config.known-keys");
}

const std::string dps = R"(
[provisioning]
source = "dps"
global_endpoint = "https://global.azure-devices-provisioning.net/"
id_scope = "0ne00C0FFEE"
[provisioning.attestation]
method = "x509"
identity_cert = "file:///c"
)";

TEST(KnownKeys, NameWhereUpstreamWantsThem) {
    EXPECT_THAT(keys(dps + "identity_pk = \"file:///k\"\n[aziot_keys]\npkcs11_lib_path = \"/l\"\nhostname = \"gw\"\n"),
                ElementsAre(AllOf(HasSubstr("line 12: aziot_keys.hostname"), HasSubstr("top of the file"))));
    EXPECT_THAT(keys(dps + "identity_pk = \"file:///k\"\n[agent.env]\ntrust_bundle_cert = \"file:///x\"\n"),
                ElementsAre(HasSubstr("top of the file")));
    EXPECT_THAT(keys("id_scope = \"0ne\"\n" + dps),
                ElementsAre(AllOf(HasSubstr("line 1"), HasSubstr("[provisioning]"))));
    EXPECT_THAT(keys(dps + "[agent]\nimage = \"i\"\n"), ElementsAre(HasSubstr("[agent.config]")));
    EXPECT_THAT(keys(dps + "[env]\nA = \"b\"\n"), ElementsAre(HasSubstr("[agent]")));
}

TEST(KnownKeys, KnowWhatIsMeant) {
    EXPECT_THAT(keys(dps + "identity_key = \"file:///k\"\n"),
                ElementsAre(AllOf(HasSubstr("line 9"), HasSubstr("Rename it to identity_pk"))));
    EXPECT_THAT(said(dps + "identity_key = \"file:///k\"\n", "config.well-formed"),
                ElementsAre(AllOf(HasSubstr("failed line 9"), HasSubstr("lacks identity_pk"),
                                  HasSubstr("Rename identity_key to identity_pk"))));
    EXPECT_THAT(keys("hostnmae = \"h\"\n" + dps), ElementsAre(HasSubstr("Did you mean hostname?")));
    EXPECT_THAT(keys("always_reprovision_on_startup = true\n" + dps), ElementsAre(HasSubstr("AlwaysOnStartup")));
    EXPECT_THAT(keys(dps + "identity_pk = \"file:///k\"\nsymmetric_key = { value = \"AA==\" }\n"),
                ElementsAre(HasSubstr("choose the method that uses it")));
}

TEST(KnownKeys, KeepTheOrderOfTheFile) {
    std::string text = dps;
    for (int i = 0; i < 12; ++i) text += "x" + std::to_string(i) + "zzzzzzzz = 1\n";
    const auto all = keys(text);
    ASSERT_THAT(all, SizeIs(12));
    EXPECT_THAT(all[0], HasSubstr("line 9:"));
    EXPECT_THAT(all[11], HasSubstr("line 20:")) << "as numbers, not as texts";
}

TEST(KnownKeys, AreAllOfThemInWhatUpstreamItselfWrites) {
    EXPECT_THAT(keys(dps + R"(identity_pk = "file:///k"
[listen]
workload_uri = "fd://a"
management_uri = "fd://b"
min_tls_version = "tls1.0"
[agent]
name = "edgeAgent"
type = "docker"
[agent.config]
image = "i"
allowElevatedDockerPermissions = true
[agent.config.createOptions.HostConfig.LogConfig]
Type = "local"
[agent.env]
"UpstreamProtocol" = "Amqp"
)"),
                ElementsAre(HasSubstr("ok")));
}

TEST(KnownKeys, HostileTablesEnd) {
    std::string text = dps;
    for (int i = 0; text.size() < 1024 * 1024; ++i) text += "unknown_" + std::to_string(i) + " = 1\n";
    EXPECT_LT(keys(text).size(), 100U);
}

TEST(WellFormed, SaysThePlaceAndWhatIsExpected) {
    const auto one = [](const std::string& text) {
        const auto all = said(text, "config.well-formed");
        return all.empty() ? std::string() : all.front();
    };
    EXPECT_THAT(one(dps + "identity_pk = \"/k\"\n"),
                AllOf(HasSubstr("line 9: provisioning.attestation.identity_pk must be a URI"),
                      HasSubstr("identity_pk = \"file:///k\"")));
    EXPECT_THAT(one("cloud_retries = \"3\"\n" + dps), HasSubstr("without quotes"));
    EXPECT_THAT(one(dps + "identity_pk = \"file:///k\"\n[edge_ca]\ncert = \"file:///c\"\n"),
                HasSubstr("[edge_ca] lacks pk"));
    EXPECT_THAT(one(dps + "identity_pk = \"file:///k\"\n[edge_ca]\n"), HasSubstr("auto_generated_edge_ca_expiry_days"));
    EXPECT_THAT(one("hostname = \"h\"\n"), HasSubstr(no_provisioning));
}

TEST(WellFormed, WhatIsTakenAndDoesNotWorkIsAdvice) {
    const auto all = [](const std::string& text) { return said(text, "config.well-formed"); };
    EXPECT_THAT(all("trust_bundle_cert = \"https://h/x.pem\"\n" + dps + "identity_pk = \"file:///k\"\n"),
                ElementsAre(AllOf(HasSubstr("warning line 1"), HasSubstr("file:///"))));
    EXPECT_THAT(all("trust_bundle_cert = \"file://etc/x.pem\"\n" + dps + "identity_pk = \"file:///k\"\n"),
                ElementsAre(HasSubstr("three slashes")));
    EXPECT_THAT(all("localid = {\n domain = \"x\",\n}\n" + dps + "identity_pk = \"file:///k\"\n"),
                ElementsAre(AllOf(HasSubstr("warning line 2"), HasSubstr("TOML 1.0"))));
}

TEST(Clouds, AScopeOfAnotherCloudThanTheEndpointIsTold) {
    const auto with = [](const std::string& scope, const std::string& end) {
        return "[provisioning]\nsource = \"dps\"\nglobal_endpoint = \"https://global.azure-devices-provisioning." +
               end + "/\"\nid_scope = \"" + scope + "\"\nattestation = { method = \"tpm\", registration_id = \"r\" }\n";
    };
    EXPECT_THAT(said(with("0us000278B1", "us"), "config.endpoint"), ElementsAre(HasSubstr("ok")));
    EXPECT_THAT(said(with("0us000278B1", "us"), "config.scope-id"), ElementsAre(HasSubstr("ok")));
    EXPECT_THAT(said(with("0us000278B1", "net"), "config.endpoint"), ElementsAre(HasSubstr("Azure Government")));
    EXPECT_THAT(said(with("0ne000278B1", "cn"), "config.endpoint"), ElementsAre(HasSubstr("warning")));
}

}  // namespace
}  // namespace eflow
