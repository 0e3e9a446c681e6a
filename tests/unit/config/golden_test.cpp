#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/splice.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::optional<std::string> text_in(const json& object, const char* key) {
    return object.contains(key) ? std::optional(object.at(key).get<std::string>()) : std::nullopt;
}

/// What is written unless the case's wanted.json says otherwise.
ManagedConfig managed_of(const json& wanted) {
    ManagedConfig managed;
    managed.id_scope = wanted.value("id_scope", "0ne00A1B2C3");
    managed.global_endpoint = wanted.value("global_endpoint", "https://global.azure-devices-provisioning.net/");
    managed.identity_cert_uri = wanted.value("identity_cert", "file:///var/aziot/certs/device-id-01234567.cert.pem");
    managed.identity_pk_uri = wanted.value("identity_pk", "file:///var/aziot/secrets/device-id-01234567.key.pem");
    managed.registration_id = text_in(wanted, "registration_id");
    managed.payload_uri = text_in(wanted, "payload");
    managed.hostname = text_in(wanted, "hostname");
    managed.trust_bundle_uri = text_in(wanted, "trust_bundle");
    managed.agent_image = text_in(wanted, "agent_image");
    managed.proxy = text_in(wanted, "proxy");
    if (wanted.contains("edge_ca"))
        managed.edge_ca = ManagedConfig::EdgeCa{wanted["edge_ca"]["cert"], wanted["edge_ca"]["pk"]};
    return managed;
}

class Golden : public ::testing::TestWithParam<std::string> {};

/// A case is a folder: input.toml, wanted.json (may be missing), and either expected.toml or expected-findings.json;
/// the latter lists findings of judge_config and splice that must be there, by id, severity and a part of the text.
TEST_P(Golden, Case) {
    const fs::path folder = fs::path(FIXTURES) / "config" / GetParam();
    const std::string input = contents(folder / "input.toml");
    const json wanted =
        fs::exists(folder / "wanted.json") ? json::parse(contents(folder / "wanted.json")) : json::object();
    const bool force = wanted.value("force", false);
    const Spliced spliced = splice(input, managed_of(wanted), force);

    bool expects = false;
    if (fs::exists(folder / "expected.toml")) {
        expects = true;
        ASSERT_TRUE(spliced.text) << (spliced.findings.empty() ? "" : spliced.findings.back().detail);
        EXPECT_EQ(*spliced.text, contents(folder / "expected.toml"));
        const Spliced again = splice(*spliced.text, managed_of(wanted), force);
        ASSERT_TRUE(again.text);
        EXPECT_EQ(*again.text, *spliced.text) << "splicing again changes nothing";
    }
    if (fs::exists(folder / "expected-findings.json")) {
        expects = true;
        Findings findings = judge_config(input);
        append(findings, spliced.findings);
        for (const auto& expected : json::parse(contents(folder / "expected-findings.json"))) {
            const auto fits = [&](const Finding& finding) {
                const std::string all = finding.summary + "\n" + finding.detail + "\n" + finding.remedy;
                return finding.id == expected.at("id") &&
                       to_text(finding.severity) == expected.at("severity").get<std::string>() &&
                       all.find(expected.at("says").get<std::string>()) != std::string::npos;
            };
            EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), fits))
                << "missing: " << expected.dump() << "\nthere are:\n"
                << [&] {
                       std::string all;
                       for (const auto& finding : findings)
                           all += finding.id + " " + std::string(to_text(finding.severity)) + ": " + finding.summary +
                                  " | " + finding.detail + " | " + finding.remedy + "\n";
                       return all;
                   }();
        }
        if (!fs::exists(folder / "expected.toml")) {
            findings = spliced.findings;
            append(findings, judge_config(spliced.text.value_or(input)));
            EXPECT_EQ(gravest(findings) == Severity::failed, wanted.value("refused", true));
        }
    }
    EXPECT_TRUE(expects) << "the case expects nothing";
}

std::vector<std::string> cases() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(fs::path(FIXTURES) / "config"))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

INSTANTIATE_TEST_SUITE_P(Config, Golden, ::testing::ValuesIn(cases()), [](const auto& one) {
    std::string name = one.param;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

TEST(GoldenCases, AreThirtyOrMore) {
    EXPECT_GE(cases().size(), 30U);
}

}  // namespace
}  // namespace eflow
