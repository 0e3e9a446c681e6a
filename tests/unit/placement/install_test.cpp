#include <gtest/gtest.h>

#include "vm-agent/placement/install.hpp"

namespace eflow {

namespace {

InstallSight good_vm() {
    InstallSight sight;
    sight.has_systemd = true;
    sight.has_sysusers = true;
    sight.has_iot_edge = true;
    sight.free_bytes = 100'000'000;
    sight.needed_bytes = 10'000'000;
    return sight;
}

std::vector<std::string> failures(const InstallSight& sight) {
    std::vector<std::string> ids;
    for (const auto& finding : judge_install(sight))
        if (finding.severity == Severity::failed) ids.push_back(finding.id);
    return ids;
}

using Ids = std::vector<std::string>;

TEST(JudgeInstall, NothingStandsInTheWayOnAVmAsItComes) {
    EXPECT_TRUE(judge_install(good_vm()).empty());
}

TEST(JudgeInstall, EachObstacleIsNamedWithWhatToDo) {
    struct Case {
        void (*change)(InstallSight&);
        const char* id;
        ExitCode code;
    };
    const Case cases[] = {
        {[](InstallSight& sight) { sight.has_systemd = false; }, "install.systemd", ExitCode::machine_lacks},
        {[](InstallSight& sight) { sight.has_sysusers = false; }, "install.user", ExitCode::machine_lacks},
        {[](InstallSight& sight) { sight.state_is_noexec = true; }, "install.executable", ExitCode::machine_lacks},
        {[](InstallSight& sight) { sight.free_bytes = sight.needed_bytes - 1; }, "install.space",
         ExitCode::machine_lacks},
        {[](InstallSight& sight) {
             sight.has_iot_edge = false;
             sight.has_iot_edge_1_1 = true;
         },
         "install.edge-version", ExitCode::machine_lacks},
        {[](InstallSight& sight) { sight.change_under_way = true; }, "install.change-under-way",
         ExitCode::machine_lacks},
        {[](InstallSight& sight) { sight.image_carries = "/usr/lib/systemd/system/eflow-agent.service"; },
         "install.image", ExitCode::refused},
    };
    for (const auto& one : cases) {
        InstallSight sight = good_vm();
        one.change(sight);
        const Findings findings = judge_install(sight);
        EXPECT_EQ(failures(sight), Ids{one.id});
        EXPECT_EQ(refusal_code(findings), one.code) << one.id;
        for (const auto& finding : findings) EXPECT_FALSE(finding.remedy.empty()) << one.id;
    }
}

TEST(JudgeInstall, AllObstaclesAreNamedAtOnce) {
    InstallSight sight = good_vm();
    sight.image_carries = "/usr/lib/systemd/system/eflow-agent.service";
    sight.state_is_noexec = true;
    sight.free_bytes = 0;
    EXPECT_EQ(failures(sight), (Ids{"install.image", "install.executable", "install.space"}));
    EXPECT_EQ(refusal_code(judge_install(sight)), ExitCode::machine_lacks);
}

TEST(JudgeInstall, AUserThatIsThereNeedsNoProgramToMakeIt) {
    InstallSight sight = good_vm();
    sight.has_sysusers = false;
    sight.has_user = true;
    EXPECT_TRUE(failures(sight).empty());
}

TEST(JudgeInstall, IotEdge11BesideANewerOneIsALeftOver) {
    InstallSight sight = good_vm();
    sight.has_iot_edge_1_1 = true;
    EXPECT_TRUE(judge_install(sight).empty());
}

TEST(JudgeInstall, WithoutIotEdgeTheWatcherWaitsForIt) {
    InstallSight sight = good_vm();
    sight.has_iot_edge = false;
    EXPECT_TRUE(failures(sight).empty());
    ASSERT_EQ(judge_install(sight).size(), 1U);
    EXPECT_EQ(judge_install(sight).front().severity, Severity::warning);
}

TEST(Installation, WhatRefersToAFileComesAfterIt) {
    const auto files =
        installation("program", "ExecStart=@AGENT@ watch\nExecReload=@AGENT@\nSystemCallFilter=@system-service\n");
    ASSERT_EQ(files.size(), 3U);
    EXPECT_EQ(files[0].path, "/var/lib/eflow-agent/bin/eflow-agent");
    EXPECT_EQ(files[0].mode, 0755U);
    EXPECT_EQ(files[1].bytes,
              "ExecStart=/var/lib/eflow-agent/bin/eflow-agent watch\nExecReload=/var/lib/eflow-agent/bin/eflow-agent\n"
              "SystemCallFilter=@system-service\n");
    EXPECT_EQ(files[2].target, files[1].path);
}

}  // namespace

}  // namespace eflow
