#include "vm-agent/health/memory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/health/situation.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/health/horizon.hpp"

namespace eflow::testing {
namespace {

TEST(Memories, ComeBackAsTheyWere) {
    Memory memory;
    EXPECT_EQ(Memory::from_json(memory.to_json()), memory);
    memory.agent_has_run = memory.hub_has_run = true;
    memory.agent.deployment = Deployment{500, "a line with \"quotes\" and \xc3\xa9", ago(1h)};
    memory.agent.deployment->number = 22;
    memory.agent.deployment->last = ago(1min);
    memory.agent.deployment->before = 417;
    memory.agent.deployment->steps = {{"Prepare module thermostat", "no such image", 3}, {"Start module b", "", 1}};
    memory.agent.link.state = HubLink::State::in_vain;
    memory.agent.link.reason = "System.TimeoutException: Operation timeout expired.";
    memory.agent.link.failures = 4;
    memory.agent.link.at = ago(2min);
    memory.agent.ending = "Fatal error starting Agent.";
    memory.note_end("aziot-keyd.service", ago(20s));
    memory.note_end("aziot-keyd.service", ago(10s));
    memory.note_end("edgeHub", ago(5s));
    EXPECT_EQ(Memory::from_json(memory.to_json()), memory);
}

TEST(Memories, OfAnEarlierVersionAreRead) {
    const Memory memory = Memory::from_json(R"({"schema":1,"hub_has_run":true})");
    EXPECT_TRUE(memory.hub_has_run);
    EXPECT_FALSE(memory.agent_has_run);
}

TEST(Memories, OfNonsenseAreEmpty) {
    for (const std::string& text :
         {std::string(), std::string("null"), std::string("[]"), std::string("{}"), std::string("{\"schema\":2}"),
          std::string("{\"schema\":1}"), std::string("{\"schema\":1,\"hub_has_run\":3}"),
          std::string("{\"schema\":1,\"hub_has_run\":true,\"deployment\":{}}"),
          std::string("{\"schema\":1,\"hub_has_run\":true,\"deployment\":{\"code\":\"x\",\"text\":1,\"at\":{}}}"),
          std::string("{\"schema\":1,\"hub_has_run\":true,\"ends\":\"x"), std::string("\xff\xfe"),
          std::string(100'000, '['), std::string("{\"schema\":1,\"hub_has_run\":true") + std::string(1, '\0') + "}"})
        EXPECT_EQ(Memory::from_json(text), Memory{}) << text.substr(0, 80);
}

TEST(Memories, WithImpossibleTimesAreHarmless) {
    const Memory memory = Memory::from_json(R"({"schema":1,"hub_has_run":true,
        "deployment":{"code":0,"text":"t","at":9223372036854775807},
        "ends":{"a":[-9223372036854775808,9223372036854775807,1e300,"x",null,18446744073709551615],"b":7,"c":{"d":1}}})");
    EXPECT_TRUE(memory.hub_has_run);
    EXPECT_EQ(memory.agent.deployment->at, Stamp{});
    EXPECT_EQ(memory.recent_ends("a", Stamp(now)), 0U);
    Observations seen = healthy_device();
    seen.memory = memory;
    EXPECT_NO_THROW(judge(seen));
    EXPECT_NO_THROW(next_horizon(seen));
}

TEST(Memories, StayBounded) {
    Memory memory;
    for (int i = 0; i < 5000; ++i) memory.note_end("module-" + std::to_string(i), ago(1s));
    EXPECT_LE(memory.ends.size(), 1000U);
    EXPECT_EQ(memory.recent_ends("module-4999", Stamp(now)), 1U);
    for (int i = 0; i < 5000; ++i) memory.note_end("edgeHub", ago(1s));
    EXPECT_LE(memory.ends["edgeHub"].size(), 100U);
    EXPECT_LE(Memory::from_json(memory.to_json()).to_json().size(), 100'000U);
}

TEST(Memories, CountTheWindowAlone) {
    Memory memory;
    for (const auto before : {30min, 11min, 9min, 1min}) memory.note_end("edgeHub", ago(before));
    EXPECT_EQ(memory.recent_ends("edgeHub", Stamp(now)), 2U);
    EXPECT_EQ(memory.recent_ends("edgeHub", ago(5min)), 1U) << "what lies ahead does not count";
    EXPECT_EQ(memory.recent_ends("edgeHub", Stamp(now) + 1h), 0U);
    EXPECT_EQ(memory.recent_ends("nobody", Stamp(now)), 0U);
}

TEST(Memories, KnowWhetherARunIsNews) {
    Memory memory;
    EXPECT_FALSE(memory.note_running("SimulatedTemperatureSensor"));
    EXPECT_TRUE(memory.note_running("edgeHub"));
    EXPECT_FALSE(memory.note_running("edgeHub"));
    EXPECT_TRUE(memory.note_running("edgeAgent"));
    EXPECT_TRUE(memory.agent_has_run && memory.hub_has_run);
}

TEST(Exits, AreExplained) {
    EXPECT_EQ(explain_exit(0), "0, ended by itself, without an error");
    EXPECT_THAT(explain_exit(137), ::testing::HasSubstr("out of memory"));
    EXPECT_THAT(explain_exit(139), ::testing::HasSubstr("SIGSEGV"));
    EXPECT_EQ(explain_exit(153), "153, its settings are not usable");
    EXPECT_EQ(explain_exit(160), "160, killed by signal 32");
    EXPECT_EQ(explain_exit(255), "255, an error of its own");
    EXPECT_EQ(explain_exit(-1), "-1, an error of its own");
    EXPECT_THAT(explain_service_exit(203), ::testing::HasSubstr("EXEC"));
    EXPECT_EQ(explain_service_exit(153), explain_exit(153));
}

TEST(Horizons, OfAHealthyDeviceAreTheCertificates) {
    Observations seen = healthy_device();
    const Instant end = Wish{}.not_after;
    seen.now = end - std::chrono::days(100) - 5h;
    EXPECT_EQ(next_horizon(seen), Stamp(end) - std::chrono::days(100) + 1s) << "a day less is left";
    for (const int days : expiry_thresholds) {
        seen.now = end - std::chrono::days(days);
        const auto next = next_horizon(seen);
        ASSERT_TRUE(next);
        EXPECT_EQ(*next, Stamp(end) - std::chrono::days(days) + 1s) << days;
    }
    seen.now = end;
    EXPECT_EQ(next_horizon(seen), Stamp(end) + 1s);
    seen.now = end + 1s;
    EXPECT_EQ(next_horizon(seen), Stamp(end) + 24h + 1s) << "a day more since it expired";
    seen.certificate = Sight<FileSeen>::unseen("gone");
    EXPECT_FALSE(next_horizon(seen)) << "nothing is to come";
}

TEST(Horizons, AreTheEarliestOfAll) {
    Observations seen = healthy_device();
    leaf([](Wish& wish) {
        wish.not_before = now + 1h;
        wish.not_after = now + std::chrono::days(100) + 12h;
    })(seen);
    EXPECT_EQ(next_horizon(seen), Stamp(now) + 1h);
    restarted("aziot-edged", 60s)(seen);
    EXPECT_EQ(next_horizon(seen), Stamp(now) + 31s) << "the end of the grace";
    state("aziot-edged", "inactive", "dead", 3s)(seen);
    EXPECT_EQ(next_horizon(seen), Stamp(now) + 3s) << "a restart that takes too long";
    state("aziot-edged", "active", "running")(seen);
    ends("edgeHub", 3, 60s)(seen);
    EXPECT_EQ(next_horizon(seen), Stamp(now) + 1s) << "it has run for longer than between its ends";
    ended("edgeHub", 1)(seen);
    EXPECT_EQ(next_horizon(seen), ago(180s) + Memory::window + 1s) << "three ends are three no longer";
}

TEST(Horizons, StageOfExpiryIsTheSmallestThresholdPassed) {
    Observations seen = healthy_device();
    EXPECT_FALSE(expiry_stage(seen));
    const auto stage = [&](std::chrono::seconds left) {
        expires_in(left)(seen);
        return expiry_stage(seen);
    };
    const auto days = [](int count) { return std::chrono::seconds(std::chrono::days(count)); };
    EXPECT_FALSE(stage(days(30)));
    EXPECT_EQ(stage(days(30) - 1s), 30);
    EXPECT_EQ(stage(days(14)), 30);
    EXPECT_EQ(stage(days(14) - 1s), 14);
    EXPECT_EQ(stage(days(7) - 1s), 7);
    EXPECT_EQ(stage(days(1) - 1s), 1);
    EXPECT_EQ(stage(0s), 1);
    EXPECT_EQ(stage(-1s), 0);
    seen.certificate = Sight<FileSeen>::unseen("Permission denied");
    EXPECT_FALSE(expiry_stage(seen));
}

}  // namespace
}  // namespace eflow::testing
