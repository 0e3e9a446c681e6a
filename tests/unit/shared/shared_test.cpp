#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/failure.hpp"
#include "shared/identity.hpp"
#include "shared/manifest.hpp"
#include "shared/report.hpp"
#include "shared/secret.hpp"

namespace eflow {
namespace {

using ::testing::HasSubstr;

template <class T>
bool valid(const Judged<T>& judged) {
    return std::holds_alternative<T>(judged);
}

TEST(IdScope, TakesLettersAndDigits) {
    for (const char* good : {"0ne00A1B2C3", "0ab1234C5D6", "x"}) EXPECT_TRUE(valid(IdScope::parse(good))) << good;
    for (const std::string& bad : {std::string(), std::string("0ne 1"), std::string("0ne\n"), std::string("\"x"),
                                   std::string(65, 'a'), std::string("a\0b", 3)})
        EXPECT_FALSE(valid(IdScope::parse(bad))) << bad;
    EXPECT_FALSE(std::get<IdScope>(IdScope::parse("0ne00A1B2C3")).unusual());
    EXPECT_TRUE(std::get<IdScope>(IdScope::parse("0ab1234C5D6")).unusual());
}

TEST(RegistrationId, FollowsTheRulesOfDps) {
    for (const std::string& good :
         {std::string("a"), std::string("plant7-gw-03"), std::string("A.b_c:d-"), std::string(128, 'a')})
        EXPECT_TRUE(valid(RegistrationId::parse(good))) << good;
    for (const std::string& bad : {std::string(), std::string("a."), std::string("a_"), std::string("a b"),
                                   std::string("a/b"), std::string(129, 'a'), std::string("\xc3\xa9")})
        EXPECT_FALSE(valid(RegistrationId::parse(bad))) << bad;
    const auto id = std::get<RegistrationId>(RegistrationId::parse("Gw-3"));
    EXPECT_TRUE(id.same_as("gW-3"));
    EXPECT_FALSE(id.same_as("gw-33"));
}

TEST(DpsEndpoint, IsAnHttpsRoot) {
    const auto url = [](std::string_view text) { return std::get<DpsEndpoint>(DpsEndpoint::parse(text)).url(); };
    EXPECT_EQ(url("https://global.azure-devices-provisioning.net"), DpsEndpoint::global);
    EXPECT_EQ(url("HTTPS://a.b/"), "https://a.b/");
    EXPECT_EQ(url("a.b:8443"), "https://a.b:8443/");
    EXPECT_EQ(std::get<DpsEndpoint>(DpsEndpoint::parse("https://a.b:8443/")).host(), "a.b");
    for (const char* bad : {"", "http://a.b/", "https://", "https:///", "https://a.b/path", "https://u@a.b/",
                            "https://a b/", "https://-a.b/", "https://a..b/", "https://a.b:0/", "https://a.b:65536/",
                            "https://a.b:8x/", "https://a.b/\n"})
        EXPECT_FALSE(valid(DpsEndpoint::parse(bad))) << bad;
}

TEST(Findings, ShowHostileValuesAsPlainText) {
    const auto judged = IdScope::parse("\x1b[31m\n");
    EXPECT_EQ(std::get<Finding>(judged).detail.find('\x1b'), std::string::npos);
}

TEST(Report, GoesThroughJsonUnharmed) {
    Report report;
    report.program = "eflow-agent";
    report.version = "1";
    report.verb = "provision";
    report.exit_code = ExitCode::refused;
    report.phase = Phase::awaiting_deployment;
    report.findings = {ok("a.b", "fine"), skipped("a.c", "s", "why"), warning("a.d", "w", "d", "r"),
                       failed("a.e", "f", "d", "r")};
    report.changes = {{"/x", Action::replaced, "root", "aziotks", "0440"}};
    report.data["n"] = 1;
    const Report back = report_from_json(to_json(report));
    EXPECT_EQ(back.findings, report.findings);
    EXPECT_EQ(back.changes, report.changes);
    EXPECT_EQ(back.phase, report.phase);
    EXPECT_EQ(back.exit_code, report.exit_code);
    EXPECT_EQ(back.data, report.data);
    EXPECT_THAT(to_json(report), HasSubstr("\"ok\": false"));
}

TEST(Report, BytesThatAreNoTextDoNoHarm) {
    Report report;
    report.findings = {ok("a.b", "\xff\xfe")};
    EXPECT_NO_THROW(report_from_json(to_json(report)));
}

TEST(Report, AnythingElseIsRefused) {
    for (const char* bad : {"", "[]", "{}", "{\"schema\":2}", "null", "{\"schema\":1}"})
        EXPECT_THROW(report_from_json(bad), Failure) << bad;
}

constexpr auto good_manifest = R"(schema = 1
[provisioning]
scope_id = "0ne00A1B2C3"
registration_id = "gw"
enrollment = "individual"
payload = "p.json"
[identity]
certificate = 'C:\identity\c.pem'
private_key = "k.pem"
[edge]
hostname = "h"
edge_ca = { certificate = "/abs/c", private_key = "sub/../k" }
[host]
deploy = { cpu = 2 }
)";

TEST(Manifest, IsReadWithPathsCompleted) {
    const Manifest manifest = parse_manifest(good_manifest, "/folder");
    EXPECT_EQ(manifest.scope_id, "0ne00A1B2C3");
    EXPECT_EQ(manifest.enrollment, Enrollment::individual);
    EXPECT_EQ(manifest.payload, "/folder/p.json");
    EXPECT_EQ(manifest.certificate, "C:\\identity\\c.pem");
    EXPECT_EQ(manifest.private_key, "/folder/k.pem");
    EXPECT_EQ(manifest.edge_ca->certificate, "/abs/c");
    EXPECT_EQ(manifest.edge_ca->private_key, "/folder/k");
    EXPECT_EQ(manifest.global_endpoint, std::nullopt);
}

std::string refusal(std::string text) {
    try {
        parse_manifest(text, "/folder");
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code(), ExitCode::refused);
        return failure.what();
    }
    ADD_FAILURE() << "was taken: " << text;
    return {};
}

std::string with(std::string from, const std::string& to) {
    std::string text = good_manifest;
    return text.replace(text.find(from), from.size(), to);
}

TEST(Manifest, IsStrictAndNamesEveryFaultAtOnce) {
    EXPECT_THAT(refusal(with("scope_id", "scopeid")),
                ::testing::AllOf(HasSubstr("did you mean scope_id?"), HasSubstr("provisioning.scope_id is missing")));
    EXPECT_THAT(refusal(with("schema = 1", "schema = 2")), HasSubstr("schema must be 1"));
    EXPECT_THAT(refusal(with("schema = 1", "")), HasSubstr("schema is missing"));
    EXPECT_THAT(refusal(with("\"gw\"", "7")), HasSubstr("provisioning.registration_id must be a text"));
    EXPECT_THAT(refusal(with("individual", "several")), HasSubstr("enrollment"));
    EXPECT_THAT(refusal(with("[identity]", "[identitty]")), HasSubstr("did you mean identity?"));
    EXPECT_THAT(refusal(with("[host]\n", "")), HasSubstr("edge.deploy is unknown"));
    EXPECT_THAT(refusal("x = "), HasSubstr("line 1"));
    EXPECT_THAT(refusal("\xff"), HasSubstr("UTF-8"));
    EXPECT_THAT(refusal("a = " + std::string(100, '[')), HasSubstr("nested too deep"));
    EXPECT_THAT(refusal(std::string(1024 * 1024 + 1, ' ')), HasSubstr("1 MiB"));
}

TEST(Nearest, FindsTyposAndOnlyThem) {
    const std::vector<std::string> known{"hostname", "agent", "provisioning"};
    EXPECT_EQ(nearest("hostnmae", known), "hostname");
    EXPECT_EQ(nearest("provisionning", known), "provisioning");
    EXPECT_EQ(nearest("something", known), std::nullopt);
    EXPECT_EQ(edit_distance("ab", "ba"), 1U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
}

TEST(Secret, IsWipedWhereItLay) {
    SecretBytes secret(std::string_view("key"));
    SecretBytes moved(std::move(secret));
    EXPECT_EQ(moved.reveal(), "key");
    char bytes[] = "secret";
    wipe(bytes, sizeof bytes);
    for (const char c : bytes) EXPECT_EQ(c, 0);
}

}  // namespace
}  // namespace eflow
