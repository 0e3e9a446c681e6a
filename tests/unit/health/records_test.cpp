#include "vm-agent/health/records.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eflow {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Form = ErrorRecord::Form;
using Lines = std::vector<std::string>;

constexpr auto stamp = "2026-06-01T12:00:01Z";

std::string logged(const std::string& level, const std::string& text) {
    return std::string(stamp) + " [" + level + "] - " + text;
}

Lines fatal(const Lines& causes, const Lines& frames) {
    Lines lines{logged("INFO", "Starting service..."), logged("ERR!", "service encountered an error")};
    for (const auto& cause : causes) lines.push_back(logged("ERR!", "caused by: " + cause));
    lines.insert(lines.end(), frames.begin(), frames.end());
    return lines;
}

/// As the crate backtrace writes them: without symbols, the first frame on the line that the logger began.
Lines stripped(int count) {
    Lines frames{logged("ERR!", "   0: <unknown>")};
    for (int i = 1; i < count; ++i) frames.push_back((i < 10 ? "   " : "  ") + std::to_string(i) + ": <unknown>");
    return frames;
}

Lines named(int count) {
    Lines frames;
    for (int i = 0; i < count; ++i) {
        const std::string frame = (i < 10 ? "   " : "  ") + std::to_string(i) + ": aziotd::main_inner::{{closure}}";
        frames.push_back(i == 0 ? logged("ERR!", frame) : frame);
        frames.push_back("             at /usr/src/aziotd/src/main.rs:" + std::to_string(30 + i) + ":9");
    }
    return frames;
}

TEST(Records, ABacktraceOfAnyLengthLeavesTheChainWhole) {
    for (const auto& frames : {Lines{}, stripped(2), stripped(13), stripped(26), named(2), named(13)}) {
        const Said said = read_said(fatal({"DPS client error", "CA certificate not found."}, frames));
        ASSERT_EQ(said.errors.size(), 1U) << frames.size();
        EXPECT_EQ(said.errors[0].form, Form::fatal);
        EXPECT_EQ(said.errors[0].at, stamp);
        EXPECT_THAT(said.errors[0].chain,
                    ElementsAre("service encountered an error", "DPS client error", "CA certificate not found."));
    }
}

TEST(Records, WhatSystemdSaysAndTheNextStartEndARecord) {
    Lines lines = fatal({"DPS client error", "timed out"}, stripped(3));
    lines.emplace_back("aziot-identityd.service: Main process exited, code=exited, status=1/FAILURE");
    lines.emplace_back("aziot-identityd.service: Scheduled restart job, restart counter is at 4.");
    lines.emplace_back("Started Azure IoT Identity Service.");
    const Lines again = fatal({"Key client error", "internal error"}, named(3));
    lines.insert(lines.end(), again.begin(), again.end());
    const Said said = read_said(lines);
    ASSERT_EQ(said.errors.size(), 2U);
    EXPECT_THAT(said.errors[0].chain, ElementsAre("service encountered an error", "DPS client error", "timed out"));
    EXPECT_THAT(said.errors[1].chain,
                ElementsAre("service encountered an error", "Key client error", "internal error"));
}

TEST(Records, ARecordWhoseBeginningIsCutOffIsReadFromWhereItBegins) {
    const Said said = read_said(
        {logged("ERR!", "caused by: DPS client error"), logged("ERR!", "caused by: Unauthorized"), "   1: <unknown>"});
    ASSERT_EQ(said.errors.size(), 1U);
    EXPECT_THAT(said.errors[0].chain, ElementsAre("DPS client error", "Unauthorized"));
    EXPECT_THAT(read_said({"   7: <unknown>", "   8: <unknown>"}).errors, IsEmpty());
}

TEST(Records, ACauseOfSeveralLinesStaysOne) {
    const Said said =
        read_said({logged("ERR!", "could not read config"),
                   logged("ERR!", "caused by: could not read config from /etc/aziot/certd/config.d/x.toml"),
                   logged("ERR!", "caused by: TOML parse error at line 1, column 5"), "  |", "1 | id = =", "  |      ^",
                   "invalid key", logged("ERR!", "   0: <unknown>"), "   1: <unknown>"});
    ASSERT_EQ(said.errors.size(), 1U);
    EXPECT_THAT(said.errors[0].chain.back(),
                ::testing::StartsWith("TOML parse error at line 1, column 5\n  |\n1 | id"));
    EXPECT_THAT(said.errors[0].chain.back(), ::testing::EndsWith("invalid key"));
}

TEST(Records, ARequestAnsweredWithAnErrorIsARecordWithItsStatus) {
    const Said said = read_said({logged("INFO", "<-- POST /identities/device/reprovision?api-version=2020-09-01 {}"),
                                 logged("INFO", "Provisioning starting. Reason: Api"),
                                 logged("INFO", "!!! DPS client error"), logged("INFO", "!!! caused by: Unauthorized"),
                                 logged("INFO", "--> 404 {\"content-type\": \"application/json\"}"),
                                 logged("INFO", "<-- GET /identities/identity?api-version=2020-09-01 {}"),
                                 logged("INFO", "--> 200 {}")});
    ASSERT_EQ(said.errors.size(), 1U);
    EXPECT_EQ(said.errors[0].form, Form::answered);
    EXPECT_EQ(said.errors[0].status, 404);
    EXPECT_THAT(said.errors[0].chain, ElementsAre("DPS client error", "Unauthorized"));
    ASSERT_EQ(said.words.size(), 1U);
    EXPECT_EQ(said.words[0].text, "Provisioning starting. Reason: Api");
}

TEST(Records, LoneErrorsBelongToTheOneTheyLeadTo) {
    const Said keyd = read_said(
        {logged("INFO", "<-- GET /key/a?api-version=2021-05-01 {}"), logged("ERR!", "Permission denied (os error 13)"),
         logged("ERR!", "!!! internal error"), logged("ERR!", "!!! caused by: could not generate key"),
         logged("ERR!", "!!! caused by: could not create key: AZIOT_KEYS_RC_ERR_EXTERNAL"),
         logged("INFO", "--> 500 {}")});
    ASSERT_EQ(keyd.errors.size(), 1U);
    EXPECT_THAT(keyd.errors[0].before, ElementsAre("Permission denied (os error 13)"));
    EXPECT_EQ(keyd.errors[0].status, 500);
    EXPECT_EQ(keyd.errors[0].chain.size(), 3U);

    const Said apart = read_said({logged("ERR!", "Permission denied (os error 13)"),
                                  logged("INFO", "<-- GET /key/b {}"), logged("ERR!", "!!! internal error")});
    ASSERT_EQ(apart.errors.size(), 2U);
    EXPECT_THAT(apart.errors[1].before, IsEmpty());
}

TEST(Records, TheEnginesWordsBelongToWhatCouldNotBeDone) {
    for (const Lines& causes :
         {Lines{"    HTTP 404 Not Found: manifest unknown"}, Lines{"HTTP 404 Not Found: manifest unknown"},
          Lines{"    0: client error (Connect)", "    1: Permission denied (os error 13)"}}) {
        Lines lines{logged("WARN", "container runtime error"), "Caused by:"};
        lines.insert(lines.end(), causes.begin(), causes.end());
        lines.push_back(
            logged("WARN", "Error in watchdog: Failed to pull Edge runtime module: registry operation error"));
        const Said said = read_said(lines);
        ASSERT_EQ(said.errors.size(), 1U);
        EXPECT_THAT(said.errors[0].chain,
                    ElementsAre("Error in watchdog: Failed to pull Edge runtime module: registry operation error"));
        ASSERT_EQ(said.errors[0].before.size(), causes.size() + 1);
        EXPECT_THAT(said.errors[0].before.back(),
                    ::testing::AnyOf("HTTP 404 Not Found: manifest unknown", "Permission denied (os error 13)"));
    }
}

TEST(Records, TellsChatterFromWhatIsWorthKeeping) {
    for (const auto& line :
         {logged("INFO", "<-- GET /key/a {}"), logged("INFO", "--> 200 {}"), std::string("   3: <unknown>"),
          std::string("             at ./usr/src/main.rs:10:9"), std::string("")})
        EXPECT_TRUE(is_chatter(line)) << line;
    for (const auto& line : {logged("INFO", "--> 404 {}"), logged("ERR!", "caused by: timed out"),
                             logged("INFO", "!!! no"), std::string("    0: client error (Connect)")})
        EXPECT_FALSE(is_chatter(line)) << line;
    EXPECT_TRUE(is_start(logged("INFO", "Starting service...")));
    EXPECT_TRUE(is_start(logged("INFO", "Starting Azure IoT Edge Daemon")));
    EXPECT_FALSE(is_start(logged("INFO", "Starting server...")));
}

}  // namespace
}  // namespace eflow
