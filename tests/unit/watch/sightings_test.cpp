#include "vm-agent/watch/sightings.hpp"

#include <gtest/gtest.h>

namespace eflow::testing {
namespace {

using namespace std::chrono_literals;

class AgentLines : public ::testing::Test {
protected:
    static LoggedLine failed(Stamp at) { return {at, "[WRN] - Reconcile failed because of the an exception"}; }
    static LoggedLine done(Stamp at) { return {at, "[INF] - Plan execution ended for deployment 7"}; }
    /// The codes that the history was given.
    std::vector<std::string> noted() {
        std::vector<std::string> codes;
        for (const auto& entry : sightings_.take_noted()) codes.push_back(entry.to);
        return codes;
    }

    Stamp now_{std::chrono::sys_days(std::chrono::year(2026) / 6 / 1)};
    Sightings sightings_{[this] { return now_; }};
};

TEST_F(AgentLines, HaveTheTimeAtWhichTheyWereWrittenAndTheHistoryWhenTheyWereRead) {
    EXPECT_TRUE(sightings_.take_agent_line(done(now_ - 3h)).judge);
    EXPECT_EQ(sightings_.seen().memory.agent.deployment->at, now_ - 3h);
    EXPECT_EQ(sightings_.take_noted().front().at, now_) << "it is read by the time of what was read last";
}

TEST_F(AgentLines, ThatComeAgainAreNoNews) {
    std::vector<LoggedLine> tail{done(now_ - 5h), {now_ - 270min, "[INF] - at work"}, failed(now_ - 4h), done(now_ - 3h)};
    EXPECT_TRUE(sightings_.take_agent_tail(tail).judge);
    EXPECT_EQ(noted(), std::vector<std::string>{"200"}) << "what went before was not followed";
    tail.push_back({now_ - 2h, "[INF] - at work"});
    const Effect again = sightings_.take_agent_tail(tail);
    EXPECT_FALSE(again.judge || again.remember);
    EXPECT_EQ(noted().size(), 0U);
    tail.push_back(failed(now_ - 1h));
    tail.push_back(done(now_));
    EXPECT_TRUE(sightings_.take_agent_tail(tail).judge);
    EXPECT_EQ(noted(), (std::vector<std::string>{"500", "200"})) << "what happened while nobody followed";
}

TEST_F(AgentLines, OfAnotherContainerAreAllNew) {
    sightings_.take_agent_tail({done(now_ - 5h)});
    EXPECT_TRUE(sightings_.take_agent_tail({failed(now_ - 1h)}).judge);
    EXPECT_EQ(noted().size(), 2U);
}

TEST_F(AgentLines, WithoutATimeAreOfNow) {
    sightings_.take_agent_line(done({}));
    EXPECT_EQ(sightings_.seen().memory.agent.deployment->at, now_);
    EXPECT_TRUE(sightings_.take_agent_line(failed({})).judge);
}

TEST_F(AgentLines, GoByTheLogsOrderWhereTheClockWasSetBack) {
    const std::vector<LoggedLine> tail{failed(now_ + 2h), done(now_ - 1h)};
    sightings_.take_agent_tail(tail);
    sightings_.take_agent_tail(tail);
    EXPECT_EQ(sightings_.seen().memory.agent.deployment->code, 200);
    EXPECT_EQ(noted().size(), 1U);
}

}  // namespace
}  // namespace eflow::testing
