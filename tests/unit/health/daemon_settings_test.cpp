#include "vm-agent/health/daemon_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eflow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string faults(std::string_view text) {
    std::string all;
    for (const auto& fault : read_daemon_settings(text).faults) all += fault + "\n";
    return all;
}

TEST(DaemonSettings, WhatDockerdTakesHasNoFault) {
    std::string wide = "\xff\xfe";
    for (const char c : std::string_view(R"({"dns":["10.0.0.1"]})")) wide += std::string{c, '\0'};
    for (const std::string& text :
         {std::string(), std::string(" \r\n\t"), std::string("{}"), std::string("null"), std::string("\xef\xbb\xbf{}"), wide,
          std::string(R"({"dns":["10.0.0.1","2001:db8::1"],"log-driver":"json-file","log-opts":{"max-size":"10m","tag":"x"}})"),
          std::string(R"({"mtu":1400,"debug":null,"features":{"buildkit":true},"default-address-pools":[{"base":"10.0.0.0/8","size":24}]})"),
          std::string(R"({"log-driver":"journald","log-opts":{"tag":"{{.Name}}"},"proxies":{"no-proxy":"*"}})"),
          std::string("{\"labels\":[\"caf\xe9\"]}"),
          // One of a later version may be right there.
          std::string(R"({"some-quite-new-setting":7})")})
        EXPECT_THAT(read_daemon_settings(text).faults, IsEmpty()) << text;
}

TEST(DaemonSettings, WhatIsNoJsonIsToldWithItsPlace) {
    EXPECT_THAT(faults("{\"dns\": [\"10.0.0.1\"],\n \"log-driver\": \"local\",}\n"),
                HasSubstr("line 2, column 24: a comma after the last entry"));
    EXPECT_THAT(faults("{\xe2\x80\x9c" "dns\xe2\x80\x9d: []}"), HasSubstr("line 1, column 2: typographic quotes"));
    EXPECT_THAT(faults("{}\n{}"), HasSubstr("line 2, column 1: a second object"));
    EXPECT_THAT(faults("{'dns': []}"), HasSubstr("single quotes"));
    EXPECT_THAT(faults("{\n// ours\n\"dns\": []}"), HasSubstr("line 2, column 1: a comment"));
    EXPECT_THAT(faults("{\"dns\": []\n \"mtu\": 1}"), HasSubstr("line 2, column "));
    EXPECT_THAT(faults("{\"dns\": ["), HasSubstr("it ends too early"));
    EXPECT_THAT(faults("[]"), HasSubstr("no JSON object"));
    EXPECT_THAT(faults(std::string_view("{\0}\0", 4)), HasSubstr("UTF-16 without a mark"));
    for (const char* text : {"{,", "[1]", "{\"a\":1e999999}", "\"x\""}) EXPECT_FALSE(read_daemon_settings(text).readable) << text;
    EXPECT_FALSE(read_daemon_settings(std::string(200'000, '[')).readable);
}

TEST(DaemonSettings, ValuesOfAnotherTypeAreTold) {
    EXPECT_THAT(faults("{\"log-opts\":\n{\"max-size\":\"10m\",\n\"max-file\": 3}}"),
                HasSubstr("log-opts.max-file (line 3) is number; dockerd takes a string there, in quotes"));
    EXPECT_THAT(faults(R"({"dns":"10.0.0.1"})"), HasSubstr("an array of strings"));
    EXPECT_THAT(faults(R"({"dns":[8]})"), HasSubstr("an array of strings"));
    EXPECT_THAT(faults(R"({"live-restore":"true"})"), HasSubstr("true or false without quotes"));
    EXPECT_THAT(faults(R"({"mtu":"1400"})"), HasSubstr("a whole number without quotes"));
    EXPECT_THAT(faults(R"({"mtu":1.5})"), HasSubstr("a whole number"));
    EXPECT_THAT(faults(R"({"log-driver":["local"]})"), HasSubstr("a string"));
    EXPECT_THAT(faults(R"({"log-opts":"max-size=10m"})"), HasSubstr("an object of strings"));
    EXPECT_THAT(faults(R"({"proxies":{"https-proxy":true}})"), HasSubstr("proxies.https-proxy (line 1) is boolean"));
}

TEST(DaemonSettings, WhatDockerdDoesNotKnowIsToldWhereItResemblesSomething) {
    EXPECT_THAT(faults(R"({"log-driver":"json-file","log-opts":{"max-files":"3"}})"), HasSubstr("did you mean max-file?"));
    EXPECT_THAT(faults(R"({"log-driver":"local","log-opts":{"tag":"x"}})"), HasSubstr("log-opts.tag (line 1) is no setting"));
    EXPECT_THAT(faults(R"({"log-drivers":"local"})"), HasSubstr("did you mean log-driver?"));
    EXPECT_THAT(faults(R"({"DNS":["10.0.0.1"]})"), HasSubstr("did you mean dns?"));
    EXPECT_THAT(faults(R"({"proxies":{"default":"x"}})"), HasSubstr("proxies.default"));
    EXPECT_THAT(faults(R"({"log-driver":"jsonfile"})"), HasSubstr("did you mean json-file?"));
    EXPECT_THAT(faults(R"({"dns":["ADDRESS"]})"), HasSubstr("no IP address"));
    EXPECT_THAT(faults(R"({"dns":["10.0.0.256","10.0.0"]})"), HasSubstr("no IP address"));
}

TEST(DaemonSettings, TellsWhatBoundsTheLogs) {
    const auto bounds = [](const char* text) { return read_daemon_settings(text).bounds_logs(); };
    for (const char* text : {R"({"log-driver":"local"})", R"({"log-driver":"journald"})", R"({"log-driver":"none"})",
                             R"({"log-driver":"syslog"})", R"({"log-opts":{"max-size":"10m"}})",
                             R"({"log-driver":"json-file","log-opts":{"max-size":"1g","max-file":"2"}})"})
        EXPECT_TRUE(bounds(text)) << text;
    for (const char* text : {"", "{}", R"({"log-driver":"json-file"})", R"({"log-opts":{"max-file":"3"}})",
                             R"({"log-opts":{"max-size":"-1"}})"})
        EXPECT_FALSE(bounds(text)) << text;
    const DaemonSettings settings = read_daemon_settings(R"({"dns":["1.1.1.1"],"proxies":{"https-proxy":"http://p","no-proxy":"x"}})");
    EXPECT_THAT(settings.dns, ElementsAre("1.1.1.1"));
    EXPECT_EQ(settings.https_proxy, "http://p");
    EXPECT_EQ(settings.no_proxy, "x");
}

}  // namespace
}  // namespace eflow
