// edgeAgent's log as upstream writes it at level info (edge-agent/src), line by line.

#include "vm-agent/health/agent_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/health/situation.hpp"
#include "vm-agent/health/agent_causes.hpp"

namespace eflow::testing {
namespace {

using State = HubLink::State;

std::string info(const std::string& text) {
    return "<6> 2026-06-01 12:00:00.123 +00:00 [INF] - " + text;
}

std::string warn(const std::string& text) {
    return "<4> 2026-06-01 12:00:00.123 +00:00 [WRN] - " + text;
}

std::string error(const std::string& text) {
    return "<3> 2026-06-01 12:00:00.123 +00:00 [ERR] - " + text;
}

AgentSaid heard(const std::vector<std::string>& lines) {
    AgentSaid said;
    for (const auto& line : lines) said.hear(line, ago(1min));
    return said;
}

const std::vector<std::string> start_of_a_good_device{
    "2026-06-01 12:00:00 +00:00 Starting Edge Agent",
    "2026-06-01 12:00:00 +00:00 Changing ownership of storage folder: /tmp/edgeAgent to 13622",
    "2026-06-01 12:00:00 +00:00 Completed necessary setup. Starting Edge Agent.",
    "2026-06-01 12:00:01.000 +00:00 Edge Agent Main()",
    info("Initializing Edge Agent."),
    info("Version - 1.5.21.89541267 (c2a9ea7ed3f5e8e4d5b0f9ab0c2ad8bd2a5f1c33)"),
    info("Starting metrics listener on Host: *, Port: 9600, Suffix: metrics"),
    info("Edge agent attempting to connect to IoT Hub via Amqp_Tcp_Only..."),
    info("Edge agent connected to IoT Hub via Amqp_Tcp_Only."),
    info("Initialized new module client with subscriptions enabled"),
    info("Obtained Edge agent twin from IoTHub with desired properties version 1 and reported properties version 1."),
    info("Deployment config in edge agent's desired properties is empty."),
    error("Error refreshing edge agent configuration from twin."),
    "Microsoft.Azure.Devices.Edge.Agent.Core.ConfigSources.ConfigEmptyException: This device has an empty configuration.",
    "   at Microsoft.Azure.Devices.Edge.Agent.IoTHub.EdgeAgentConnection.UpdateDeploymentConfig(TwinCollection d)",
    info("Updated reported properties"),
};

TEST(AgentLogs, OfAFreshGoodDeviceShowTheHubAndNoDeployment) {
    const AgentSaid said = heard(start_of_a_good_device);
    EXPECT_EQ(said.link.state, State::reached);
    EXPECT_EQ(said.link.transport, "Amqp_Tcp_Only");
    ASSERT_TRUE(said.deployment);
    EXPECT_EQ(said.deployment->code, 417);
}

TEST(AgentLogs, ShowTheHubByTheFirstWordThatNeedsOne) {
    for (const char* text : {"Edge agent connected to IoT Hub via Mqtt_WebSocket_Only.",
                             "Initialized new module client with subscriptions enabled",
                             "Obtained Edge agent twin from IoTHub with desired properties version 3 and reported 7.",
                             "Updated reported properties", "Received direct method call - ping",
                             "Deployment config in edge agent's desired properties is empty."})
        EXPECT_EQ(heard({info(text)}).link.state, State::reached) << text;
    for (const char* text : {"Initializing Edge Agent.", "Started operation refresh twin config",
                             "Edge agent attempting to connect to IoT Hub via Amqp_Tcp_Only...",
                             "Plan execution ended for deployment 4", "Registering request handler ping"})
        EXPECT_NE(heard({info(text)}).link.state, State::reached) << text;
}

TEST(AgentLogs, AtLevelErrorShowAnEmptyTwinByItsException) {
    const AgentSaid said = heard({start_of_a_good_device.begin() + 12, start_of_a_good_device.begin() + 15});
    EXPECT_EQ(said.link.state, State::reached);
    EXPECT_EQ(said.deployment->code, 417);
    EXPECT_EQ(heard({error("Error refreshing edge agent configuration from twin."), "System.TimeoutException: x"}).link.state,
              State::silent)
        << "other exceptions show nothing";
}

TEST(AgentLogs, OfBothTransportsFailingSayThatTheHubIsOutOfReach) {
    const AgentSaid said = heard({
        info("Edge agent attempting to connect to IoT Hub via Amqp_Tcp_Only..."),
        info("Edge agent attempting to connect to IoT Hub via Amqp_WebSocket_Only..."),
        warn("Error creating a device-to-cloud connection"),
        "System.AggregateException: One or more errors occurred. (Transient network error occurred, please retry.)",
        " ---> Microsoft.Azure.Devices.Client.Exceptions.IotHubCommunicationException: Transient network error occurred",
        " ---> System.Net.Sockets.SocketException (00000005, 0xFFFDFFFF): Name or service not known",
        "   at System.Net.Dns.GetHostEntryOrAddressesCore(String hostName)",
        warn("Empty edge agent config was received. Attempting to read config from backup (/tmp/b.json) instead"),
    });
    EXPECT_EQ(said.link.state, State::in_vain);
    EXPECT_THAT(said.link.reason, ::testing::HasSubstr("Name or service not known"));
    EXPECT_THAT(std::string(agent_cause_of(said.link.reason)->meaning), ::testing::HasSubstr("does not resolve"));
    EXPECT_FALSE(said.deployment) << "nothing was fetched";
}

TEST(AgentLogs, OfOneTransportFailInSilence) {
    // With UpstreamProtocol set no warning is written (ModuleClientProvider.cs:200); the next attempt tells.
    const std::string attempt = info("Edge agent attempting to connect to IoT Hub via Mqtt_Tcp_Only...");
    const std::string empty = warn("Empty edge agent config was received. Attempting to read config from backup (b) instead");
    EXPECT_EQ(heard({attempt, empty}).link.state, State::trying);
    const AgentSaid said = heard({attempt, empty, empty, attempt, empty, attempt});
    EXPECT_EQ(said.link.state, State::in_vain);
    EXPECT_EQ(said.link.failures, 2U);
    EXPECT_EQ(heard({attempt, attempt, info("Edge agent connected to IoT Hub via Mqtt_Tcp_Only.")}).link.state,
              State::reached);
}

TEST(AgentLogs, WithoutAConfigurationForAMinuteSaySo) {
    std::vector<std::string> lines(5, warn("Empty edge agent config was received. Attempting to read config from b instead"));
    EXPECT_EQ(heard(lines).link.state, State::silent);
    lines.push_back(lines.front());
    EXPECT_EQ(heard(lines).link.state, State::in_vain);
}

TEST(AgentLogs, TellARefusalByItsException) {
    for (const char* below : {" ---> Microsoft.Azure.Devices.Client.Exceptions.UnauthorizedException: CONNECT failed",
                              "System.Net.WebSockets.WebSocketException: The server returned status code '401' when '101'",
                              " ---> Microsoft.Azure.Devices.Client.Exceptions.DeviceNotFoundException: amqp:not-found"}) {
        const AgentSaid said = heard({warn("Error creating a device-to-cloud connection"),
                                      "System.AggregateException: One or more errors occurred. (x) (y)", below});
        EXPECT_EQ(said.link.state, State::refused) << below;
    }
    const AgentSaid denied = heard({error("Device client threw non-transient exception during setup"),
                                    "System.UnauthorizedAccessException: Access to the path '/x' is denied."});
    EXPECT_EQ(denied.link.state, State::in_vain) << "a file is no hub";
}

TEST(AgentLogs, ShowTheHubAnewAfterEachStart) {
    AgentSaid said = heard(start_of_a_good_device);
    said.hear("2026-06-01 13:00:00.000 +00:00 Edge Agent Main()", ago(10s));
    EXPECT_EQ(said.link.state, State::silent);
    EXPECT_EQ(said.deployment->code, 417) << "what it found there is still known";
    said.hear(info("Edge agent attempting to connect to IoT Hub via Amqp_Tcp_Only..."), ago(9s));
    EXPECT_FALSE(said.link.is_shown());
}

TEST(AgentLogs, LoseNoHubByConnectingAgain) {
    AgentSaid said = heard(start_of_a_good_device);
    said.hear(info("Current module client closed. Initializing a new one"), ago(10s));
    said.hear(info("Edge agent attempting to connect to IoT Hub via Amqp_Tcp_Only..."), ago(9s));
    EXPECT_TRUE(said.link.is_shown());
    said.hear(info("Edge agent attempting to connect to IoT Hub via Amqp_WebSocket_Only..."), ago(8s));
    said.hear(warn("Error creating a device-to-cloud connection"), ago(7s));
    EXPECT_FALSE(said.link.is_shown());
}

TEST(AgentLogs, TellTheDeploymentsStatus) {
    const std::vector<std::pair<std::string, int>> lines{
        {"Reconcile failed because of invalid schema", 412},
        {"Reconcile failed because of invalid configuration format", 400},
        {"Reconcile failed because of the an exception", 500},
        {"Plan execution started for deployment 12", 0},
        {"Plan execution ended for deployment 12", 200},
    };
    for (const auto& [text, code] : lines) {
        const auto read = heard({"before", info(text), "Executing command: \"Command Group: (...)\""}).deployment;
        ASSERT_TRUE(read) << text;
        EXPECT_EQ(read->code, code) << text;
        EXPECT_EQ(read->text, info(text));
        EXPECT_EQ(heard({text}).deployment->code, code) << "without what stands before it";
    }
    EXPECT_FALSE(heard({}).deployment);
    EXPECT_LE(heard({lines[0].first + std::string(100'000, 'x')}).deployment->text.size(), 1000U);
}

TEST(AgentLogs, DoNotTakeAPlansEndForSuccess) {
    const std::string began = info("Plan execution started for deployment 22");
    const std::string done = info("Plan execution ended for deployment 22");
    const std::string executing = info("Executing command: \"Prepare module weigher\"");
    std::vector<std::string> lines{
        began,
        executing,
        error("Executing command for operation [\"prepareUpdate\"] failed."),
        "Microsoft.Azure.Devices.Edge.Agent.Edgelet.EdgeletCommunicationException- Message:Error calling prepare update for "
        "module weigher: manifest unknown, StatusCode:500, at:   at Edgelet.Execute()",
        "   at Microsoft.Azure.Devices.Edge.Agent.Core.LoggingCommandFactory.ExecuteAsync(CancellationToken token)",
        error("Step failed in deployment 22, continuing execution. Failure when running command Prepare module weigher. "
              "Will retry in 20 seconds."),
        done,
        error("Edge agent plan execution failed."),
        "System.AggregateException: One or more errors occurred. (...)",
        warn("Reconcile failed because of the an exception"),
        "System.AggregateException: One or more errors occurred. (...)",
    };
    const auto expect_failed = [&](const char* when) {
        const auto read = heard(lines).deployment;
        ASSERT_TRUE(read) << when;
        EXPECT_EQ(read->code, 500) << when;
        EXPECT_EQ(read->number, 22) << when;
        ASSERT_EQ(read->steps.size(), 1U) << when;
        EXPECT_EQ(read->steps[0].command, "Prepare module weigher") << when;
        EXPECT_EQ(read->steps[0].reason, "Error calling prepare update for module weigher: manifest unknown") << when;
    };
    expect_failed("right after it");
    lines.insert(lines.end(), {began, done, began, done});
    expect_failed("while the step rests, plans begin and end without a word");
    lines.insert(lines.end(), {began, error("Step previously failed in deployment 22 on prior attempt. Not running command "
                                            "Prepare module weigher. Skipping remaining commands in deployment."),
                               done});
    expect_failed("and pass it over");
    lines.insert(lines.end(), {began, warn("Skipping command \"Prepare module weigher\" in deployment 22. Error: x. Command "
                                           "has been tried 20 times. Giving up (max run count is 20)."),
                               done});
    expect_failed("and give it up");
    lines.insert(lines.end(), {began, executing, done});
    EXPECT_EQ(heard(lines).deployment->code, 200) << "it has gone through";
    lines.erase(lines.end() - 3, lines.end());
    lines.insert(lines.end(), {info("Plan execution started for deployment 23")});
    EXPECT_EQ(heard(lines).deployment->code, 0) << "another deployment";
    lines.push_back(info("Plan execution ended for deployment 23"));
    EXPECT_EQ(heard(lines).deployment->code, 200);
}

TEST(AgentLogs, NameEveryStepThatFailed) {
    std::vector<std::string> lines{info("Plan execution started for deployment 5")};
    for (const char* command : {"Start module a", "Create module b"})
        lines.push_back(error("Step failed in deployment 5, continuing execution. Failure when running command " +
                              std::string(command) + ". Will retry in 10 seconds."));
    lines.push_back(info("Plan execution ended for deployment 5"));
    EXPECT_EQ(heard(lines).deployment->steps.size(), 2U);
    lines.insert(lines.end(), {info("Plan execution started for deployment 5"), info("Executing command: \"Start module a\""),
                               info("Plan execution ended for deployment 5")});
    const auto read = heard(lines).deployment;
    EXPECT_EQ(read->code, 500);
    ASSERT_EQ(read->steps.size(), 1U) << "one has gone through";
    EXPECT_EQ(read->steps[0].command, "Create module b");
}

TEST(AgentLogs, NameTheCommandsOfAGroup) {
    const std::string group = "Command Group: (";
    std::vector<std::string> lines{
        info("Plan execution started for deployment 5"),
        error("Step failed in deployment 5, continuing execution. Failure when running command " + group),
        "  [Create module thermostat]",
        "  [Start module thermostat]",
        "). Will retry in 10 seconds.",
        info("Plan execution ended for deployment 5"),
    };
    const auto read = heard(lines).deployment;
    ASSERT_EQ(read->steps.size(), 1U);
    EXPECT_EQ(read->steps[0].command, "Create module thermostat, Start module thermostat");
    lines.insert(lines.end(), {info("Plan execution started for deployment 5"), info("Executing command: \"" + group),
                               "  [Create module thermostat]", "  [Start module thermostat]", ")\"",
                               info("Executing command: \"Create module thermostat\""),
                               info("Executing command: \"Start module thermostat\""),
                               info("Plan execution ended for deployment 5")});
    EXPECT_EQ(heard(lines).deployment->code, 200);
}

TEST(AgentLogs, CountARepeatedFailureAndTellItOnce) {
    AgentSaid said;
    const std::vector<std::string> round{
        info("Plan execution started for deployment 22"),
        error("Step failed in deployment 22, continuing execution. Failure when running command Start module weigher."),
        info("Plan execution ended for deployment 22"), warn("Reconcile failed because of the an exception")};
    for (const auto& line : round) said.hear(line, ago(10min));
    for (int i = 0; i < 20; ++i)
        for (const auto& line : round) EXPECT_THAT(said.hear(line, ago(9min)), ::testing::AnyOf(Heard::again, Heard::nothing));
    EXPECT_EQ(said.deployment->steps.front().failures, 21U);
    EXPECT_EQ(said.deployment->at, ago(10min));
    EXPECT_EQ(said.deployment->last, ago(9min));
}

TEST(AgentLogs, StartAfreshWithEdgeAgent) {
    AgentSaid said = heard({warn("Reconcile failed because of the an exception")});
    said.begin();
    EXPECT_FALSE(said.deployment) << "it is tried again within seconds";
    said = heard({info("Plan execution started for deployment 22")});
    said.begin();
    EXPECT_FALSE(said.deployment);
    said = heard({info("Plan execution ended for deployment 22")});
    said.begin();
    EXPECT_EQ(said.deployment->code, 200);
    EXPECT_FALSE(heard({info("Plan execution started for deployment -1"), info("Plan execution ended for deployment -1")})
                     .deployment)
        << "the plan that stops all modules as edgeAgent ends";
}

TEST(AgentLogs, TellWhatEdgeAgentEndsWith) {
    const AgentSaid said = heard({
        "2026-06-01 12:00:00 +00:00 Starting Edge Agent",
        "<0> 2026-06-01 12:00:01.068 +00:00 [FTL] - Fatal error reading the Agent's configuration.",
        "System.UnauthorizedAccessException: Access to the path '/iotedge/storage/edgeAgent' is denied.",
        " ---> System.IO.IOException: Permission denied",
        "   --- End of inner exception stack trace ---",
    });
    EXPECT_THAT(said.ending, ::testing::HasSubstr("Access to the path '/iotedge/storage/edgeAgent' is denied"));
    AgentSaid later = said;
    later.hear(info("Edge agent connected to IoT Hub via Amqp_Tcp_Only."), ago(1s));
    EXPECT_TRUE(later.ending.empty()) << "it has got past that";
}

TEST(AgentLogs, OfNonsenseAreHarmless) {
    AgentSaid said;
    for (const std::string& line :
         {std::string(), std::string("<"), std::string("<6>"), std::string("] - "), std::string(1'000'000, '('),
          std::string("Step failed in deployment "), std::string("Plan execution started for deployment x"),
          std::string("Step failed in deployment 99999999999999999999999. Failure when running command ("),
          std::string("["), std::string("\xff\xfe\0", 3)})
        EXPECT_NO_THROW(said.hear(line, {}));
    for (int i = 0; i < 5000; ++i)
        said.hear("Step failed in deployment 5. Failure when running command Start module m" + std::to_string(i), {});
    EXPECT_LE(said.deployment->steps.size(), 20U);
}

}  // namespace
}  // namespace eflow::testing
