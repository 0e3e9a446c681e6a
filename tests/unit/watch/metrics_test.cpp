#include "vm-agent/watch/metrics.hpp"

#include <regex>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/failure.hpp"
#include "tests/unit/health/situation.hpp"
#include "vm-agent/config/watch_settings.hpp"
#include "vm-agent/health/horizon.hpp"

namespace eflow::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string metrics_of(const Observations& seen, MetricsFormat format) {
    return to_metrics(seen, judge(seen), {11, 22, 33, 44, 55}, format);
}

/// A reader of the text format, strict on what the formats demand: HELP and TYPE before a family's samples, each family
/// once and in one piece, no sample twice, label values escaped.
struct Families {
    explicit Families(const std::string& text, bool openmetrics) {
        EXPECT_TRUE(text.ends_with('\n'));
        std::istringstream lines(text);
        std::string current;
        std::string type;
        const std::regex sample(
            R"re(([a-z_][a-z0-9_]*)(\{([a-z_]+="([^"\\\n]|\\["\\n])*"(,[a-z_]+="([^"\\\n]|\\["\\n])*")*)\})? (-?[0-9.]+))re");
        bool ended = false;
        for (std::string line; std::getline(lines, line);) {
            EXPECT_FALSE(ended) << "after the end: " << line;
            if (line == "# EOF") {
                ended = true;
            } else if (line.starts_with("# HELP ")) {
                current = line.substr(7, line.find(' ', 7) - 7);
                EXPECT_TRUE(names.insert(current).second) << current << " is not in one piece";
            } else if (line.starts_with("# TYPE ")) {
                EXPECT_EQ(line.substr(7, line.find(' ', 7) - 7), current);
                type = line.substr(line.rfind(' ') + 1);
            } else {
                std::smatch parts;
                if (!std::regex_match(line, parts, sample)) {
                    ADD_FAILURE() << "no sample: " << line;
                    continue;
                }
                const std::string name = parts[1];
                EXPECT_EQ(name, openmetrics && type == "counter" ? current + "_total" : current) << line;
                EXPECT_TRUE(samples.emplace(name + std::string(parts[2]), std::stod(parts[7])).second) << line;
            }
        }
        EXPECT_EQ(ended, openmetrics);
    }
    std::set<std::string> names;
    std::map<std::string, double> samples;
};

TEST(Metrics, AreWellFormedInBothFormats) {
    for (const bool openmetrics : {true, false}) {
        const Families families(
            metrics_of(healthy_device(), openmetrics ? MetricsFormat::openmetrics : MetricsFormat::prometheus),
            openmetrics);
        EXPECT_EQ(families.samples.at(R"(eflow_phase{phase="running"})"), 1);
        EXPECT_EQ(families.samples.at(R"(eflow_phase{phase="failed"})"), 0);
        EXPECT_EQ(families.samples.at(R"(eflow_check_failed{id="modules.edge-hub"})"), 0);
        EXPECT_EQ(families.samples.at(R"(eflow_unit_active{unit="aziot-edged.service"})"), 1);
        EXPECT_EQ(families.samples.at(R"(eflow_module_running{module="edgeHub"})"), 1);
        EXPECT_EQ(families.samples.at("eflow_deployment_status"), 200);
        EXPECT_EQ(families.samples.at(R"(eflow_watch_events_total{source="units"})"), 11);
        EXPECT_EQ(families.samples.at(R"(eflow_watch_events_total{source="files"})"), 33);
        EXPECT_EQ(families.samples.at("eflow_watch_judgements_total"), 44);
        EXPECT_EQ(families.samples.at("eflow_watch_reconnects_total"), 55);
        EXPECT_EQ(families.names.count(openmetrics ? "eflow_watch_events" : "eflow_watch_events_total"), 1U);
    }
}

TEST(Metrics, AreWellFormedWhateverIsUnseen) {
    const std::vector<Change> changes{below_root(),
                                      config_unseen(),
                                      no_config(),
                                      unregistered(),
                                      never_deployed(),
                                      no_systemd("no bus"),
                                      no_engine("silent"),
                                      [](Observations& seen) { seen = Observations{}; },
                                      [](Observations& seen) {
                                          seen.certificate = Sight<FileSeen>::of({true, "garbage"});
                                      },
                                      leaf([](Wish& wish) { wish.common_name = "plant \"7\"\\\n\xc3\xa9"; })};
    for (const auto& change : changes) {
        Observations seen = healthy_device();
        change(seen);
        Families(metrics_of(seen, MetricsFormat::openmetrics), true);
        Families(metrics_of(seen, MetricsFormat::prometheus), false);
    }
}

TEST(Metrics, TellFailuresAndWarnings) {
    Observations seen = healthy_device();
    ended("edgeHub", 137)(seen);
    expires_in(std::chrono::hours(24 * 6) + 1s)(seen);
    looping("aziot-keyd", 1, false, 4)(seen);
    const Families families(metrics_of(seen, MetricsFormat::prometheus), false);
    EXPECT_EQ(families.samples.at(R"(eflow_phase{phase="degraded"})"), 1);
    EXPECT_EQ(families.samples.at(R"(eflow_check_failed{id="modules.edge-hub"})"), 1);
    EXPECT_EQ(families.samples.at(R"(eflow_check_failed{id="identity.expires-soon"})"), 0.5);
    EXPECT_EQ(families.samples.at("eflow_certificate_expiry_timestamp_seconds"), first_expiry(seen)->time_since_epoch().count());
    EXPECT_EQ(families.samples.at(R"(eflow_unit_restarts{unit="aziot-keyd.service"})"), 4);
    EXPECT_EQ(families.samples.at(R"(eflow_module_running{module="edgeHub"})"), 0);
}

TEST(Metrics, EscapeWhatOthersNamed) {
    Observations seen = healthy_device();
    seen.containers.value->back().name = "a\"b\\c\nd";
    const std::string text = metrics_of(seen, MetricsFormat::openmetrics);
    EXPECT_THAT(text, HasSubstr(R"(eflow_module_running{module="a\"b\\c\nd"} 1)"));
    Families(text, true);
}

class Settings : public ::testing::Test {
protected:
    static std::string refusal(const std::string& text) {
        try {
            parse_watch_settings(text);
        } catch (const Failure& failure) {
            EXPECT_EQ(failure.code(), ExitCode::refused);
            EXPECT_FALSE(failure.remedy().empty()) << text;
            return failure.what() + (" -> " + failure.remedy());
        }
        ADD_FAILURE() << "not refused: " << text;
        return {};
    }
    static WatchSettings listen(const std::string& address) {
        return parse_watch_settings("schema = 1\n[metrics]\nlisten = \"" + address + "\"\n");
    }
};

TEST_F(Settings, AreReadStrictly) {
    EXPECT_EQ(parse_watch_settings("schema = 1\n"), WatchSettings{});
    const auto settings = parse_watch_settings(
        "schema = 1\n[metrics]\nlisten = \"127.0.0.1:9619\"\ntextfile = \"/var/lib/node_exporter/eflow.prom\"\n");
    EXPECT_EQ(settings.metrics_listen, "127.0.0.1:9619");
    EXPECT_EQ(settings.metrics_textfile, "/var/lib/node_exporter/eflow.prom");
    EXPECT_THAT(refusal("schema = 1\n[metrics]\nlistne = \"127.0.0.1:1\"\n"),
                HasSubstr("Did you mean metrics.listen?"));
    EXPECT_THAT(refusal("schema = 1\nmetric = 1\n"), HasSubstr("Did you mean metrics?"));
    for (const char* text :
         {"", "schema = 2", "schema = \"1\"", "[metrics]\n", "schema = 1\nmetrics = 3\n", "schema = 1\nschema = 1\n",
          "schema = 1\n[metrics]\nlisten = 9619\n", "schema = 1\n[metrics]\ntextfile = \"x.prom\"\n",
          "schema = 1\n[metrics]\ntextfile = \"/x.txt\"\n", "schema", "\xff"})
        refusal(text);
}

TEST_F(Settings, ListenOnLoopbackAlone) {
    for (const char* address : {"127.0.0.1:1", "localhost:9619", "[::1]:65535", "unix:/run/eflow-agent/metrics.sock"})
        EXPECT_EQ(listen(address).metrics_listen, address);
    for (const std::string& address :
         {std::string("0.0.0.0:9619"), std::string("[::]:9619"), std::string("192.168.1.2:9619"),
          std::string("127.0.0.1"), std::string("127.0.0.1:0"), std::string("127.0.0.1:65536"),
          std::string("127.0.0.1:-1"), std::string("127.0.0.1: 1"), std::string("127.0.0.1:1x"),
          std::string("unix:relative"), std::string("unix:"), std::string("example.org:80"),
          "unix:/" + std::string(108, 'a')})
        refusal("schema = 1\n[metrics]\nlisten = \"" + address + "\"\n");
    EXPECT_EQ(parse_metrics_address("[::1]:9619").host, "::1");
    EXPECT_EQ(parse_metrics_address("localhost:9619").host, "127.0.0.1");
    EXPECT_EQ(parse_metrics_address("localhost:9619").port, 9619);
    EXPECT_EQ(parse_metrics_address("unix:/run/x.sock").unix_path, "/run/x.sock");
}

}  // namespace
}  // namespace eflow::testing
