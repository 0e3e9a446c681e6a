#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/on_machine.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Provision : public testing::OnMachine {
protected:
    /// Runs provision on the "machine" with identity `which`.
    Report provision(const std::string& which, std::vector<std::string> more = {}) {
        std::vector<std::string> arguments{"--json",
                                           "provision",
                                           "--scope-id",
                                           "0ne00A1B2C3",
                                           "--registration-id",
                                           "device-1",
                                           "--cert",
                                           (top_ / (which + ".pem")).string(),
                                           "--key",
                                           (top_ / (which + ".key")).string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_json(arguments);
    }
};

TEST_F(Provision, AppliesWaitsAndSaysThatNoDeploymentIsExpected) {
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::done);
    EXPECT_EQ(report.phase, Phase::awaiting_deployment);
    EXPECT_EQ(services_.applies, 1);
    EXPECT_THAT(report.data.dump(), HasSubstr("417"));
}

TEST_F(Provision, AgainAppliesNothing) {
    provision("a");
    const auto before = snapshot();
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::done);
    EXPECT_EQ(services_.applies, 1);
    EXPECT_EQ(snapshot(), before);
    for (const auto& change : report.changes) EXPECT_EQ(change.action, Action::kept) << change.path;
}

TEST_F(Provision, WhatWasPlacedButNotAppliedIsAppliedLater) {
    EXPECT_EQ(provision("a", {"--no-apply"}).exit_code, ExitCode::done);
    EXPECT_EQ(services_.applies, 0);
    EXPECT_EQ(provision("a").exit_code, ExitCode::done);
    EXPECT_EQ(services_.applies, 1);
}

TEST_F(Provision, ANewHostnameIsRefusedWhileThereAreModules) {
    provision("a", {"--hostname", "gw-1"});
    // As apply renders it, and as edgeAgent's modules are labelled.
    write(root_ / "etc/aziot/identityd/config.d/00-super.toml", "hostname = \"gw-1\"\n");
    for (auto& one : containers_) one.labels["net.azure-devices.edge.owner"] = "Microsoft.Azure.Devices.Edge.Agent";
    const auto before = snapshot();
    for (const bool dry : {false, true}) {
        std::vector<std::string> more{"--hostname", "gw-2"};
        if (dry) more.emplace_back("--dry-run");
        const Report report = provision("a", more);
        EXPECT_EQ(report.exit_code, ExitCode::refused);
        EXPECT_EQ(snapshot(), before);
        const auto finding = std::find_if(report.findings.begin(), report.findings.end(),
                                          [](const Finding& one) { return one.id == "config.applied"; });
        ASSERT_NE(finding, report.findings.end());
        EXPECT_EQ(finding->severity, Severity::failed);
        EXPECT_THAT(finding->summary, HasSubstr("from 'gw-1' to 'gw-2'"));
        EXPECT_THAT(finding->remedy, HasSubstr("docker ps -a -f label="));
    }
    EXPECT_EQ(services_.applies, 1);
    EXPECT_EQ(provision("a", {"--hostname", "gw-1"}).exit_code, ExitCode::done);
    // Without them upstream takes it.
    for (auto& one : containers_) one.labels.clear();
    EXPECT_EQ(provision("a", {"--hostname", "gw-2"}).exit_code, ExitCode::done);
    EXPECT_EQ(services_.applies, 2);
}

TEST_F(Provision, AFailingApplyOnANewDeviceRestoresByteForByte) {
    const auto before = snapshot();
    services_.outcomes = {false};
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::apply_failed);
    EXPECT_THAT(to_json(report), HasSubstr("something else broke"));
    EXPECT_EQ(services_.stops, 1);
    auto after = snapshot();
    // The folders that apply itself made for its files stay; the files do not.
    for (const char* path : rendered_files) {
        EXPECT_EQ(after.count(path + 1), 0U);
        after.erase(fs::path(path + 1).parent_path());
        after.erase(fs::path(path + 1).parent_path().parent_path());
    }
    EXPECT_EQ(after, before);
}

TEST_F(Provision, AFailingApplyOfANewCertificateRestoresTheOldOne) {
    write(root_ / "etc/aziot/config.toml", "# mine\n");
    provision("a");
    auto before = snapshot();
    const std::string old_config = services_.configs.back();
    services_.outcomes = {true, false};
    const Report report = provision("b");
    EXPECT_EQ(report.exit_code, ExitCode::apply_failed);
    EXPECT_EQ(services_.applies, 3) << "the old configuration is applied again";
    EXPECT_EQ(services_.configs.back(), old_config);
    auto after = snapshot();
    for (const char* path : rendered_files) {
        before.erase(path + 1);
        after.erase(path + 1);
    }
    EXPECT_EQ(after, before);
}

TEST_F(Provision, WhenTheOldStateWillNotRunEitherItSaysWhatToDo) {
    provision("a");
    services_.outcomes = {true, false, false};
    const Report report = provision("b");
    EXPECT_EQ(report.exit_code, ExitCode::not_restored);
    EXPECT_THAT(report.data.dump(), HasSubstr("By hand: sudo iotedge config apply"));
}

TEST_F(Provision, AnApplyThatCannotBeTriedLeavesTheOldState) {
    const auto before = snapshot();
    services_.unreachable = true;
    EXPECT_EQ(provision("a").exit_code, ExitCode::machine_lacks);
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Provision, ARefusalByTheCloudIsNamedAsOne) {
    services_.outcomes = {false};
    services_.last_lines = {"2026-06-01T00:00:00Z [ERR!] - caused by: DPS client error",
                            "2026-06-01T00:00:00Z [ERR!] - caused by: Unauthorized"};
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::cloud_refused);
    EXPECT_EQ(report.phase, Phase::not_provisioned);
    EXPECT_THAT(report.findings, Contains(::testing::Field(&Finding::id, "cloud.registration")));
}

TEST_F(Provision, ARefusalThatComesLateIsTakenBackToo) {
    identityd_log_ = {"[ERR!] - caused by: DPS client error", "[ERR!] - caused by: CA certificate not found."};
    EXPECT_EQ(provision("a").exit_code, ExitCode::cloud_refused);
    EXPECT_FALSE(fs::exists(root_ / "etc/aziot/config.toml"));
    EXPECT_FALSE(fs::exists(root_ / "var/aziot"));
    for (const char* path : rendered_files) EXPECT_FALSE(fs::exists(root_ / (path + 1)));
}

TEST_F(Provision, AnUnreachableCloudUndoesNothing) {
    services_.outcomes = {false};
    services_.last_lines = {"[ERR!] - caused by: DPS client error", "[ERR!] - caused by: client error (Connect)"};
    identityd_log_ = services_.last_lines;
    containers_.clear();
    const Report report = provision("a", {"--timeout", "0s"});
    EXPECT_EQ(report.exit_code, ExitCode::timed_out);
    EXPECT_EQ(report.phase, Phase::provisioning);
    EXPECT_THAT(report.data.value("because", ""), HasSubstr("cannot reach DPS"));
    EXPECT_EQ(keys().size(), 1U) << "the change stands";
}

TEST_F(Provision, WaitsUntilEdgeAgentHasReachedItsHub) {
    agent_log_ = {"[INF] - Edge agent attempting to connect to IoT Hub via Amqp_Tcp_Only...",
                  "[INF] - Edge agent attempting to connect to IoT Hub via Amqp_WebSocket_Only...",
                  "[WRN] - Error creating a device-to-cloud connection", "System.TimeoutException: Operation timeout expired.",
                  "[WRN] - Empty edge agent config was received. Attempting to read config from backup (b) instead"};
    const Report report = provision("a", {"--timeout", "0s"});
    EXPECT_EQ(report.exit_code, ExitCode::timed_out);
    EXPECT_EQ(report.phase, Phase::provisioning);
    EXPECT_THAT(report.data.value("because", ""), HasSubstr("edgeAgent cannot reach IoT Hub"));
    EXPECT_EQ(keys().size(), 1U) << "the change stands";
}

TEST_F(Provision, OldMaterialGoesOnlyOnceTheNewOneIsHealthy) {
    provision("a");
    const auto old_keys = keys();
    containers_.clear();
    EXPECT_EQ(provision("b", {"--timeout", "0s"}).exit_code, ExitCode::timed_out);
    EXPECT_EQ(keys().size(), 2U) << "the change stands, and the old key too";
    containers_.push_back({"edgeAgent", "i", "running", "Up", {}});
    EXPECT_EQ(provision("b").exit_code, ExitCode::done);
    EXPECT_EQ(keys().size(), 1U);
    EXPECT_NE(keys(), old_keys);
}

TEST_F(Provision, DeprovisionStopsAndRemoves) {
    const auto before = snapshot();
    provision("a");
    const Report report = run_json({"--json", "deprovision"});
    EXPECT_EQ(report.exit_code, ExitCode::done);
    EXPECT_EQ(services_.stops, 1);
    EXPECT_FALSE(fs::exists(root_ / "etc/aziot/config.toml"));
    EXPECT_FALSE(fs::exists(root_ / "var/aziot"));
    for (const char* path : rendered_files) EXPECT_FALSE(fs::exists(root_ / (path + 1)));
}

TEST_F(Provision, WithoutRootNothingIsTouched) {
    is_root_ = false;
    const auto before = snapshot();
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::machine_lacks);
    EXPECT_THAT(report.data.dump(), HasSubstr("sudo"));
    EXPECT_EQ(snapshot(), before);
}

}  // namespace
}  // namespace eflow
