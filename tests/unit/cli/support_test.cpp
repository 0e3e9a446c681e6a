#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm-agent/cli/support_html.hpp"
#include "vm-agent/cli/support_redact.hpp"

namespace eflow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Instant now{std::chrono::seconds(1'780'000'000)};
constexpr auto hostile = "</title></style><script>alert(1)</script>\"'><img src=x onerror=y>&\x01\x80";

CertificateFacts certificate(const std::string& name, const std::string& issuer, int days_left) {
    CertificateFacts facts;
    facts.subject = "CN=" + name;
    facts.issuer = "CN=" + issuer;
    facts.common_name = name;
    facts.not_before = now - std::chrono::days(100);
    facts.not_after = now + std::chrono::days(days_left);
    facts.days_left = days_left;
    facts.key = "EC P-256";
    return facts;
}

TEST(Escaped, EveryCharacterThatMeansSomething) {
    EXPECT_EQ(escaped("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    EXPECT_EQ(escaped(std::string_view("a\0b\x1b[31m\x7f\n", 10)), "a b [31m \n");
    EXPECT_EQ(escaped("ä€😀"), "ä€😀");
    EXPECT_EQ(escaped("\x80 \xc3 \xc0\xaf \xed\xa0\x80"),
              "\xef\xbf\xbd \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(SupportPage, NothingHostileBecomesMarkup) {
    SupportPage page;
    page.host = page.version = page.certificate_path = hostile;
    page.now = now;
    page.report.phase = Phase::failed;
    page.report.findings = {failed(hostile, hostile, hostile, hostile), ok(hostile, hostile),
                            skipped(hostile, hostile, hostile)};
    page.report.data = {{"because", hostile},
                        {"next", hostile},
                        {"hub", {{"device_id", hostile}, {"hub_name", hostile}}},
                        {"identity", {{"common_name", hostile}, {"days_left", 3}}},
                        {"provisioning", {{"id_scope", hostile}}}};
    page.chain = {certificate(hostile, hostile, 3)};
    page.chain.front().key = page.chain.front().signature = page.chain.front().sha256 = hostile;
    page.history = {{Stamp(now), "phase", hostile, hostile, hostile, hostile},
                    {Stamp(now), "finding", hostile, "ok", "failed", hostile},
                    {Stamp(now), "unit", hostile, hostile, hostile, hostile}};
    UnitSeen unit;
    unit.name = unit.active = unit.sub = unit.result = hostile;
    page.units = Sight<std::vector<UnitSeen>>::of({unit});
    ContainerSeen container{hostile, hostile, hostile, hostile, {}, {}, {}};
    page.containers = Sight<std::vector<ContainerSeen>>::of({container});
    page.disks = {{hostile, 10, 5}};
    page.facts = {{hostile, hostile}, {"Operating system", hostile}};
    page.entries = {{hostile, 1}};
    page.missing = {{hostile, hostile}};
    const std::string html = support_page(page);
    for (const char* bad : {"<script", "<img", "onerror=y>", "\x01", "\x80<"}) EXPECT_THAT(html, Not(HasSubstr(bad)));
    EXPECT_THAT(html, HasSubstr("&lt;script&gt;"));
    EXPECT_EQ(html.find("</style>"), html.rfind("</style>"));
}

TEST(SupportPage, AnEmptyOneSaysWhatIsNotThere) {
    SupportPage page;
    page.units = Sight<std::vector<UnitSeen>>::unseen("no bus");
    page.no_chain = "no certificate file is known";
    const std::string html = support_page(page);
    for (const char* told :
         {"Not seen: no bus", "no certificate file is known", "There is no history", "Nothing needs attention"})
        EXPECT_THAT(html, HasSubstr(told));
    for (const char* outside : {"http-equiv=\"refresh", "src=", "href=", "url(", "@import", "<script"})
        EXPECT_THAT(html, Not(HasSubstr(outside)));
}

TEST(Chain, SaysWhatExpiresAndWhoseIssuerIsNotThere) {
    const std::string open =
        draw_chain({certificate("device", "plant CA", 5), certificate("plant CA", "root", 400)}, now);
    for (const char* told : {"device", "5 days left", "400 days left", "CN=root", "fill-bad", "fill-good"})
        EXPECT_THAT(open, HasSubstr(told));
    const std::string closed = draw_chain({certificate("device", "root", -2), certificate("root", "root", 4000)}, now);
    EXPECT_THAT(closed, HasSubstr("expired 2 days ago"));
    EXPECT_THAT(closed, Not(HasSubstr("its issuer is not in the file")));
    EXPECT_EQ(draw_chain({}, now), "");
}

TEST(Timeline, PhasesAndWhatWasNotWell) {
    const Stamp at(now - std::chrono::hours(5));
    const std::string drawing =
        draw_timeline({{at, "phase", "phase", "running", "degraded", "why"},
                       {at + std::chrono::hours(1), "finding", "modules.edge-hub", "ok", "failed", "gone"},
                       {at + std::chrono::hours(2), "finding", "modules.edge-hub", "failed", "ok", "back"},
                       {at + std::chrono::hours(2), "phase", "phase", "degraded", "running", ""}},
                      Phase::running, now);
    for (const char* told : {"running", "degraded", "modules.edge-hub", "fill-bad", "fill-warn", "fill-good"})
        EXPECT_THAT(drawing, HasSubstr(told));
    EXPECT_EQ(draw_timeline({}, Phase::running, now), "");
}

TEST(Inspection, KeepsWhatHelpsAndNoSecret) {
    const auto inspection = nlohmann::json::parse(R"({
        "Id": "0123456789ab", "Name": "/filter", "Args": ["PLANTED"], "Path": "PLANTED", "State": {"Status": "exited", "ExitCode": 137,
        "Health": {"Status": "unhealthy", "Log": [{"Output": "PLANTED"}]}},
        "Config": {"Env": ["DB=PLANTED01", "IOTEDGE_DEVICEID=device-1", "https_proxy=http://u:PLANTED02@p:1", "PLANTED", 7],
                   "Cmd": ["run", "--key", "PLANTED"], "Entrypoint": ["PLANTED"], "Image": "example/filter:1",
                   "Labels": {"net.azure-devices.edge.owner": "Microsoft.Azure.Devices.Edge.Agent",
                              "net.azure-devices.edge.env": "{\"DB\":\"PLANTED\"}", "net.azure-devices.edge.create-options": "PLANTED"}},
        "HostConfig": {"Binds": ["/srv:/srv"], "LogConfig": {"Type": "splunk", "Config": {"splunk-token": "PLANTED"}}},
        "Mounts": [{"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": true}],
        "NetworkSettings": {"Networks": {"azure-iot-edge": {"IPAddress": "172.18.0.2"}}}})");
    Scrubber scrubber;
    const std::string shown = redacted_inspection(inspection, scrubber).dump();
    EXPECT_THAT(shown, Not(HasSubstr("PLANTED"))) << shown;
    for (const char* stays : {"DB=***", "IOTEDGE_DEVICEID=device-1", "***@p:1", "137", "unhealthy", "/srv",
                              "172.18.0.2", "splunk", "3 words"})
        EXPECT_THAT(shown, HasSubstr(stays));
    EXPECT_EQ(scrubber.clean("a log that says PLANTED01 and PLANTED02"), "a log that says *** and ***");
    for (const char* odd :
         {"{}", "[]", "null", "{\"Config\":[],\"State\":1,\"HostConfig\":\"x\",\"Mounts\":{},\"NetworkSettings\":7}"})
        EXPECT_TRUE(redacted_inspection(nlohmann::json::parse(odd), scrubber).is_object()) << odd;
}

TEST(Properties, TheEnvironmentOfAUnit) {
    Scrubber scrubber;
    const std::string shown = redacted_properties(
        "Id=aziot-edged.service\nEnvironment=https_proxy=http://u:PLANTED01@proxy:1 \"KEY=PLANTED02 with blank\" "
        "AZIOT_LOG=debug\n",
        scrubber);
    EXPECT_EQ(shown, "Id=aziot-edged.service\nEnvironment=https_proxy=http://***@proxy:1 KEY=*** AZIOT_LOG=debug\n");
    EXPECT_EQ(scrubber.clean("PLANTED02 with blank"), "***");
}

TEST(Scrubbed, StringsAndWhatSecretNamesHold) {
    Scrubber scrubber;
    scrubber.know("a\"quoted secret");
    const auto shown = scrubbed(nlohmann::json{{"text", "has a\"quoted secret in it"},
                                               {"password", 7},
                                               {"list", {"token=PLANTED"}},
                                               {"tokens", {{"x", 1}}}},
                                scrubber);
    EXPECT_EQ(shown.dump(), R"({"list":["token=***"],"password":"***","text":"has *** in it","tokens":{"x":1}})");
}

}  // namespace
}  // namespace eflow
