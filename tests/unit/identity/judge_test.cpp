#include "vm-agent/identity/judge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_certificates.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {
namespace {

using std::chrono::days;
using ::testing::HasSubstr;
using testing::make;
using testing::now;
using testing::Pair;
using testing::Wish;

/// Root, intermediate and leaf, made once.
struct World {
    Pair root = make(Wish::authority("Root"));
    Pair intermediate = make(Wish::authority("Intermediate"), &root);
    Pair leaf = make({}, &intermediate);
};

const World& world() {
    static const World one;
    return one;
}

IdentityExpectation expectation() {
    IdentityExpectation expected;
    expected.registration_id = std::get<RegistrationId>(RegistrationId::parse("device-1"));
    expected.now = now;
    return expected;
}

IdentityVerdict judged(const std::string& certificates, const std::string& key,
                       const IdentityExpectation& expected = expectation()) {
    return judge_identity(certificates, "chain.pem", key, "key.pem", expected);
}

IdentityVerdict judged(const Pair& leaf, const IdentityExpectation& expected = expectation()) {
    return judged(leaf.pem() + world().intermediate.pem(), leaf.key_pem(), expected);
}

const Finding& finding(const IdentityVerdict& verdict, const std::string& id) {
    for (const auto& one : verdict.findings)
        if (one.id == "identity." + id) return one;
    static const Finding none;
    ADD_FAILURE() << "no finding identity." << id;
    return none;
}

Severity severity(const IdentityVerdict& verdict, const std::string& id) {
    return finding(verdict, id).severity;
}

/// That `id` fails for this identity, with evidence and a remedy, and that no material comes out.
void expect_failed(const IdentityVerdict& verdict, const std::string& id) {
    EXPECT_EQ(severity(verdict, id), Severity::failed) << id << ": " << finding(verdict, id).summary;
    EXPECT_FALSE(finding(verdict, id).detail.empty());
    EXPECT_FALSE(finding(verdict, id).remedy.empty());
    EXPECT_FALSE(verdict.material.has_value());
}

Pair leaf_with(const Wish& wish) {
    return make(wish, &world().intermediate);
}

TEST(Judge, AGoodIdentityPassesEveryCheckInTheContractsOrder) {
    const auto verdict = judged(world().leaf);
    std::vector<std::string> ids;
    for (const auto& one : verdict.findings) {
        EXPECT_EQ(one.severity, Severity::ok) << one.id << ": " << one.detail;
        ids.push_back(one.id.substr(9));
    }
    EXPECT_EQ(ids, (std::vector<std::string>{"cert-readable", "key-readable", "key-usable", "key-matches", "leaf-first",
                                             "cn-matches-registration-id", "cn-valid", "chain-complete",
                                             "chain-verifies", "not-a-ca", "client-auth", "key-strength",
                                             "signature-strength", "current", "expires-soon", "before-2038"}));
    ASSERT_TRUE(verdict.material);
    EXPECT_EQ(verdict.material->common_name, "device-1");
    EXPECT_EQ(verdict.material->fingerprint8, world().leaf.certificate.sha256().substr(0, 8));
    EXPECT_EQ(verdict.material->certificate_pem, world().leaf.pem() + world().intermediate.pem());
    EXPECT_EQ(verdict.material->key_pem.reveal(), world().leaf.key_pem());
}

TEST(Judge, IssuersInAnyOrderAreWrittenInTheRightOne) {
    const auto verdict =
        judged(world().leaf.pem() + world().root.pem() + world().intermediate.pem() + world().root.pem(),
               world().leaf.key_pem());
    ASSERT_TRUE(verdict.material);
    EXPECT_EQ(verdict.material->certificate_pem, world().leaf.pem() + world().intermediate.pem() + world().root.pem());
}

TEST(Judge, EveryFormOfKeyBecomesPkcs8) {
    for (const char* form : {"PKCS8", "traditional"}) {
        const auto verdict = judged(world().leaf.pem() + world().intermediate.pem(),
                                    "some text\r\n" + world().leaf.key_pem(form) + "trailing");
        ASSERT_TRUE(verdict.material) << form;
        EXPECT_TRUE(verdict.material->key_pem.reveal().starts_with("-----BEGIN PRIVATE KEY-----"));
    }
}

TEST(Judge, WindowsLineEndsAreFine) {
    std::string chain;
    for (const char c : world().leaf.pem() + world().intermediate.pem())
        chain += c == '\n' ? std::string("\r\n") : std::string(1, c);
    EXPECT_TRUE(judged(chain, world().leaf.key_pem()).material);
}

TEST(Judge, AWrongPair) {
    const Pair stranger = leaf_with({});
    expect_failed(judged(world().leaf.pem() + world().intermediate.pem(), stranger.key_pem()), "key-matches");
}

TEST(Judge, TheLeafNotFirst) {
    expect_failed(judged(world().intermediate.pem() + world().leaf.pem(), world().leaf.key_pem()), "leaf-first");
}

TEST(Judge, AMissingIntermediate) {
    expect_failed(judged(world().leaf.pem() + world().root.pem(), world().leaf.key_pem()), "chain-complete");
}

TEST(Judge, ALeafAloneIsAWarningForAGroupOnly) {
    EXPECT_EQ(severity(judged(world().leaf.pem(), world().leaf.key_pem()), "chain-complete"), Severity::warning);
    auto expected = expectation();
    expected.enrollment = Enrollment::individual;
    EXPECT_EQ(severity(judged(world().leaf.pem(), world().leaf.key_pem(), expected), "chain-complete"), Severity::ok);
}

TEST(Judge, ACaAsLeaf) {
    Wish wish = Wish::authority("device-1");
    expect_failed(judged(leaf_with(wish)), "not-a-ca");
    wish = {};
    wish.key_usage = "critical,digitalSignature,keyCertSign";
    expect_failed(judged(leaf_with(wish)), "not-a-ca");
}

TEST(Judge, UsageThatExcludesATlsClient) {
    Wish server;
    server.extended_key_usage = "serverAuth";
    expect_failed(judged(leaf_with(server)), "client-auth");
    Wish critical;
    critical.extended_key_usage = "critical,serverAuth";
    expect_failed(judged(leaf_with(critical)), "client-auth");
    Wish no_signature;
    no_signature.key_usage = "critical,keyEncipherment";
    expect_failed(judged(leaf_with(no_signature)), "client-auth");
    Wish unrestricted;
    unrestricted.key_usage = unrestricted.extended_key_usage = "";
    EXPECT_EQ(severity(judged(leaf_with(unrestricted)), "client-auth"), Severity::ok);
}

TEST(Judge, DatesAreJudgedAtTheGivenTimeToTheSecond) {
    Wish wish;
    wish.not_before = now;
    wish.not_after = now + days(200);
    const Pair leaf = leaf_with(wish);
    auto expected = expectation();
    for (const auto& [at, current] : {std::pair{now, true},
                                      {now - std::chrono::seconds(1), false},
                                      {now + days(200), true},
                                      {now + days(200) + std::chrono::seconds(1), false}}) {
        expected.now = at;
        EXPECT_EQ(severity(judged(leaf, expected), "current"), current ? Severity::ok : Severity::failed);
        EXPECT_EQ(severity(judged(leaf, expected), "chain-verifies"), Severity::ok) << "the dates are told once";
    }
}

TEST(Judge, AnExpiredIntermediateFailsTooAndIsNamed) {
    Wish wish = Wish::authority("Old");
    wish.not_after = now - days(1);
    const Pair old = make(wish, &world().root);
    const Pair leaf = make({}, &old);
    const auto verdict = judged(leaf.pem() + old.pem(), leaf.key_pem());
    expect_failed(verdict, "current");
    EXPECT_THAT(finding(verdict, "current").detail, HasSubstr("CN=Old"));
}

TEST(Judge, ThirtyDaysBeforeTheEndAWarning) {
    Wish wish;
    wish.not_after = now + days(30);
    EXPECT_EQ(severity(judged(leaf_with(wish)), "expires-soon"), Severity::ok);
    wish.not_after = now + days(30) - std::chrono::seconds(1);
    EXPECT_EQ(severity(judged(leaf_with(wish)), "expires-soon"), Severity::warning);
}

TEST(Judge, TheYear2038) {
    Wish wish;
    wish.not_after = std::chrono::sys_days(std::chrono::year(2038) / 1 / 1);
    const Pair late = leaf_with(wish);
    expect_failed(judged(late), "before-2038");
    EXPECT_THAT(finding(judged(late), "before-2038").remedy, HasSubstr("--allow-after-2038"));
    auto expected = expectation();
    expected.allow_after_2038 = true;
    EXPECT_EQ(severity(judged(late, expected), "before-2038"), Severity::warning);
    EXPECT_TRUE(judged(late, expected).material);
    wish.not_after -= std::chrono::seconds(1);
    EXPECT_EQ(severity(judged(leaf_with(wish)), "before-2038"), Severity::ok);
}

TEST(Judge, CommonNames) {
    Wish wish;
    wish.common_name = "DEVICE-1";
    EXPECT_EQ(severity(judged(leaf_with(wish)), "cn-matches-registration-id"), Severity::ok) << "case does not count";
    wish.common_name = "device-2";
    expect_failed(judged(leaf_with(wish)), "cn-matches-registration-id");
    for (const char* bad : {"", "a device", "device.", "device/1"}) {
        wish.common_name = bad;
        expect_failed(judged(leaf_with(wish)), "cn-valid");
    }
}

TEST(Judge, KeysThatKeydCannotServe) {
    for (const char* kind : {"P-384", "Ed25519"}) {
        Wish wish;
        wish.key = kind;
        expect_failed(judged(leaf_with(wish)), "key-usable");
    }
    Wish rsa;
    rsa.key = "RSA-2048";
    EXPECT_EQ(severity(judged(leaf_with(rsa)), "key-usable"), Severity::ok);
}

TEST(Judge, Strength) {
    Wish weak;
    weak.key = "RSA-1024";
    expect_failed(judged(leaf_with(weak)), "key-strength");
    Wish rsa = Wish::authority("RSA issuer");
    rsa.key = "RSA-2048";
    const Pair issuer = make(rsa, &world().root);
    for (const char* digest : {"sha1", "md5"}) {
        Wish wish;
        wish.digest = digest;
        const Pair leaf = make(wish, &issuer);
        expect_failed(judged(leaf.pem() + issuer.pem(), leaf.key_pem()), "signature-strength");
    }
    Wish root = Wish::authority("Root of old");
    root.digest = "sha1";
    const Pair old_root = make(root);
    const Pair leaf = make({}, &old_root);
    EXPECT_EQ(severity(judged(leaf.pem() + old_root.pem(), leaf.key_pem()), "signature-strength"), Severity::ok)
        << "a root is not trusted for its own signature";
}

TEST(Judge, AForgedSignatureIsNamedByDepthAndSubject) {
    const Pair impostor = make(Wish::authority("Intermediate"));
    const Pair forged = make({}, &impostor);
    const auto verdict = judged(forged.pem() + world().intermediate.pem(), forged.key_pem());
    expect_failed(verdict, "chain-verifies");
    EXPECT_THAT(finding(verdict, "chain-verifies").detail, HasSubstr("depth 0, CN=device-1"));
}

TEST(Judge, IssuersThatMayNotIssue) {
    Wish no_ca = Wish::authority("Not a CA");
    no_ca.basic_constraints = "critical,CA:FALSE";
    const Pair not_ca = make(no_ca, &world().root);
    const Pair leaf = make({}, &not_ca);
    expect_failed(judged(leaf.pem() + not_ca.pem() + world().root.pem(), leaf.key_pem()), "chain-verifies");

    Wish short_path = Wish::authority("Path 0");
    short_path.basic_constraints = "critical,CA:TRUE,pathlen:0";
    const Pair top = make(short_path, &world().root);
    const Pair below = make(Wish::authority("Below"), &top);
    const Pair deep = make({}, &below);
    const auto verdict = judged(deep.pem() + below.pem() + top.pem() + world().root.pem(), deep.key_pem());
    expect_failed(verdict, "chain-verifies");
    EXPECT_THAT(finding(verdict, "chain-verifies").detail, HasSubstr("path length"));

    Wish server_only = Wish::authority("Servers only");
    server_only.extended_key_usage = "serverAuth";
    const Pair servers = make(server_only, &world().root);
    const Pair client = make({}, &servers);
    expect_failed(judged(client.pem() + servers.pem() + world().root.pem(), client.key_pem()), "chain-verifies");
}

TEST(Judge, TheChainMustLeadToWhatIsTrusted) {
    auto expected = expectation();
    expected.trusted = {world().root.certificate};
    EXPECT_EQ(severity(judged(world().leaf, expected), "chain-verifies"), Severity::ok);
    expected.trusted = {make(Wish::authority("Root")).certificate};
    expect_failed(judged(world().leaf, expected), "chain-verifies");
}

TEST(Judge, AllFaultsAreCollected) {
    Wish wish;
    wish.common_name = "somebody else";
    wish.key = "RSA-1024";
    wish.digest = "sha1";
    wish.not_after = now - days(1);
    wish.extended_key_usage = "serverAuth";
    const auto verdict = judged(leaf_with(wish));
    for (const char* id :
         {"cn-matches-registration-id", "cn-valid", "client-auth", "key-strength", "signature-strength", "current"})
        expect_failed(verdict, id);
}

TEST(Judge, AnUnreadableCertificateSkipsTheRestAndSaysSo) {
    const auto verdict = judged("nothing", world().leaf.key_pem());
    EXPECT_EQ(severity(verdict, "cert-readable"), Severity::failed);
    EXPECT_EQ(severity(verdict, "key-readable"), Severity::ok);
    EXPECT_EQ(severity(verdict, "current"), Severity::skipped);
    EXPECT_EQ(verdict.findings.size(), 16U);
}

TEST(Judge, WithoutAKeyItsChecksAreSkipped) {
    const auto findings =
        judge_certificate(world().leaf.pem() + world().intermediate.pem(), "chain.pem", expectation());
    EXPECT_EQ(findings.size(), 16U);
    for (const auto& one : findings) {
        const bool of_key =
            one.id == "identity.key-readable" || one.id == "identity.key-usable" || one.id == "identity.key-matches";
        EXPECT_EQ(one.severity, of_key ? Severity::skipped : Severity::ok) << one.id;
    }
}

}  // namespace
}  // namespace eflow
