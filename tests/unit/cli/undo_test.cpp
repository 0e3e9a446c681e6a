#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/on_machine.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/record.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Undo : public testing::OnMachine {
protected:
    Report provision(const std::string& which, const std::string& scope = "0ne00A1B2C3",
                     std::vector<std::string> more = {}) {
        std::vector<std::string> arguments{"--json", "provision", "--scope-id", scope, "--registration-id", "device-1",
                                           "--cert", (top_ / (which + ".pem")).string(), "--key",
                                           (top_ / (which + ".key")).string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_json(arguments);
    }
    Report undo(std::vector<std::string> more = {}) {
        std::vector<std::string> arguments{"--json", "undo"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_json(arguments);
    }
    std::string config() const { return text("etc/aziot/config.toml"); }
    std::string text(const char* path) const {
        std::ifstream file(root_ / path);
        std::ostringstream all;
        all << file.rdbuf();
        return all.str();
    }
    std::vector<std::string> custody() const {
        std::vector<std::string> names;
        const fs::path folder = root_ / (names::previous_material + 1);
        if (!fs::exists(folder)) return names;
        for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
        return names;
    }
    bool journal() const { return fs::exists(root_ / (names::journal + 1)); }
    void remembers(const std::string& hub, const std::string& device) {
        fs::create_directories(root_ / "var/lib/aziot/identityd");
        write(root_ / "var/lib/aziot/identityd/device_info",
              "hub_name = \"" + hub + "\"\nlocal_gateway_hostname = \"" + hub + "\"\ndevice_id = \"" + device + "\"\n");
    }
    static constexpr const char* device_info = "var/lib/aziot/identityd/device_info";
};

TEST_F(Undo, WithoutAChangeThereIsNothingToTakeBack) {
    const auto before = snapshot();
    const Report report = undo();
    EXPECT_EQ(report.exit_code, ExitCode::refused);
    EXPECT_THAT(to_json(report), HasSubstr("nothing to take back"));
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Undo, BringsBackConfigCertificateAndKeyAndAgainTheNewOnes) {
    provision("a");
    const std::string config_a = config();
    const auto keys_a = keys();
    provision("b");
    const std::string config_b = config();
    const auto keys_b = keys();
    EXPECT_EQ(keys_b.size(), 1U) << "the services reach the key in use alone";
    EXPECT_EQ(custody().size(), 2U) << "what it replaced is kept where only root reaches it";

    const Report report = undo();
    EXPECT_EQ(report.exit_code, ExitCode::done) << to_json(report);
    EXPECT_EQ(report.phase, Phase::awaiting_deployment);
    EXPECT_EQ(config(), config_a);
    EXPECT_EQ(keys(), keys_a);
    EXPECT_EQ(services_.configs.back(), config_a);
    EXPECT_THAT(report.data.dump(), HasSubstr("\"verb\":\"provision\""));

    EXPECT_EQ(undo().exit_code, ExitCode::done);
    EXPECT_EQ(config(), config_b);
    EXPECT_EQ(keys(), keys_b);
    EXPECT_EQ(services_.applies, 4);
}

TEST_F(Undo, OfTheFirstIdentityLeavesADeviceThatIsNotProvisioned) {
    write(root_ / "etc/aziot/config.toml", "# mine\n");
    provision("a");
    const Report report = undo();
    EXPECT_EQ(report.exit_code, ExitCode::done) << to_json(report);
    EXPECT_EQ(report.phase, Phase::not_provisioned);
    EXPECT_EQ(config(), "# mine\n");
    EXPECT_THAT(keys(), IsEmpty());
    EXPECT_EQ(services_.stops, 1);
    for (const char* path : rendered_files) EXPECT_FALSE(fs::exists(root_ / (path + 1)));
    EXPECT_EQ(undo().exit_code, ExitCode::done) << "and that is taken back too";
    EXPECT_EQ(keys().size(), 1U);
}

TEST_F(Undo, WhatOthersWroteSinceIsNotLostUnasked) {
    provision("a");
    provision("b");
    write(root_ / "etc/aziot/config.toml", config() + "# by hand\n");
    const auto before = snapshot();
    const Report report = undo();
    EXPECT_EQ(report.exit_code, ExitCode::refused);
    EXPECT_THAT(report.findings, Contains(Field(&Finding::id, "config.undo")));
    EXPECT_EQ(snapshot(), before);
    EXPECT_THAT(undo({"--dry-run", "--force"}).data.value("diff", ""), HasSubstr("-# by hand"));
    EXPECT_EQ(snapshot(), before);
    EXPECT_EQ(undo({"--force"}).exit_code, ExitCode::done);
    EXPECT_THAT(config(), Not(HasSubstr("by hand")));
}

TEST_F(Undo, ThatWillNotRunIsTakenBackItself) {
    provision("a");
    provision("b");
    const std::string config_b = config();
    services_.outcomes = {true, true, false};
    EXPECT_EQ(undo().exit_code, ExitCode::apply_failed);
    EXPECT_EQ(config(), config_b);
    EXPECT_EQ(keys().size(), 1U);
    EXPECT_EQ(undo().exit_code, ExitCode::done) << "and is still there to be tried again";
}

TEST_F(Undo, AFailedChangeLeavesTheEarlierOneToBeTakenBack) {
    provision("a");
    const std::string config_a = config();
    provision("b");
    services_.outcomes = {true, true, false};
    EXPECT_EQ(provision("a").exit_code, ExitCode::apply_failed);
    EXPECT_EQ(undo().exit_code, ExitCode::done);
    EXPECT_EQ(config(), config_a);
}

TEST_F(Undo, RefusesWhereTheOldKeyIsGone) {
    provision("a");
    provision("b");
    fs::remove_all(root_ / (names::previous_material + 1));
    const auto before = snapshot();
    const Report report = undo();
    EXPECT_EQ(report.exit_code, ExitCode::refused);
    EXPECT_THAT(to_json(report), HasSubstr("private key of the previous configuration is gone"));
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Undo, DoesNotBringBackWhatWasTakenOffTheDevice) {
    provision("a");
    provision("b");
    run_json({"--json", "deprovision"});
    EXPECT_THAT(custody(), IsEmpty()) << "keys that are taken off are nowhere";
    EXPECT_EQ(undo().exit_code, ExitCode::refused);
}

TEST_F(Undo, ASignalDuringApplyLeavesAnOpenChangeThatItTakesBack) {
    provision("a");
    const std::string config_a = config();
    services_.on_apply = [] { std::raise(SIGINT); };
    const Report report = provision("b");
    services_.on_apply = {};
    EXPECT_EQ(report.exit_code, ExitCode::timed_out);
    EXPECT_EQ(report.data.value("interrupted", ""), "SIGINT");
    EXPECT_THAT(report.data.dump(), HasSubstr("sudo eflow-agent undo"));
    EXPECT_TRUE(journal());
    EXPECT_THAT(undo({"--dry-run"}).data.dump(), HasSubstr("\"committed\":true"));
    const Report back = undo();
    EXPECT_EQ(back.exit_code, ExitCode::done) << to_json(back);
    EXPECT_EQ(back.phase, Phase::awaiting_deployment);
    EXPECT_EQ(config(), config_a);
    EXPECT_EQ(keys().size(), 1U);
    EXPECT_FALSE(journal());
    EXPECT_EQ(services_.configs.back(), config_a);
}

TEST_F(Undo, AnInterruptedChangeIsCompletedByRunningItAgain) {
    provision("a");
    services_.on_apply = [] { std::raise(SIGHUP); };
    EXPECT_EQ(provision("b").exit_code, ExitCode::timed_out);
    services_.on_apply = {};
    const std::string config_b = config();
    EXPECT_EQ(provision("b").exit_code, ExitCode::done);
    EXPECT_EQ(config(), config_b);
    EXPECT_FALSE(journal());
    EXPECT_EQ(undo().exit_code, ExitCode::done) << "and can be taken back after that";
    EXPECT_NE(config(), config_b);
}

TEST_F(Undo, AChangeInterruptedBeforeTheCommitIsClearedAway) {
    provision("a");
    const auto before = snapshot();
    write(root_ / (names::journal + 1),
          R"({"schema":1,"removes_config":false,"config_sha256":"x","verb":"provision","since":"2026-01-01T00:00:00Z",
              "config":{"path":"/etc/aziot/config.toml","replaces":true}})");
    const Report report = undo();
    EXPECT_EQ(report.exit_code, ExitCode::done);
    EXPECT_THAT(report.data.dump(), HasSubstr("changed nothing that counts"));
    EXPECT_EQ(snapshot(), before);
    EXPECT_FALSE(journal());
}

TEST_F(Undo, AMoveHasIdentitydRegisterAgain) {
    provision("a");
    remembers("hub-1", "device-1");
    bool remembered_at_apply = true;
    services_.on_apply = [&] {
        remembered_at_apply = fs::exists(root_ / device_info);
        remembers("hub-2", "device-1");
    };
    const Report report = provision("a", "0ne00FFFFFF");
    EXPECT_EQ(report.exit_code, ExitCode::done) << to_json(report);
    EXPECT_THAT(report.findings, Contains(Field(&Finding::id, "config.scope-applied")));
    EXPECT_FALSE(remembered_at_apply) << "identityd starts without a memory, so it asks DPS";
    EXPECT_THAT(text(device_info), HasSubstr("hub-2"));

    EXPECT_EQ(undo().exit_code, ExitCode::done);
    EXPECT_FALSE(remembered_at_apply) << "back is a move too";
}

TEST_F(Undo, AMoveThatIsRefusedGivesIdentitydItsMemoryBack) {
    provision("a");
    remembers("hub-1", "device-1");
    const std::string memory = text(device_info);
    const std::string config_a = config();
    services_.outcomes = {true, false};
    services_.last_lines = {"2026-06-01T00:00:00Z [ERR!] - caused by: DPS client error",
                            "2026-06-01T00:00:00Z [ERR!] - caused by: Unauthorized"};
    const Report report = provision("a", "0ne00FFFFFF");
    EXPECT_EQ(report.exit_code, ExitCode::cloud_refused) << to_json(report);
    EXPECT_EQ(text(device_info), memory);
    EXPECT_EQ(config(), config_a);
    EXPECT_EQ(services_.configs.back(), config_a);
}

TEST_F(Undo, NoMoveWhereScopeEndpointAndIdStay) {
    provision("a");
    remembers("hub-1", "device-1");
    bool remembered_at_apply = false;
    services_.on_apply = [&] { remembered_at_apply = fs::exists(root_ / device_info); };
    EXPECT_EQ(provision("b").exit_code, ExitCode::done);
    EXPECT_TRUE(remembered_at_apply);
}

TEST_F(Undo, WhatManifestsSetGoesWithPurge) {
    write(root_ / "etc/aziot/config.toml", "# mine\n[watchdog]\nmax_retries = 2\n");
    write(top_ / "device.toml",
          "schema = 1\n[provisioning]\nscope_id = \"0ne00A1B2C3\"\nregistration_id = \"device-1\"\n[identity]\n"
          "certificate = \"a.pem\"\nprivate_key = \"a.key\"\n[edge]\nagent_image = \"i:1\"\nproxy = \"http://p:1\"\n");
    run_json({"--json", "provision", "--manifest", (top_ / "device.toml").string()});
    EXPECT_THAT(config(), HasSubstr("[agent.env]"));
    fs::create_directories(root_ / "var/lib/eflow-agent");
    write(root_ / (names::firstboot_done + 1), "");
    EXPECT_EQ(run_json({"--json", "deprovision", "--purge"}).exit_code, ExitCode::done);
    EXPECT_THAT(config(), Not(HasSubstr("agent")));
    EXPECT_THAT(config(), HasSubstr("# mine\n[watchdog]\nmax_retries = 2\n"));
    EXPECT_FALSE(fs::exists(root_ / "var/lib/eflow-agent"));
}

TEST_F(Undo, ADeviceTomlThatDiffersIsNamedAndHoldsNothingUp) {
    fs::create_directories(root_ / "etc/eflow-agent");
    write(root_ / "etc/eflow-agent/device.toml",
          "schema = 1\n[provisioning]\nscope_id = \"0ne00FFFFFF\"\nregistration_id = \"device-1\"\n[identity]\n"
          "certificate = \"a.pem\"\nprivate_key = \"a.key\"\n");
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::done);
    for (const auto& finding : report.findings) {
        if (finding.id != "config.matches-manifest" || finding.severity != Severity::warning) continue;
        EXPECT_THAT(finding.summary, HasSubstr("/etc/eflow-agent/device.toml"));
        EXPECT_THAT(finding.detail, HasSubstr("0ne00FFFFFF"));
        return;
    }
    ADD_FAILURE() << to_json(report);
}

}  // namespace
}  // namespace eflow
