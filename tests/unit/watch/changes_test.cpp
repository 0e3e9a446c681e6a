#include "vm-agent/watch/changes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eflow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr Stamp now{1'780'000'000s};

Verdict verdict(Phase phase, Findings findings = {}) {
    return {.phase = phase, .because = "because of it", .next = "do that", .findings = std::move(findings), .consequence = {}};
}

const Finding hub_well = ok("modules.edge-hub", "edgeHub is running");
const Finding hub_down = failed("modules.edge-hub", "edgeHub is not running", "exit 137\nmore", "docker logs edgeHub");
const Finding hub_unseen = skipped("modules.edge-hub", "The modules were not looked at", "docker.service is inactive");

std::vector<HistoryEntry> between(const Verdict& before, const Verdict& after) {
    return changes_between(before, after, std::nullopt, std::nullopt, now);
}

std::string line_between(const Verdict& before, const Verdict& after) {
    const auto line = line_for(between(before, after), after);
    return line ? line->text : "";
}

TEST(Changes, SteadyStateIsNone) {
    EXPECT_TRUE(between(verdict(Phase::running, {hub_well}), verdict(Phase::running, {hub_well})).empty());
    EXPECT_TRUE(between(verdict(Phase::degraded, {hub_down}), verdict(Phase::degraded, {hub_down})).empty());
    EXPECT_FALSE(line_for({}, verdict(Phase::running)));
}

TEST(Changes, OtherWordsAndWellBecomingUnseenAreNone) {
    Finding other = hub_down;
    other.detail = "exit 139";
    EXPECT_TRUE(between(verdict(Phase::degraded, {hub_down}), verdict(Phase::degraded, {other})).empty());
    EXPECT_TRUE(between(verdict(Phase::running, {hub_well}), verdict(Phase::running, {hub_unseen})).empty());
    EXPECT_TRUE(between(verdict(Phase::running, {hub_well}), verdict(Phase::running)).empty());
}

TEST(Changes, ATransitionIsOneLine) {
    const Verdict before = verdict(Phase::running, {hub_well});
    const Verdict after = verdict(Phase::degraded, {hub_down});
    const auto changes = between(before, after);
    ASSERT_EQ(changes.size(), 2U);
    EXPECT_EQ(changes[0].kind, "phase");
    EXPECT_EQ(changes[0].from, "running");
    EXPECT_EQ(changes[0].to, "degraded");
    EXPECT_EQ(changes[1].what, "modules.edge-hub");
    EXPECT_EQ(changes[1].from, "ok");
    EXPECT_EQ(changes[1].to, "failed");
    EXPECT_EQ(changes[1].at, now);

    const auto line = line_for(changes, after);
    ASSERT_TRUE(line);
    EXPECT_EQ(line->text, "degraded: because of it | modules.edge-hub failed: edgeHub is not running (exit 137)");
    EXPECT_EQ(line->priority, 3);
    EXPECT_THAT(line->fields, ElementsAre(std::pair<std::string, std::string>("EFLOW_FINDING", "modules.edge-hub"),
                                          std::pair<std::string, std::string>("EFLOW_PHASE", "degraded"),
                                          std::pair<std::string, std::string>("EFLOW_REMEDY", "docker logs edgeHub")));
}

TEST(Changes, GettingWellIsToldAsThat) {
    const Verdict before = verdict(Phase::degraded, {hub_down});
    const Verdict after = verdict(Phase::running, {hub_well});
    EXPECT_THAT(line_between(before, after), HasSubstr("modules.edge-hub is well again: edgeHub is running"));
    EXPECT_EQ(line_for(between(before, after), after)->priority, 6);
}

TEST(Changes, NoLongerSeenIsNotWell) {
    const std::string line = line_between(verdict(Phase::degraded, {hub_down}), verdict(Phase::unknown, {hub_unseen}));
    EXPECT_THAT(line, HasSubstr("modules.edge-hub no longer failed: The modules were not looked at"));
    EXPECT_THAT(line, Not(HasSubstr("well")));
}

TEST(Changes, ATroubleWhoseCheckIsNoLongerMadeIsTold) {
    const auto changes = between(verdict(Phase::failed, {hub_down}), verdict(Phase::not_provisioned));
    ASSERT_EQ(changes.size(), 2U);
    EXPECT_EQ(changes[1].what, "modules.edge-hub");
    EXPECT_EQ(changes[1].from, "failed");
    EXPECT_EQ(changes[1].to, "skipped");
}

TEST(Changes, TheWorstOfSeveralFindingsOfACheckCounts) {
    const Finding unknown_key = warning("config.known-keys", "A key is unknown", "line 3", "Take it out.");
    const Finding known = ok("config.known-keys", "Every key is known");
    EXPECT_EQ(between(verdict(Phase::running, {known}), verdict(Phase::running, {unknown_key, unknown_key})).size(),
              1U);
    EXPECT_TRUE(
        between(verdict(Phase::running, {unknown_key}), verdict(Phase::running, {unknown_key, unknown_key})).empty());
}

TEST(Changes, EachThresholdOfExpiryIsToldOnce) {
    const Finding soon = warning("identity.expires-soon", "A certificate expires soon", "in 13 days", "Renew it.");
    const Verdict same = verdict(Phase::running, {soon});
    EXPECT_EQ(changes_between(same, same, 30, 14, now).size(), 1U);
    EXPECT_TRUE(changes_between(same, same, 14, 14, now).empty());
    EXPECT_TRUE(changes_between(same, same, 14, std::nullopt, now).empty());
}

TEST(Changes, WhatAFailingServiceSaidIsNoPartOfTheLine) {
    const Finding service = failed("services.aziot-keyd", "keyd is failing", "exit 1", "journalctl");
    const Finding said = warning("services.last-error", "What it said last", "words", "journalctl");
    const Verdict after = verdict(Phase::degraded, {service, said});
    EXPECT_THAT(line_between(verdict(Phase::running), after), Not(HasSubstr("services.last-error")));
    EXPECT_THAT(line_between(verdict(Phase::degraded, {service}), after), HasSubstr("services.last-error"));
}

/// A device that fails or recovers every `period` for ten minutes, and when its lines go out.
std::vector<Stamp> lines_of_a_loop(std::chrono::milliseconds period, const std::vector<std::string>& checks) {
    LogLimit limit;
    std::vector<Stamp> lines;
    Findings findings;
    for (const auto& id : checks) findings.push_back(failed(id, "down", "exit 1", "look"));
    const Verdict ill = verdict(Phase::degraded, findings);
    const Verdict well = verdict(Phase::running);
    bool down = false;
    for (Stamp at = now; at < now + 10min; at += period) {
        const auto changes = down ? changes_between(ill, well, {}, {}, at) : changes_between(well, ill, {}, {}, at);
        down = !down;
        if (limit.admits(changes, at)) lines.push_back(at);
    }
    return lines;
}

TEST(LogLimit, ACrashLoopIsAtMostSixLinesInAnyMinute) {
    for (const auto period : {100ms, 1000ms, 2500ms, 5000ms, 9999ms}) {
        for (const auto& checks : std::vector<std::vector<std::string>>{
                 {"modules.edge-hub"}, {"modules.edge-hub", "modules.restart-loops", "services.restarts"}}) {
            const auto lines = lines_of_a_loop(period, checks);
            ASSERT_GE(lines.size(), 30U) << "a loop is told of, again and again";
            for (std::size_t i = 0; i + 6 < lines.size(); ++i)
                ASSERT_GE(lines[i + 6] - lines[i], 1min) << period.count() << " ms, line " << i;
        }
    }
}

TEST(LogLimit, ANewTroubleIsToldAtOnceInTheMiddleOfALoop) {
    LogLimit limit;
    const auto loop = between(verdict(Phase::running), verdict(Phase::degraded, {hub_down}));
    while (limit.admits(loop, now)) {
    }
    const Finding clock = warning("host.clock", "The clock is not synchronised", "", "timedatectl");
    const auto fresh = between(verdict(Phase::running), verdict(Phase::running, {clock}));
    EXPECT_TRUE(limit.admits(fresh, now));
    EXPECT_FALSE(limit.admits(fresh, now));
    EXPECT_FALSE(limit.admits(loop, now));
}

TEST(LogLimit, SaysHowManyWereHeldBack) {
    LogLimit limit;
    const auto loop = between(verdict(Phase::running), verdict(Phase::degraded, {hub_down}));
    while (limit.admits(loop, now)) {
    }
    EXPECT_FALSE(limit.admits(loop, now));
    EXPECT_EQ(limit.take_held(), 2U);
    EXPECT_EQ(limit.take_held(), 0U);
    EXPECT_TRUE(limit.admits(loop, now + 1min));
}

TEST(LogLimit, AClockThatIsSetBackDoesNotSilenceIt) {
    LogLimit limit;
    const auto loop = between(verdict(Phase::running), verdict(Phase::degraded, {hub_down}));
    while (limit.admits(loop, now)) {
    }
    EXPECT_FALSE(limit.admits(loop, now - 24h));
    EXPECT_TRUE(limit.admits(loop, now - 24h + 1min));
}

}  // namespace
}  // namespace eflow
