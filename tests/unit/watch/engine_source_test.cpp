#include "vm-agent/watch/engine_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/watch/test_engine.hpp"

namespace eflow::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t noon = 1'780'000'000 * second;

std::string event(const std::string& action, const std::string& name, std::int64_t nanos, int exit_code = 0) {
    return R"({"Type":"container","Action":")" + action + R"(","Actor":{"ID":")" + name +
           R"(-id","Attributes":{"name":")" + name + R"(","exitCode":")" + std::to_string(exit_code) +
           R"("}},"timeNano":)" + std::to_string(nanos) + "}\n";
}

std::string listed(const std::string& name, const std::string& state) {
    return R"({"Id":")" + name + R"(-id","Names":["/)" + name + R"("],"State":")" + state + R"(","Labels":{}})";
}

std::string inspected(const std::string& name, const std::string& state, int exit_code = 0) {
    return R"({"Id":")" + name + R"(-id","Name":"/)" + name + R"(","Config":{},"State":{"Status":")" + state +
           R"(","ExitCode":)" + std::to_string(exit_code) + "}}";
}

/// An engine that does as it should, unless a test replaces an answer.
class EngineSources : public WithEngine {
protected:
    using Client = std::shared_ptr<TestEngine::Client>;

    void start_engine() {
        engine_->start([this](const Client& client, const std::string& target) {
            if (wrong_.count(kind_of(target)) > 0) return wrong_.at(kind_of(target))(client);
            if (target == "/_ping") return client->reply("OK");
            if (target.starts_with("/v1.41/events")) {
                events_ = client;
                client->begin_stream();
                if (!replay_.empty() && target.find("since=") != std::string::npos) client->send_chunk(replay_);
                return;
            }
            if (target == "/v1.41/containers/json?all=1") return client->reply("[" + containers_ + "]");
            if (target == "/v1.41/containers/edgeHub/json") return client->reply(inspected("edgeHub", "exited", 137));
            if (target == "/v1.41/containers/edgeAgent/json") return client->reply(inspected("edgeAgent", "running"));
            if (target.starts_with("/v1.41/containers/edgeAgent/logs")) {
                if (target.find("follow=1") == std::string::npos) return client->reply(log_so_far_);
                log_ = client;
                return client->begin_stream();
            }
            client->reply("no such thing", "404 Not Found");
        });
    }
    static std::string kind_of(const std::string& target) {
        if (target == "/_ping") return "ping";
        if (target.find("/events") != std::string::npos) return "events";
        if (target.find("/containers/json") != std::string::npos) return "list";
        if (target.find("/logs") != std::string::npos) return "log";
        return "inspect";
    }
    void start_source() {
        EngineSource::Handlers handlers;
        handlers.listed = [this](std::vector<ContainerSeen> containers) {
            ++lists_;
            told_.push_back("listed " + std::to_string(containers.size()));
        };
        handlers.happened = [this](const ContainerEvent& one) { told_.push_back(one.action + " " + one.name); };
        handlers.inspected = [this](const ContainerSeen& one) {
            told_.push_back("inspected " + one.name + " " + one.state + " " + std::to_string(one.detail->exit_code));
        };
        handlers.agent_had_said = [this](const std::vector<LoggedLine>& lines) {
            for (const auto& line : lines) said_.push_back("before: " + line.text);
        };
        handlers.agent_said = [this](const LoggedLine& line) { said_.push_back(line.text); };
        handlers.lost = [this](const std::string& why) { lost_.push_back(why); };
        source_.emplace(loop_, path_, std::move(handlers), pace_);
        source_->start();
    }
    void start_both() {
        start_engine();
        start_source();
        run_until([&] { return lists_ == 1; });
        told_.clear();
    }
    /// Runs until so much was told.
    std::vector<std::string> told(std::size_t count) {
        run_until([&] { return told_.size() >= count; });
        return std::exchange(told_, {});
    }

    // Nothing is left to chance by time: pauses are short, and the deadline is not met but where a test sets it.
    EngineSource::Pace pace_{10min, 1ms, 4ms};
    std::map<std::string, std::function<void(const Client&)>> wrong_;
    std::string containers_;
    std::string replay_;
    Client events_;
    Client log_;
    std::string log_so_far_;
    std::optional<EngineSource> source_;
    int lists_ = 0;
    std::vector<std::string> told_;
    std::vector<std::string> said_;
    std::vector<std::string> lost_;
};

TEST_F(EngineSources, ListAndThenFollow) {
    containers_ = listed("edgeHub", "running") + "," + listed("other", "running");
    start_engine();
    start_source();
    EXPECT_THAT(told(2), ElementsAre("listed 2", "inspected edgeHub exited 137"));
    events_->send_chunk(event("die", "other", noon, 1));
    EXPECT_THAT(told(1), ElementsAre("die other"));
    events_->send_chunk(event("die", "edgeHub", noon + 1, 137) + event("start", "other", noon + 2));
    EXPECT_THAT(told(3), ElementsAre("die edgeHub", "start other", "inspected edgeHub exited 137"));
    EXPECT_THAT(lost_, IsEmpty());
    EXPECT_THAT(engine_->asked[1], HasSubstr("/events?&filters=")) << "the stream first, then the list";
}

TEST_F(EngineSources, WhatChangesNothingIsPassedOver) {
    start_both();
    events_->send_chunk(event("exec_create: sh", "edgeHub", noon) + event("top", "edgeHub", noon + 1) +
                        "garbage\n{}\n[1]\n\n" + R"({"Type":"network","Action":"create","Actor":{"ID":"n"}})" + "\n" +
                        event("start", "other", noon + 2));
    EXPECT_THAT(told(1), ElementsAre("start other"));
}

TEST_F(EngineSources, AnEventInPiecesIsOne) {
    start_both();
    const std::string line = event("die", "other", noon);
    for (const char c : line) events_->send_chunk(std::string(1, c));
    EXPECT_THAT(told(1), ElementsAre("die other"));
}

TEST_F(EngineSources, EventsThatComeBeforeTheListAreTakenAfterIt) {
    Client asker;
    wrong_["list"] = [&](const Client& client) { asker = client; };
    start_engine();
    start_source();
    run_until([&] { return asker && events_; });
    events_->send_chunk(event("start", "other", noon));
    settle();
    EXPECT_THAT(told_, IsEmpty());
    asker->reply("[" + listed("other", "created") + "]");
    EXPECT_THAT(told(2), ElementsAre("listed 1", "start other"));
}

TEST_F(EngineSources, NothingIsLostAndNothingComesTwiceOverALostConnection) {
    start_both();
    const std::string first = event("die", "other", noon, 1);
    events_->send_chunk(first);
    EXPECT_THAT(told(1), ElementsAre("die other"));
    // While nobody listens it is started again; the engine then gives what happened since the time asked for.
    replay_ = first + event("start", "other", noon + 5);
    events_->close();
    EXPECT_THAT(told(2), ElementsAre("listed 0", "start other"));
    EXPECT_EQ(lost_.size(), 1U);
    std::string asked;
    for (const auto& target : engine_->asked)
        if (target.find("since=") != std::string::npos) asked = target;
    EXPECT_THAT(asked, HasSubstr("since=1779999999.000000000&")) << "a second before the last event";
}

TEST_F(EngineSources, AnotherEngineIsFollowedFromThenOn) {
    start_both();
    TestEngine other(loop_, folder_ + "/other.sock");
    other.start([](const Client& client, const std::string& target) {
        if (target == "/_ping") return client->reply("OK");
        if (kind_of(target) == "events") return client->begin_stream();
        client->reply("[" + listed("there", "running") + "]");
    });
    source_->move_to(path_);
    EXPECT_THAT(lost_, IsEmpty()) << "it is the same";
    source_->move_to(folder_ + "/other.sock");
    EXPECT_THAT(told(1), ElementsAre("listed 1"));
    EXPECT_THAT(lost_, ElementsAre(HasSubstr("not the engine")));
    ASSERT_GE(other.asked.size(), 2U);
    EXPECT_EQ(other.asked[1].find("since="), std::string::npos) << "the first one's events are none of its";
    source_.reset();
    settle();
}

TEST_F(EngineSources, AClockThatIsSetBackHidesNoEvent) {
    start_both();
    events_->send_chunk(event("start", "other", noon) + event("die", "other", noon - 3600 * second));
    EXPECT_THAT(told(2), ElementsAre("start other", "die other"));
}

TEST_F(EngineSources, EventsOutOfOrderAreAllTaken) {
    start_both();
    events_->send_chunk(event("start", "b", noon + 7) + event("start", "a", noon + 6) + event("start", "a", noon + 6));
    events_->send_chunk(event("die", "a", 0) + event("die", "a", 0));
    EXPECT_THAT(told(4), ElementsAre("start b", "start a", "die a", "die a"));
}

TEST_F(EngineSources, ARestartOfTheEngineIsToldOnceAndOvercome) {
    start_both();
    engine_->stop();
    run_until([&] { return !lost_.empty(); });
    start_engine();
    run_until([&] { return lists_ == 2; });
    EXPECT_EQ(lost_.size(), 1U);
    engine_->stop();
    run_until([&] { return lost_.size() == 2; });
    start_engine();
    run_until([&] { return lists_ == 3; });
    events_->send_chunk(event("die", "other", noon));
    EXPECT_THAT(told(3).back(), "die other");
}

TEST_F(EngineSources, AnEngineThatComesLaterIsFound) {
    start_source();
    run_until([&] { return !lost_.empty(); });
    EXPECT_THAT(lost_.front(), HasSubstr("No such file"));
    start_engine();
    run_until([&] { return lists_ == 1; });
    EXPECT_EQ(lost_.size(), 1U) << "told once, however often it was tried";
}

TEST_F(EngineSources, EveryWrongAnswerIsAReasonAndThenTriedAgain) {
    containers_ = listed("edgeHub", "running");
    const std::vector<std::pair<std::string, std::function<void(const Client&)>>> faults{
        {"garbage",
         [](const Client& client) {
             client->send("garbage\r\n\r\n");
             client->close();
         }},
        {"an end", [](const Client& client) { client->close(); }},
        {"500", [](const Client& client) { client->reply("no", "500 Server Error"); }},
        {"half",
         [](const Client& client) {
             client->send("HTTP/1.1 200 OK\r\nApi-Version: 1.43\r\nContent-Length: 99\r\n\r\n[");
             client->close();
         }},
        {"no JSON", [](const Client& client) { client->reply("[[[[", "200 OK"); }},
    };
    for (const char* where : {"ping", "events", "list", "inspect"}) {
        for (const auto& [what, fault] : faults) {
            if (what == "no JSON" && std::string(where) != "list") continue;
            if (what == "500" && std::string(where) == "inspect") continue;  // below
            SCOPED_TRACE(std::string(what) + " for " + where);
            wrong_.clear();
            wrong_[where] = fault;
            lists_ = 0;
            lost_.clear();
            start_engine();
            start_source();
            run_until([&] { return !lost_.empty(); });
            EXPECT_FALSE(lost_.front().empty());
            wrong_.clear();
            lists_ = 0;
            told_.clear();
            run_until([&] {
                return lists_ > 0 && std::count(told_.begin(), told_.end(), "inspected edgeHub exited 137") > 0;
            });
        }
    }
}

TEST_F(EngineSources, AContainerThatCannotBeInspectedHidesNoOther) {
    containers_ = listed("edgeHub", "dead") + "," + listed("other", "running");
    for (const char* body : {R"({"message":"RWLayer of container is unexpectedly nil"})", "[[["}) {
        wrong_["inspect"] = [body](const Client& client) {
            client->reply(body, *body == '{' ? "500 Internal Server Error" : "200 OK");
        };
        lists_ = 0;
        start_engine();
        start_source();
        run_until([&] { return !engine_->asked.empty() && engine_->asked.back().find("/edgeHub/") != std::string::npos; });
        settle();
        told_.clear();
        events_->send_chunk(event("die", "other", noon + *body, 1));
        EXPECT_THAT(told(1), ElementsAre("die other"));
        EXPECT_EQ(lists_, 1);
        EXPECT_THAT(lost_, IsEmpty());
        engine_->asked.clear();
    }
}

TEST_F(EngineSources, NoContainerEngineAtAll) {
    wrong_["ping"] = [](const Client& client) { client->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"); };
    start_engine();
    start_source();
    run_until([&] { return !lost_.empty(); });
    EXPECT_THAT(lost_.front(), HasSubstr("is no container engine"));
}

TEST_F(EngineSources, SilenceShowsWhenASignOfLifeIsAskedFor) {
    pace_.deadline = 30ms;
    start_both();
    wrong_["ping"] = [](const Client&) {};
    source_->probe();
    run_until([&] { return !lost_.empty(); });
    EXPECT_THAT(lost_.front(), HasSubstr("did not answer in time"));
    wrong_.clear();
    run_until([&] { return lists_ == 2; });
}

std::string framed(const std::string& text, char stream = 1) {
    return std::string{stream, 0, 0, 0, 0, 0, 0, static_cast<char>(text.size())} + text;
}

TEST_F(EngineSources, EdgeAgentsLogIsReadAsItIsWritten) {
    containers_ = listed("edgeAgent", "running");
    log_so_far_ = framed("2026-06-01T12:00:00.5Z old\n");
    start_engine();
    start_source();
    run_until([&] { return log_ != nullptr; });
    EXPECT_THAT(said_, ElementsAre("before: old"));
    EXPECT_THAT(engine_->asked.back(), HasSubstr("tail=500"));
    EXPECT_THAT(engine_->asked.back(), HasSubstr("timestamps=1"));
    log_->send_chunk(framed("2026-06-01T12:00:00.5Z old\n"));  // once more
    log_->send_chunk(framed("2026-06-01T12:00:01Z one\n2026-06-01T12:00:01Z two\n") + framed("2026-06-01T12:00:02Z thr", 2));
    log_->send_chunk(framed("ee\n", 2));
    run_until([&] { return said_.size() == 4; });
    EXPECT_THAT(said_, ElementsAre("before: old", "one", "two", "three"));
    // It ends with the container, and another start opens it anew.
    const auto before = log_;
    events_->send_chunk(event("die", "edgeAgent", noon));
    log_->close();
    EXPECT_THAT(told(3), Contains("die edgeAgent"));
    EXPECT_THAT(lost_, IsEmpty());
    events_->send_chunk(event("start", "edgeAgent", noon + 1));
    run_until([&] { return log_ != before; });
}

TEST_F(EngineSources, EdgeAgentsLogThatEndsBeforeItIsOpenedAgain) {
    containers_ = listed("edgeAgent", "running");
    start_both();
    run_until([&] { return log_ != nullptr; });
    const auto before = log_;
    log_->close();
    run_until([&] { return log_ != before; });
    wrong_["log"] = [](const Client& client) { client->reply("no", "500 Server Error"); };
    log_->close();
    const auto asked = engine_->asked.size();
    run_until([&] { return engine_->asked.size() > asked + 2; });
    wrong_.clear();
    const auto last = log_;
    run_until([&] { return log_ != last; });
    EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(EngineSources, AtRestNothingIsTouchedAndNothingWaits) {
    containers_ = listed("edgeAgent", "running");
    start_both();
    run_until([&] { return log_ != nullptr; });
    source_->rest("docker.service is inactive");
    EXPECT_THAT(lost_, ElementsAre("docker.service is inactive"));
    const auto asked = engine_->asked.size();
    source_->probe();
    engine_->stop();
    loop_.restart();
    loop_.run();  // which ends, since nothing polls
    EXPECT_EQ(engine_->asked.size(), asked);
    // And back, with a reason of its own when that fails.
    source_->start();
    run_until([&] { return lost_.size() == 2; });
    EXPECT_THAT(lost_.back(), HasSubstr("No such file"));
    start_engine();
    run_until([&] { return lists_ == 2; });
}

TEST_F(EngineSources, ManyEventsAtOnceAreAllTakenInOrder) {
    start_both();
    std::string burst;
    for (int i = 0; i < 3000; ++i) burst += event(i % 2 == 0 ? "start" : "die", "m" + std::to_string(i % 7), noon + i);
    events_->send_chunk(burst);
    const auto all = told(3000);
    EXPECT_EQ(all.size(), 3000U);
    EXPECT_EQ(all.front(), "start m0");
    EXPECT_EQ(all.back(), "die m" + std::to_string(2999 % 7));
}

TEST(Events, OfAHostileEngineAreHarmless) {
    for (const std::string& line :
         {std::string(), std::string("null"), std::string("[]"), std::string("{}"), std::string(100'000, '['),
          std::string("\xff\xfe"), std::string(R"({"Type":"container"})"),
          std::string(R"({"Type":"container","Action":"die"})"),
          std::string(R"({"Type":"container","Action":"die","Actor":[]})"),
          std::string(R"({"Type":"container","Action":7,"Actor":{"ID":"x"}})"),
          std::string(R"({"Type":["container"],"Action":"die","Actor":{"ID":"x"}})")})
        EXPECT_FALSE(read_event(line)) << line.substr(0, 80);
    const auto odd = read_event(
        R"({"Type":"container","Action":"die","Actor":{"ID":"x","Attributes":{"name":["a"],"exitCode":"99999999999999999999",
            "label":{"a":1}}},"timeNano":18446744073709551615})");
    ASSERT_TRUE(odd);
    EXPECT_EQ(odd->name, "");
    EXPECT_NO_THROW((void)odd->at());
    EXPECT_EQ(read_event(R"({"Type":"container","Action":"x","Actor":{"ID":"x"},"timeNano":1e300})")->nanos, 0);
}

TEST(EngineAnswers, OfAHostileEngineAreReasonsOrHarmless) {
    for (const std::string& body : {std::string(), std::string("{}"), std::string("[1]"), std::string("[[]]"),
                                    std::string(50'000, '['), std::string("[{]"), std::string("\xff")})
        EXPECT_FALSE(read_container_list(body, "docker").value) << body.substr(0, 40);
    const auto odd =
        read_container_list(R"([{"Id":1,"Names":"x","State":[],"Labels":[1]},{"Names":[]},{"Names":[1]}])", "d");
    ASSERT_TRUE(odd.value);
    EXPECT_EQ(odd.value->size(), 3U);

    EXPECT_TRUE(read_container(404, "x", "docker").value);
    EXPECT_FALSE(*read_container(404, "x", "docker").value);
    for (const std::string& body : {std::string(), std::string("[]"), std::string("null"), std::string("{")})
        EXPECT_FALSE(read_container(200, body, "docker").value) << body;
    EXPECT_FALSE(read_container(500, "{}", "docker").value);
    const auto seen = read_container(
        200,
        R"({"Id":[],"Name":{},"RestartCount":-5,"Config":{"Env":[1,"x",null],"Labels":7},"Mounts":[1,{"Destination":2}],
                 "State":{"ExitCode":1e99,"OOMKilled":"yes","StartedAt":"2026-99-99T99:99:99Z","FinishedAt":7,"Health":[]}})",
        "docker");
    ASSERT_TRUE(seen.value && *seen.value);
    EXPECT_EQ((*seen.value)->detail->restart_count, 0U);
    EXPECT_EQ((*seen.value)->detail->exit_code, 0);
    EXPECT_FALSE((*seen.value)->detail->oom_killed);

    EXPECT_EQ(version_prefix_of("1.43"), "/v1.41");
    EXPECT_EQ(version_prefix_of("1.30"), "/v1.30");
    for (const char* version : {"", "x", "2.1", "1.", "1.x"}) EXPECT_FALSE(version_prefix_of(version)) << version;
}

TEST(EngineTimes, AreReadOrTheEpoch) {
    EXPECT_EQ(parse_time("2026-06-01T12:00:00.123456789Z"),
              Stamp(std::chrono::sys_days(std::chrono::year(2026) / 6 / 1)) + 12h);
    for (const char* text : {"", "0001-01-01T00:00:00Z", "yesterday", "2026-06-01"})
        EXPECT_EQ(parse_time(text), Stamp{});
}

TEST(LoggedLines, HaveTheirTimesToTheMicrosecond) {
    const LoggedLine line = read_logged_line("2026-06-01T12:00:00.0123456789Z [INF] - at work");
    EXPECT_EQ(line.at, Stamp(std::chrono::sys_days(std::chrono::year(2026) / 6 / 1)) + 12h + 12345us);
    EXPECT_EQ(line.text, "[INF] - at work");
    for (const char* text : {"", " ", "no time", "2026-06-01T12:00:00 local", "2026-06-01T12:00:00.5Z"}) {
        EXPECT_EQ(read_logged_line(text).at, Stamp{}) << text;
        EXPECT_EQ(read_logged_line(text).text, text);
    }
}

}  // namespace
}  // namespace eflow::testing
