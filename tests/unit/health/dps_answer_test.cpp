#include "vm-agent/health/dps_answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eflow {
namespace {

using Kind = DpsAnswer::Kind;

/// As aziotd's main logs a failure, and systemd what follows.
std::vector<std::string> failure(const std::string& message) {
    return {"Starting service: aziot-identityd",
            "2026-06-01T12:00:00Z [INFO] - Sending DPS registration request.",
            "2026-06-01T12:00:01Z [ERR!] - Failed to provision with IoT Hub, and no valid device backup was found: DPS "
            "client error",
            "2026-06-01T12:00:01Z [ERR!] - service encountered an error",
            "2026-06-01T12:00:01Z [ERR!] - caused by: DPS client error",
            "2026-06-01T12:00:01Z [ERR!] - caused by: " + message,
            "2026-06-01T12:00:01Z [ERR!] - [backtrace]"};
}

TEST(DpsAnswer, TellsANoFromACloudThatIsNotThere) {
    const std::vector<std::pair<std::string, Kind>> cases{
        {"Unauthorized", Kind::refused},
        {"CA certificate not found.", Kind::refused},
        {"Invalid certificate.", Kind::refused},
        {"Expected one of [202], got 200 OK", Kind::refused},
        {"IotHub not found", Kind::refused},
        {"Custom allocation failed with status code: 400", Kind::refused},
        {"something that nobody has seen yet", Kind::refused},
        {"client error (Connect)", Kind::out_of_reach},
        {"error trying to connect: tcp connect error: Connection refused (os error 111)", Kind::out_of_reach},
        {"error trying to connect: dns error: failed to lookup address information", Kind::out_of_reach},
        {"deadline has elapsed", Kind::out_of_reach},
        {"connection closed before message completed", Kind::out_of_reach},
        {"429: Too many requests", Kind::throttled},
        {"HTTP error 503 Service Unavailable", Kind::trouble},
        {"Internal server error", Kind::trouble},
    };
    for (const auto& [message, kind] : cases) {
        const DpsAnswer answer = read_dps_answer(failure(message));
        EXPECT_EQ(answer.kind, kind) << message;
        EXPECT_EQ(answer.text, message);
    }
}

TEST(DpsAnswer, OtherFailuresAreNotTheCloudsWord) {
    EXPECT_EQ(read_dps_answer({}).kind, Kind::nothing);
    EXPECT_EQ(read_dps_answer({"[ERR!] - caused by: Key client error", "[ERR!] - caused by: Unauthorized"}).kind,
              Kind::nothing);
    EXPECT_EQ(read_dps_answer({"[ERR!] - caused by: DPS client error"}).kind, Kind::nothing);
}

TEST(DpsAnswer, ALaterSuccessCounts) {
    auto lines = failure("Unauthorized");
    lines.emplace_back("2026-06-01T12:00:09Z [INFO] - DPS registration complete.");
    EXPECT_EQ(read_dps_answer(lines).kind, Kind::nothing);
}

TEST(DpsAnswer, EveryRefusalSaysWhatToDo) {
    for (const char* message : {"Unauthorized", "CA certificate not found.", "never seen"}) {
        const Finding finding = judge_dps_answer(read_dps_answer(failure(message)));
        EXPECT_EQ(finding.id, "cloud.registration");
        EXPECT_EQ(finding.severity, Severity::failed);
        EXPECT_THAT(finding.summary, ::testing::HasSubstr(message));
        EXPECT_FALSE(finding.remedy.empty());
    }
    EXPECT_EQ(judge_dps_answer(read_dps_answer(failure("deadline has elapsed"))).severity, Severity::warning);
}

}  // namespace
}  // namespace eflow
