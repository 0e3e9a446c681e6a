#include "vm-agent/health/causes.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm-agent/health/reasons.hpp"

namespace eflow {
namespace {

using ::testing::HasSubstr;

constexpr auto identityd_unit = "aziot-identityd.service";

/// As aziotd's main logs a failure: message, causes, a frame.
std::vector<std::string> failure(const std::vector<std::string>& causes) {
    std::vector<std::string> lines{"2026-06-01T12:00:00Z [INFO] - Sending DPS registration request.",
                                   "2026-06-01T12:00:01Z [ERR!] - Failed to provision with IoT Hub, and no valid device "
                                   "backup was found: DPS client error",
                                   "2026-06-01T12:00:01Z [ERR!] - service encountered an error"};
    for (const auto& cause : causes) lines.push_back("2026-06-01T12:00:01Z [ERR!] - caused by: " + cause);
    lines.emplace_back("2026-06-01T12:00:01Z [ERR!] -    0: <unknown>");
    return lines;
}

std::vector<std::string> dps_failure(const std::string& message) {
    return failure({"DPS client error", message});
}

TEST(Causes, TellsANoFromACloudThatIsNotThere) {
    const std::vector<std::pair<std::string, Consequence>> cases{
        {"Unauthorized", Consequence::refused},
        {"CA certificate not found.", Consequence::refused},
        {"Invalid certificate.", Consequence::refused},
        {"Invalid certificate of gw-4290.", Consequence::refused},
        {"Expected one of [202], got 200 OK", Consequence::refused},
        {"IotHub not found", Consequence::refused},
        {"Custom allocation failed with status code: 400", Consequence::refused},
        {"client error (Connect)", Consequence::tries_again},
        {"error trying to connect: tcp connect error: Connection refused (os error 111)", Consequence::tries_again},
        {"error trying to connect: dns error: failed to lookup address information", Consequence::tries_again},
        {"timed out", Consequence::tries_again},
        {"429: Too many requests", Consequence::tries_again},
        {"HTTP error 503 Service Unavailable", Consequence::tries_again},
        {"Internal server error", Consequence::tries_again},
        {"error:05800074:x509 certificate routines:X509_check_private_key:key values mismatch:crypto/x509/x509_cmp.c:405:",
         Consequence::local},
        {"something that nobody has seen yet", Consequence::unknown},
    };
    for (const auto& [message, consequence] : cases) {
        const auto found = diagnose(identityd_unit, dps_failure(message));
        ASSERT_TRUE(found) << message;
        EXPECT_EQ(found->consequence(), consequence) << message;
        EXPECT_EQ(found->words(), message);
    }
}

TEST(Causes, OtherFailuresAreNotTheCloudsWord) {
    EXPECT_FALSE(diagnose(identityd_unit, {}));
    const auto keys = diagnose(identityd_unit, failure({"Key client error", "Unauthorized"}));
    ASSERT_TRUE(keys);
    EXPECT_FALSE(keys->is_of_cloud());
    EXPECT_EQ(keys->consequence(), Consequence::local);
}

TEST(Causes, ALaterSuccessCounts) {
    auto lines = dps_failure("Unauthorized");
    lines.emplace_back("2026-06-01T12:00:09Z [INFO] - DPS registration complete.");
    EXPECT_FALSE(diagnose(identityd_unit, lines));
}

TEST(Causes, EveryRefusalSaysWhatToDo) {
    for (const char* message : {"Unauthorized", "CA certificate not found.", "never seen"}) {
        const auto found = diagnose(identityd_unit, dps_failure(message));
        const Finding finding = judge_registration(&*found);
        EXPECT_EQ(finding.id, "cloud.registration");
        EXPECT_EQ(finding.severity, Severity::failed);
        EXPECT_THAT(finding.summary, HasSubstr(message));
        EXPECT_FALSE(finding.remedy.empty());
        EXPECT_EQ(finding.summary.find("refused") == std::string::npos, found->cause == nullptr) << finding.summary;
    }
    const auto timeout = diagnose(identityd_unit, dps_failure("timed out"));
    EXPECT_EQ(judge_registration(&*timeout).severity, Severity::warning);
}

TEST(Causes, EveryRowIsWhole) {
    std::set<std::string_view> ids;
    for (const auto& row : causes()) {
        EXPECT_TRUE(ids.insert(row.id).second) << row.id << " stands twice";
        EXPECT_NE(row.by, 0U) << row.id;
        EXPECT_NE(row.consequence, Consequence::unknown) << row.id;
        EXPECT_FALSE(row.words.empty() && row.under.empty()) << row.id;
        EXPECT_FALSE(row.source.empty() || row.versions.empty()) << row.id;
        if (row.consequence == Consequence::follows) continue;
        EXPECT_FALSE(row.meaning.empty() || row.remedy.empty()) << row.id;
    }
}

}  // namespace
}  // namespace eflow
