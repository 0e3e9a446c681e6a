#include "vm-agent/watch/http_stream.hpp"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/watch/test_engine.hpp"

namespace eflow::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// Longer than any test lasts: what is tested under it is no deadline.
constexpr std::chrono::milliseconds ample = 10min;

class HttpGets : public WithEngine {
protected:
    Sight<HttpAnswer> get(const TestEngine::Answer& answer, std::chrono::milliseconds deadline = ample) {
        if (answer) engine_->start(answer);
        std::optional<Sight<HttpAnswer>> got;
        int calls = 0;
        const HttpGet request(loop_, path_, "/v1.41/x?y=1", deadline, [&](Sight<HttpAnswer> one) {
            got = std::move(one);
            ++calls;
        });
        run_until([&] { return got.has_value(); });
        settle();
        EXPECT_EQ(calls, 1);
        return got.value_or(Sight<HttpAnswer>{});
    }
    Sight<HttpAnswer> get_bytes(const std::string& bytes) {
        return get([=](const auto& client, const auto&) {
            client->send(bytes);
            client->close();
        });
    }
};

TEST_F(HttpGets, GiveTheAnswer) {
    const auto answer = get([](const auto& client, const auto&) { client->reply("body"); });
    ASSERT_TRUE(answer.value) << answer.why;
    EXPECT_EQ(answer.value->status, 200U);
    EXPECT_EQ(answer.value->api_version, "1.43");
    EXPECT_EQ(answer.value->body, "body");
    EXPECT_THAT(engine_->asked, ElementsAre("/v1.41/x?y=1"));
}

TEST_F(HttpGets, TakeAnAnswerInPieces) {
    const auto answer =
        get_bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n");
    ASSERT_TRUE(answer.value) << answer.why;
    EXPECT_EQ(answer.value->body, "body");
}

TEST_F(HttpGets, AnErrorOfTheEngineIsAnAnswer) {
    const auto answer = get([](const auto& client, const auto&) { client->reply("no", "500 Server Error"); });
    ASSERT_TRUE(answer.value) << answer.why;
    EXPECT_EQ(answer.value->status, 500U);
}

TEST_F(HttpGets, EverythingElseIsAReason) {
    EXPECT_THAT(get(nullptr).why, HasSubstr("No such file or directory"));
    for (const std::string& bytes :
         {std::string(), std::string("garbage\r\n\r\n"), std::string("\0\xff\x16\x03", 4), std::string(100'000, 'x'),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"),
          std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
          "HTTP/1.1 200 OK\r\n" + std::string(200'000, 'h')}) {
        const auto answer = get_bytes(bytes);
        EXPECT_FALSE(answer.value) << bytes.substr(0, 60);
        EXPECT_THAT(answer.why, HasSubstr(path_)) << bytes.substr(0, 60);
    }
}

TEST_F(HttpGets, AnAnswerThatNeverEndsIsCutOff) {
    const auto answer = get([](const auto& client, const auto&) {
        client->begin_stream();
        for (int i = 0; i < 9; ++i) client->send_chunk(std::string(1024 * 1024, 'x'));
    });
    EXPECT_FALSE(answer.value);
}

TEST_F(HttpGets, SilenceEndsAtTheDeadline) {
    EXPECT_THAT(get([](const auto&, const auto&) {}, 20ms).why, HasSubstr("did not answer in time"));
    EXPECT_THAT(get([](const auto& client, const auto&) { client->send("HTTP/1.1 200 OK\r\nContent-Le"); }, 20ms).why,
                HasSubstr("did not answer in time"));
}

TEST_F(HttpGets, OneThatIsGivenUpIsNotCalledBack) {
    engine_->start([](const auto& client, const auto&) { client->reply("late"); });
    bool called = false;
    {
        const HttpGet request(loop_, path_, "/", ample, [&](const auto&) { called = true; });
        settle();
        called = false;
    }
    settle();
    EXPECT_FALSE(called);
}

TEST_F(HttpGets, MayBeDestroyedByWhatTheyCall) {
    engine_->start([](const auto& client, const auto&) { client->reply("x"); });
    std::unique_ptr<HttpGet> request;
    bool called = false;
    request = std::make_unique<HttpGet>(loop_, path_, "/", ample, [&](const auto&) {
        request.reset();
        called = true;
    });
    run_until([&] { return called; });
    settle();
}

class HttpStreams : public WithEngine {
protected:
    HttpStream::Handlers handlers() {
        return {[this] { ++begun_; }, [this](std::string_view bytes) { text_ += bytes; },
                [this](const std::string& why) { ends_.push_back(why); }};
    }
    void follow(const TestEngine::Answer& answer, std::chrono::milliseconds patience = ample) {
        if (answer) engine_->start(answer);
        stream_ = std::make_unique<HttpStream>(loop_, path_, "/events", handlers(), patience);
    }
    std::string ended() {
        run_until([&] { return !ends_.empty(); });
        settle();
        EXPECT_EQ(ends_.size(), 1U) << "told once";
        return ends_.empty() ? "" : ends_.front();
    }
    std::unique_ptr<HttpStream> stream_;
    int begun_ = 0;
    std::string text_;
    std::vector<std::string> ends_;
};

TEST_F(HttpStreams, GiveEachPieceAsItComes) {
    std::shared_ptr<TestEngine::Client> client;
    follow([&](const auto& one, const auto&) {
        client = one;
        one->begin_stream();
    });
    run_until([&] { return begun_ == 1; });
    EXPECT_EQ(text_, "");
    client->send_chunk("one\ntw");
    run_until([&] { return text_.size() == 6; });
    client->send_chunk("o\n" + std::string(100'000, 'x'));
    run_until([&] { return text_.size() == 100'008; });
    EXPECT_EQ(text_.substr(0, 8), "one\ntwo\n");
    EXPECT_TRUE(ends_.empty()) << "it lasts as long as the engine likes";
    client->close();
    EXPECT_FALSE(ended().empty());
    EXPECT_EQ(begun_, 1);
}

TEST_F(HttpStreams, TheEndOfTheStreamIsTold) {
    follow([](const auto& client, const auto&) {
        client->begin_stream();
        client->send_chunk("last words");
        client->send("0\r\n\r\n");
    });
    EXPECT_EQ(ended(), "the engine ended the stream");
    EXPECT_EQ(text_, "last words");
}

TEST_F(HttpStreams, EveryWrongAnswerIsToldOnce) {
    for (const std::string& bytes :
         {std::string(), std::string("garbage\r\n\r\n"), std::string("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"),
          std::string("HTTP/1.1 404 X\r\nContent-Length: 3\r\n\r\nno\n"),
          std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
          std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")}) {
        ends_.clear();
        text_.clear();
        follow([&](const auto& client, const auto&) {
            client->send(bytes);
            client->close();
        });
        EXPECT_FALSE(ended().empty()) << bytes;
    }
    engine_->stop();
    ends_.clear();
    follow(nullptr);
    EXPECT_THAT(ended(), HasSubstr("No such file"));
}

TEST_F(HttpStreams, SilenceBeforeTheAnswerEndsAtTheDeadlineAndNoneAfterIt) {
    follow([](const auto&, const auto&) {}, 20ms);
    EXPECT_FALSE(ended().empty());
    EXPECT_EQ(begun_, 0);

    ends_.clear();
    std::shared_ptr<TestEngine::Client> client;
    follow(
        [&](const auto& one, const auto&) {
            client = one;
            one->begin_stream();
        },
        20ms);
    run_until([&] { return begun_ == 1; });
    // Far behind the deadline, by a timer of the same loop.
    asio::steady_timer timer(loop_, 60ms);
    bool later = false;
    timer.async_wait([&](const auto&) { later = true; });
    run_until([&] { return later; });
    EXPECT_TRUE(ends_.empty());
    client->send_chunk("x");
    run_until([&] { return text_ == "x"; });
}

TEST_F(HttpStreams, MayBeDestroyedByWhatTheyCall) {
    const auto answer = [](const auto& client, const auto&) {
        client->begin_stream();
        client->send_chunk("a");
        client->send_chunk("b");
        client->send("0\r\n\r\n");
    };
    for (const char* which : {"begun", "data", "ended"}) {
        engine_->start(answer);
        bool destroyed = false;
        const auto destroy = [&](bool now) {
            EXPECT_FALSE(destroyed) << "called after its end: " << which;
            if (!now) return;
            stream_.reset();
            destroyed = true;
        };
        const std::string name = which;
        stream_ = std::make_unique<HttpStream>(
            loop_, path_, "/",
            HttpStream::Handlers{[&] { destroy(name == "begun"); }, [&](auto) { destroy(name == "data"); },
                                 [&](const auto&) { destroy(name == "ended"); }},
            ample);
        run_until([&] { return destroyed; });
        settle();
    }
}

/// `text` cut into pieces at random.
std::vector<std::string> pieces(const std::string& text, std::mt19937& random) {
    std::vector<std::string> all;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = std::min<std::size_t>(1 + random() % 13, text.size() - at);
        all.push_back(text.substr(at, size));
        at += size;
    }
    return all;
}

TEST(LineCutters, GiveTheSameLinesHoweverTheBytesCome) {
    const std::string text("one\n\ntwo\r\nnul\0byte\nlast", 23);
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        LineCutter cutter;
        std::vector<std::string> lines;
        for (const auto& piece : pieces(text, random))
            cutter.feed(piece, [&](std::string_view line) { lines.emplace_back(line); });
        EXPECT_THAT(lines, ElementsAre("one", "", "two\r", std::string("nul\0byte", 8)));
        cutter.feed("\n", [&](std::string_view line) { lines.emplace_back(line); });
        EXPECT_EQ(lines.back(), "last");
    }
}

TEST(LineCutters, DropALineThatIsTooLongHoweverItComes) {
    const std::string text = "a\n" + std::string(1'100'000, 'x') + "\nb\n" + std::string(1'000'000, 'y') + "\nc\n";
    for (const std::size_t size : {std::size_t{1} << 12, std::size_t{99'991}, text.size()}) {
        LineCutter cutter;
        std::vector<std::size_t> lengths;
        for (std::size_t at = 0; at < text.size(); at += size)
            cutter.feed(std::string_view(text).substr(at, size),
                        [&](std::string_view line) { lengths.push_back(line.size()); });
        EXPECT_THAT(lengths, ElementsAre(1, 1, 1'000'000, 1)) << size;
    }
}

TEST(LineCutters, MayBeReadAgainByWhatTheyCall) {
    LineCutter cutter;
    std::vector<std::string> lines;
    cutter.feed("one\ntwo\n", [&](std::string_view line) {
        lines.emplace_back(line);
        if (line == "one") cutter = {};
    });
    EXPECT_THAT(lines, ElementsAre("one", "two"));
}

std::string frame(char stream, const std::string& text) {
    std::string header(8, '\0');
    header[0] = stream;
    for (int i = 0; i < 4; ++i)
        header[7 - static_cast<std::size_t>(i)] = static_cast<char>(text.size() >> (8 * i) & 0xff);
    return header + text;
}

TEST(LogUnframers, TakeTheHeadersOutHoweverTheBytesCome) {
    const std::string framed =
        frame(1, "one\ntw") + frame(2, "") + frame(2, "o\n") + frame(1, std::string(300, 'x') + "\n");
    std::mt19937 random(2);
    for (int round = 0; round < 200; ++round) {
        LogUnframer unframer;
        std::string text;
        for (const auto& piece : pieces(framed, random))
            unframer.feed(piece, [&](std::string_view part) { text += part; });
        EXPECT_EQ(text, "one\ntwo\n" + std::string(300, 'x') + "\n");
    }
}

TEST(LogUnframers, LeaveALogWithoutHeadersAsItIs) {
    std::mt19937 random(3);
    LogUnframer unframer;
    std::string text;
    unframer.feed("", [&](std::string_view) {});
    for (const auto& piece : pieces("plain text\n\1 and more", random))
        unframer.feed(piece, [&](std::string_view part) { text += part; });
    EXPECT_EQ(text, "plain text\n\1 and more");
}

TEST(LogUnframers, ASizeThatLiesIsHarmless) {
    LogUnframer unframer;
    std::string text;
    unframer.feed(std::string("\1\0\0\0\xff\xff\xff\xff", 8) + "cut", [&](std::string_view part) { text += part; });
    unframer.feed(std::string(10, '\xff'), [&](std::string_view part) { text += part; });
    EXPECT_EQ(text.size(), 13U);
}

}  // namespace
}  // namespace eflow::testing
