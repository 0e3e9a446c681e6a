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

TEST_F(AgentLines, OfADeploymentThatFailsOverAndOverAreToldOnce) {
    std::size_t judged = 0;
    for (int round = 0; round < 100; ++round)
        for (const char* text : {"[INF] - Plan execution started for deployment 22",
                                 "[ERR] - Step failed in deployment 22, continuing execution. Failure when running command "
                                 "Start module weigher. Will retry in 20 seconds.",
                                 "[INF] - Plan execution ended for deployment 22",
                                 "[WRN] - Reconcile failed because of the an exception"}) {
            now_ += 2s;
            if (sightings_.take_agent_line({now_, text}).judge) ++judged;
        }
    EXPECT_EQ(noted(), (std::vector<std::string>{"0", "500"}));
    EXPECT_LE(judged, 3U) << "what is known already changes nothing";
    EXPECT_EQ(sightings_.seen().memory.agent.deployment->steps.front().failures, 100U);
}

TEST_F(AgentLines, ThatAlternateDoNotFillTheHistory) {
    for (int round = 0; round < 100; ++round) {
        now_ += 5s;
        sightings_.take_agent_line(done(now_));
        sightings_.take_agent_line(failed(now_));
    }
    EXPECT_LE(noted().size(), 10U);
    now_ += 11min;
    sightings_.take_agent_line(done(now_));
    EXPECT_EQ(noted(), std::vector<std::string>{"200"}) << "later changes are told again";
}

TEST_F(AgentLines, OfItsHubAreFoundBeforeWhatIsKnownOfTheDeployment) {
    sightings_.seen().memory.agent.deployment = Deployment{417, "[INF] - Deployment config in edge agent's desired "
                                                                "properties is empty.", now_ - 1h};
    sightings_.take_agent_tail({{now_ - 1h, "[INF] - Edge agent connected to IoT Hub via Amqp_Tcp_Only."},
                                {now_ - 1h, "[INF] - Deployment config in edge agent's desired properties is empty."}});
    EXPECT_EQ(sightings_.seen().memory.agent.link.state, HubLink::State::reached);
    EXPECT_EQ(noted().size(), 0U);
}

TEST_F(AgentLines, ThatCannotBeReadAreMissedUntilTheyCan) {
    EXPECT_TRUE(sightings_.take_agent_unheard("no log driver").judge);
    EXPECT_FALSE(sightings_.take_agent_unheard("no log driver").judge);
    EXPECT_EQ(sightings_.seen().agent_log_why, "no log driver");
    EXPECT_TRUE(sightings_.take_agent_tail({}).judge);
    EXPECT_EQ(sightings_.seen().agent_log_why, "");
}

TEST_F(AgentLines, AreOfNoUseOnceEdgeAgentIsStartedAgain) {
    ContainerSeen agent;
    agent.name = "edgeAgent";
    agent.id = "a";
    agent.state = "running";
    sightings_.take_containers({agent});
    sightings_.take_agent_line({now_, "[INF] - Edge agent connected to IoT Hub via Amqp_Tcp_Only."});
    EXPECT_TRUE(sightings_.seen().memory.agent.link.is_shown());
    ContainerEvent start;
    start.action = "start";
    start.id = "a";
    start.name = "edgeAgent";
    EXPECT_TRUE(sightings_.take_container_event(start).judge);
    EXPECT_FALSE(sightings_.seen().memory.agent.link.is_shown());
}

}  // namespace
}  // namespace eflow::testing
