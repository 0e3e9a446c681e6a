#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm-agent/health/check.hpp"
#include "vm-agent/health/verdict.hpp"

namespace eflow {
namespace {

using ::testing::HasSubstr;

ProvisioningSeen dps(const char* scope, const char* id) {
    ProvisioningSeen seen;
    seen.source = "dps";
    seen.method = "x509";
    seen.id_scope = scope;
    seen.global_endpoint = "https://global.azure-devices-provisioning.net";
    seen.registration_id = id;
    return seen;
}

Observations registered(const char* hub, const char* device) {
    Observations seen;
    seen.device_info = Sight<std::optional<DeviceInfo>>::of(DeviceInfo{hub, device, {}});
    seen.registered_by =
        RegisteredBy{"0ne00000001", "https://global.azure-devices-provisioning.net/", "gw", "hub-1", "gw"};
    return seen;
}

TEST(ScopeApplied, ComparesWhatTheDeviceRegisteredByWithConfig) {
    const Observations seen = registered("hub-1", "gw");
    EXPECT_EQ(judge_scope_applied(seen, dps("0ne00000001", "GW")).severity, Severity::ok);
    const Finding moved = judge_scope_applied(seen, dps("0ne00000002", "gw"));
    EXPECT_EQ(moved.severity, Severity::failed);
    EXPECT_THAT(moved.detail, HasSubstr("id_scope is '0ne00000002'"));
    EXPECT_EQ(moved.remedy, "sudo iotedge system reprovision");
    EXPECT_EQ(judge_scope_applied(seen, dps("0ne00000001", "other")).severity, Severity::failed);
}

TEST(ScopeApplied, ARegistrationSinceTheApplyIsOfThisConfig) {
    using namespace std::chrono_literals;
    Observations seen = registered("hub-1", "gw");
    seen.applied.applied = true;
    seen.applied.since = std::chrono::system_clock::time_point(1'780'000'000s);
    const auto judged = [&] { return judge_scope_applied(seen, dps("0ne00000002", "gw")).severity; };
    (*seen.device_info.value)->written = Stamp(1'779'999'999s);
    EXPECT_EQ(judged(), Severity::failed);
    // As after `iotedge system reprovision`, which the remedy asks for: the same hub gives the same names.
    (*seen.device_info.value)->written = Stamp(1'780'000'005s);
    EXPECT_EQ(judged(), Severity::ok);
}

TEST(ScopeApplied, WhereTheRecordIsOfAnotherRegistrationOnlyTheNamesAreCompared) {
    const Observations seen = registered("hub-2", "gw");
    EXPECT_EQ(judge_scope_applied(seen, dps("0ne00000002", "gw")).severity, Severity::ok);
    EXPECT_EQ(judge_scope_applied(seen, dps("0ne00000002", "other")).severity, Severity::warning);
}

TEST(ScopeApplied, IsSkippedWithoutAMemoryOfIdentityds) {
    Observations seen;
    EXPECT_EQ(judge_scope_applied(seen, dps("0ne00000001", "gw")).severity, Severity::skipped);
    seen.device_info = Sight<std::optional<DeviceInfo>>::of(std::nullopt);
    EXPECT_EQ(judge_scope_applied(seen, dps("0ne00000001", "gw")).severity, Severity::skipped);
}

TEST(UnfinishedChange, IsNamedWithTheCommandThatEndsIt) {
    Observations seen;
    seen.config = Sight<FileSeen>::of({});
    EXPECT_EQ(judge_unfinished(seen).severity, Severity::ok);
    seen.unfinished = Unfinished{"provision", "2026-06-01T00:00:00Z", 4711, false, true};
    const Verdict verdict = judge(seen);
    EXPECT_THAT(verdict.next, HasSubstr("sudo eflow-agent undo"));
    const Finding finding = judge_unfinished(seen);
    EXPECT_EQ(finding.severity, Severity::warning);
    EXPECT_THAT(finding.summary, HasSubstr("provision since 2026-06-01T00:00:00Z"));
    EXPECT_THAT(finding.detail, HasSubstr("its config.toml stands"));
    seen.unfinished->committed = false;
    EXPECT_THAT(judge_unfinished(seen).detail, HasSubstr("the previous one stands"));
    seen.unfinished->runs = true;
    EXPECT_EQ(judge_unfinished(seen).severity, Severity::ok) << "a run that is still at it is no fault";
}

TEST(MatchesManifest, NamesTheFileAndTheKeys) {
    Observations seen;
    seen.manifest = Sight<FileSeen>::of(
        {true, "schema = 1\n[provisioning]\nscope_id = \"0ne00000002\"\nregistration_id = \"gw\"\n[identity]\n"
               "certificate = \"a\"\nprivate_key = \"b\"\n"});
    EXPECT_EQ(judge_manifest(seen, dps("0ne00000002", "GW")).severity, Severity::ok);
    const Finding finding = judge_manifest(seen, dps("0ne00000001", "gw"));
    EXPECT_EQ(finding.severity, Severity::failed);
    EXPECT_THAT(finding.summary, HasSubstr("/etc/eflow-agent/device.toml"));
    EXPECT_THAT(finding.detail, HasSubstr("id_scope is '0ne00000001', not '0ne00000002' as in /etc/"));
    EXPECT_THAT(finding.remedy, HasSubstr("put these keys right in /etc/eflow-agent/device.toml"));
}

}  // namespace
}  // namespace eflow
