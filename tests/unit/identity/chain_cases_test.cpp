// Chains as the field and authorities make them: cross-certificates, renewals, roll-overs, and what is only nearly one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_certificates.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/identity/judge.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/strength.hpp"

namespace eflow {
namespace {

using std::chrono::days;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::make;
using testing::now;
using testing::Pair;
using testing::Wish;

Wish authority(const std::string& name) {
    Wish wish = Wish::authority(name);
    wish.subject_key_identifier = "hash";
    wish.authority_key_identifier = "keyid,issuer:always";
    return wish;
}

/// An authority of this name with the key that another certificate of it has.
Wish authority(const std::string& name, const Pair& of) {
    Wish wish = authority(name);
    wish.with_key = of.key;
    return wish;
}

struct World {
    Pair root = make(authority("Root"));
    Pair intermediate = make(authority("Intermediate"), &root);
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

IdentityVerdict judged(const std::string& file, const Pair& leaf, const IdentityExpectation& expected = expectation()) {
    return judge_identity(file, "chain.pem", leaf.key_pem(), "key.pem", expected);
}

Finding finding(const IdentityVerdict& verdict, const std::string& id) {
    for (const auto& one : verdict.findings)
        if (one.id == "identity." + id) return one;
    ADD_FAILURE() << "no finding identity." << id;
    return {};
}

Severity severity(const IdentityVerdict& verdict, const std::string& id) {
    return finding(verdict, id).severity;
}

std::string all_of(const IdentityVerdict& verdict) {
    std::string text;
    for (const auto& one : verdict.findings)
        if (one.severity > Severity::skipped) text += one.id + ": " + one.summary + ": " + one.detail + " -> " + one.remedy + "\n";
    return text;
}

/// Taken, and what no path needs said in a warning.
void expect_taken_with_a_warning(const IdentityVerdict& verdict, const std::string& about) {
    EXPECT_TRUE(verdict.material) << all_of(verdict);
    EXPECT_EQ(severity(verdict, "chain-complete"), Severity::warning) << all_of(verdict);
    EXPECT_THAT(finding(verdict, "chain-complete").detail, HasSubstr(about));
}

TEST(ChainCases, AKeyRollOverIsASoundPath) {
    // The CA's new key is certified by its old one: issuer and subject have the same name, and it is no root.
    const Pair rolled = make(authority("Intermediate"), &world().intermediate);
    const Pair leaf = make({}, &rolled);
    const auto verdict = judged(leaf.pem() + rolled.pem() + world().intermediate.pem() + world().root.pem(), leaf);
    ASSERT_TRUE(verdict.material) << all_of(verdict);
    EXPECT_EQ(severity(verdict, "chain-complete"), Severity::ok);
    EXPECT_EQ(verdict.material->chain.size(), 4U);
}

TEST(ChainCases, ACrossCertificateIsKeptBehindThePath) {
    const Pair other = make(authority("Other root"));
    const Pair cross = make(authority("Intermediate", world().intermediate), &other);
    for (const auto& middle : {world().intermediate.pem() + cross.pem(), cross.pem() + world().intermediate.pem()}) {
        const auto verdict = judged(world().leaf.pem() + middle + world().root.pem(), world().leaf);
        expect_taken_with_a_warning(verdict, "Other root");
        EXPECT_EQ(verdict.material->certificate_pem,
                  world().leaf.pem() + world().intermediate.pem() + world().root.pem() + cross.pem());
    }
}

TEST(ChainCases, OldAndNewRootOfOneKey) {
    const Pair renewed = make(authority("Root", world().root));
    for (const auto& roots : {world().root.pem() + renewed.pem(), renewed.pem() + world().root.pem()})
        expect_taken_with_a_warning(judged(world().leaf.pem() + world().intermediate.pem() + roots, world().leaf), "CN=Root");
    Wish expired = authority("Root", world().root);
    expired.not_after = now - days(1);
    const Pair old = make(expired);
    const auto verdict = judged(world().leaf.pem() + world().intermediate.pem() + old.pem() + world().root.pem(), world().leaf);
    expect_taken_with_a_warning(verdict, "not needed");
    EXPECT_EQ(verdict.material->chain.size(), 3U) << "what has expired is not sent";
}

TEST(ChainCases, ARekeyedAuthorityBesideTheOneThatIssued) {
    const Pair rekeyed = make(authority("Intermediate"), &world().root);
    expect_taken_with_a_warning(judged(world().leaf.pem() + rekeyed.pem() + world().intermediate.pem() + world().root.pem(), world().leaf),
                                "CN=Intermediate");
    expect_taken_with_a_warning(judged(world().leaf.pem() + world().intermediate.pem() + rekeyed.pem(), world().leaf), "CN=Intermediate");
}

TEST(ChainCases, StrangersInTheFileAreLeftOut) {
    const Pair stranger = make(authority("Stranger"));
    const auto verdict =
        judged(world().leaf.pem() + stranger.pem() + world().intermediate.pem() + world().root.pem(), world().leaf);
    expect_taken_with_a_warning(verdict, "Stranger");
    EXPECT_THAT(verdict.material->certificate_pem, Not(HasSubstr(stranger.pem())));
    const Pair other_leaf = make({}, &world().root);
    expect_taken_with_a_warning(judged(world().leaf.pem() + world().intermediate.pem() + other_leaf.pem(), world().leaf), "device-1");
}

TEST(ChainCases, AGapIsAGap) {
    EXPECT_EQ(severity(judged(world().leaf.pem() + world().root.pem(), world().leaf), "chain-complete"), Severity::failed);
    const Pair below = make(authority("Below"), &world().intermediate);
    const Pair leaf = make({}, &below);
    EXPECT_EQ(severity(judged(leaf.pem() + below.pem() + world().root.pem(), leaf), "chain-complete"), Severity::failed);
}

TEST(ChainCases, AnIssuerMustSayThatItIsACa) {
    Wish silent = authority("No basic constraints");
    silent.basic_constraints = "";
    const Pair issuer = make(silent, &world().root);
    const Pair leaf = make({}, &issuer);
    const auto alone = judged(leaf.pem() + issuer.pem(), leaf);
    EXPECT_EQ(severity(alone, "chain-verifies"), Severity::failed) << "the root is not in the file";
    EXPECT_THAT(finding(alone, "chain-verifies").detail, HasSubstr("basicConstraints"));
    EXPECT_EQ(severity(judged(leaf.pem() + issuer.pem() + world().root.pem(), leaf), "chain-verifies"), Severity::failed);
    auto expected = expectation();
    expected.trusted = {world().root.certificate};
    EXPECT_EQ(severity(judged(leaf.pem() + issuer.pem(), leaf, expected), "chain-verifies"), Severity::failed);
}

TEST(ChainCases, WhatIsTrustedIsJudgedByItsDatesToo) {
    Wish expired = authority("Root", world().root);
    expired.not_after = now - days(1);
    auto expected = expectation();
    expected.trusted = {make(expired).certificate};
    const auto two = world().leaf.pem() + world().intermediate.pem();
    EXPECT_FALSE(judged(two, world().leaf, expected).material);
    expected.trusted.push_back(world().root.certificate);
    EXPECT_TRUE(judged(two, world().leaf, expected).material) << "any anchor that verifies will do";
    for (int i = 0; i < 40; ++i) expected.trusted.push_back(make(authority("Public " + std::to_string(i))).certificate);
    EXPECT_TRUE(judged(two, world().leaf, expected).material) << "a bundle of all authorities";
}

TEST(ChainCases, CompleteIsNotSaidBesideAMissingIssuer) {
    auto expected = expectation();
    expected.trusted = {make(authority("Elsewhere")).certificate};
    for (const auto& file : {world().leaf.pem(), world().leaf.pem() + world().intermediate.pem() + world().root.pem()}) {
        const auto verdict = judged(file, world().leaf, expected);
        EXPECT_EQ(severity(verdict, "chain-complete"), Severity::failed);
        EXPECT_THAT(finding(verdict, "chain-verifies").detail, HasSubstr("unable to get local issuer certificate"));
    }
}

TEST(ChainCases, StrengthIsJudgedOfSelfIssuedIssuersToo) {
    Wish weak = authority("Intermediate");
    weak.digest = "sha1";
    const Pair rolled = make(weak, &world().intermediate);
    const Pair leaf = make({}, &rolled);
    EXPECT_EQ(severity(judged(leaf.pem() + rolled.pem(), leaf), "signature-strength"), Severity::failed);
    weak = authority("Intermediate");
    weak.key = "RSA-1024";
    const Pair narrow = make(weak, &world().intermediate);
    const Pair below = make({}, &narrow);
    EXPECT_EQ(severity(judged(below.pem() + narrow.pem(), below), "key-strength"), Severity::failed);
}

TEST(ChainCases, AnRsaExponentWithWhichAnybodyCanSign) {
    Wish wish;
    wish.key = "RSA-2048";
    const Pair sound = make(wish);
    EXPECT_FALSE(weakness_of_key(sound.certificate));
    unsigned char* data = nullptr;
    const int size = i2d_X509(sound.certificate.get(), &data);
    std::string der(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(data);
    const std::string exponent("\x02\x03\x01\x00\x01", 5);
    ASSERT_NE(der.find(exponent), std::string::npos);
    der.replace(der.find(exponent), exponent.size(), std::string("\x02\x03\x01\x00\x02", 5));
    const auto* from = reinterpret_cast<const unsigned char*>(der.data());
    const Certificate even(std::shared_ptr<x509_st>(d2i_X509(nullptr, &from, static_cast<long>(der.size())), Free<X509_free>{}));
    ASSERT_TRUE(weakness_of_key(even));
    EXPECT_TRUE(weakness_of_key(even)->forgeable);
}

TEST(ChainCases, ASelfSignedLeafIsAWarningForAGroup) {
    const Pair alone = make({});
    EXPECT_EQ(severity(judged(alone.pem(), alone), "chain-complete"), Severity::warning);
    EXPECT_THAT(finding(judged(alone.pem(), alone), "chain-complete").remedy, HasSubstr("--enrollment individual"));
    auto expected = expectation();
    expected.enrollment = Enrollment::individual;
    EXPECT_EQ(severity(judged(alone.pem(), alone, expected), "chain-complete"), Severity::ok);
}

TEST(ChainCases, ALeafAloneNamesTheIssuerThatIsMissing) {
    EXPECT_THAT(finding(judged(world().leaf.pem(), world().leaf), "chain-complete").detail, HasSubstr("CN=Intermediate"));
}

TEST(ChainCases, ARootMayOutliveTheLeaf) {
    const Instant late = std::chrono::sys_days(std::chrono::year(2045) / 1 / 1);
    Wish wish = authority("Root");
    wish.not_after = late;
    const Pair root = make(wish);
    const Pair leaf = make({}, &root);
    EXPECT_EQ(severity(judged(leaf.pem() + root.pem(), leaf), "before-2038"), Severity::warning);
    wish = authority("Late intermediate");
    wish.not_after = late;
    const Pair intermediate = make(wish, &world().root);
    const Pair below = make({}, &intermediate);
    EXPECT_EQ(severity(judged(below.pem() + intermediate.pem(), below), "before-2038"), Severity::failed);
}

TEST(ChainCases, AKeyIsProvenBySigning) {
    // The public half stays, one bit of the private one is another: SEC1 has the private number first.
    std::string pem = world().leaf.key_pem("traditional");
    const std::size_t digit = pem.find('\n') + 12;
    pem[digit] = pem[digit] == 'A' ? 'B' : 'A';
    const auto verdict = judge_identity(world().leaf.pem() + world().intermediate.pem(), "chain.pem", pem, "key.pem", expectation());
    EXPECT_FALSE(verdict.material);
    const Finding matches = finding(verdict, "key-matches");
    EXPECT_EQ(matches.severity, Severity::failed) << all_of(verdict);
    EXPECT_THAT(matches.summary, HasSubstr("damaged"));
}

TEST(ChainCases, TheKeyOfACaInTheFileIsOneSentence) {
    const auto verdict = judged(world().leaf.pem() + world().intermediate.pem() + world().root.pem(), world().root);
    int failures = 0;
    for (const auto& one : verdict.findings) failures += one.severity == Severity::failed ? 1 : 0;
    EXPECT_EQ(failures, 1) << all_of(verdict);
    EXPECT_THAT(finding(verdict, "key-matches").detail,
                AllOf(HasSubstr("this key belongs to certificate 3"), HasSubstr("CN=Root, a CA")));
}

TEST(ChainCases, CommonNamesThatIdentitydReadsOtherwise) {
    Wish wish;
    wish.common_name = "other-device";
    wish.more_names = {{V_ASN1_UTF8STRING, "device-1"}};
    const Pair two = make(wish, &world().intermediate);
    const auto several = judged(two.pem() + world().intermediate.pem(), two);
    EXPECT_EQ(severity(several, "cn-valid"), Severity::failed);
    EXPECT_EQ(severity(several, "cn-matches-registration-id"), Severity::failed) << "identityd takes the first";

    const std::vector<std::pair<int, std::string>> wide{
        {V_ASN1_BMPSTRING, std::string("\0d\0e\0v\0i\0c\0e\0-\0001", 16)},
        {V_ASN1_UNIVERSALSTRING, std::string("\0\0\0d\0\0\0e\0\0\0v\0\0\0i\0\0\0c\0\0\0e\0\0\0-\0\0\0001", 32)}};
    for (const auto& [type, bytes] : wide) {
        wish = {};
        wish.name_type = type;
        wish.common_name = bytes;
        const Pair leaf = make(wish, &world().intermediate);
        ASSERT_EQ(leaf.certificate.common_name(), "device-1");
        EXPECT_EQ(severity(judged(leaf.pem() + world().intermediate.pem(), leaf), "cn-valid"), Severity::failed) << type;
    }
    wish = {};
    wish.name_type = V_ASN1_PRINTABLESTRING;
    const Pair printable = make(wish, &world().intermediate);
    EXPECT_EQ(severity(judged(printable.pem() + world().intermediate.pem(), printable), "cn-valid"), Severity::ok);
}

TEST(ChainCases, NothingHostileIsOfferedForCopying) {
    for (const std::string& name : {std::string("x; rm -rf /"), std::string("$(id)"), std::string("a\nb"), std::string("\xe2\x80\xae" "1-ecived"),
                                    std::string("\xc2\x9b" "31m")}) {
        Wish wish;
        wish.common_name = name;
        const Pair leaf = make(wish, &world().intermediate);
        const auto verdict = judged(leaf.pem() + world().intermediate.pem(), leaf);
        for (const auto& one : verdict.findings) {
            EXPECT_THAT(one.remedy, Not(HasSubstr(name))) << one.id;
            for (const char* hidden : {"\x1b", "\xc2\x9b", "\xe2\x80\xae"}) EXPECT_THAT(one.detail, Not(HasSubstr(hidden))) << one.id;
        }
        const CertificateFacts shown = facts(leaf.certificate, now);
        for (const char* hidden : {"\x1b", "\xc2\x9b", "\xe2\x80\xae", "\n"}) {
            EXPECT_THAT(shown.subject, Not(HasSubstr(hidden)));
            EXPECT_THAT(shown.common_name.value_or(""), Not(HasSubstr(hidden)));
        }
    }
}

TEST(ChainCases, DatesAreSaidWithTimeAndZone) {
    Wish wish;
    wish.not_before = now + std::chrono::hours(3);
    const Pair leaf = make(wish, &world().intermediate);
    EXPECT_THAT(finding(judged(leaf.pem() + world().intermediate.pem(), leaf), "current").detail,
                AllOf(HasSubstr("valid only from 2026-06-01 03:00:00 UTC"), HasSubstr("the clock here says 2026-06-01 00:00:00 UTC")));
}

TEST(ChainCases, AnUnknownCriticalExtensionIsNamedByItsNumber) {
    Wish wish;
    wish.unknown_critical_oid = "1.3.6.1.4.1.99999.42";
    const Pair leaf = make(wish, &world().intermediate);
    EXPECT_THAT(finding(judged(leaf.pem() + world().intermediate.pem(), leaf), "chain-verifies").detail,
                HasSubstr("1.3.6.1.4.1.99999.42"));
}

TEST(ChainCases, ManyCertificatesThatAllIssueEachOtherComeToAnEnd) {
    // Every one of these signs every other: a search without bounds would try 14! paths.
    std::vector<Pair> web{world().root};
    std::string file = world().leaf.pem();
    for (int i = 0; i < 14; ++i) {
        const Pair one = make(authority("Intermediate", world().intermediate), i % 2 == 0 ? &world().root : &world().intermediate);
        file += one.pem();
    }
    EXPECT_NE(severity(judged(file, world().leaf), "chain-verifies"), Severity::skipped);
}

}  // namespace
}  // namespace eflow
