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

TEST_F(AgentLines, HaveTheTimeAtWhichTheyWereWritten) {
    EXPECT_TRUE(sightings_.take_agent_line(done(now_ - 3h)).judge);
    EXPECT_EQ(sightings_.seen().memory.deployment->at, now_ - 3h);
    EXPECT_EQ(sightings_.take_noted().front().at, now_ - 3h);
}

TEST_F(AgentLines, ThatComeAgainAreNoNews) {
    const std::vector<LoggedLine> tail{done(now_ - 5h), failed(now_ - 4h), done(now_ - 3h)};
    for (const auto& line : tail) sightings_.take_agent_line(line);
    EXPECT_EQ(noted().size(), 3U);
    for (const auto& line : tail) {
        const Effect effect = sightings_.take_agent_line(line);
        EXPECT_FALSE(effect.judge || effect.remember);
    }
    EXPECT_EQ(noted().size(), 0U);
    EXPECT_TRUE(sightings_.take_agent_line(failed(now_ - 1h)).judge);
}

TEST_F(AgentLines, WithoutATimeAreOfNow) {
    sightings_.take_agent_line(done({}));
    EXPECT_EQ(sightings_.seen().memory.deployment->at, now_);
    EXPECT_TRUE(sightings_.take_agent_line(failed({})).judge);
}

TEST_F(AgentLines, AreHeardAfterTheClockWasSetBack) {
    sightings_.take_agent_line(done(now_));
    now_ -= 24h * 365;
    EXPECT_TRUE(sightings_.take_agent_line(failed(now_)).judge);
    EXPECT_EQ(sightings_.seen().memory.deployment->at, now_);
}

}  // namespace
}  // namespace eflow::testing
