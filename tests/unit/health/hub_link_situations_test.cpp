// The table of situations: edgeAgent's way to its hub, by its own log, and what it says of a deployment.

#include "tests/unit/health/situation.hpp"

namespace eflow::testing {

namespace {

const std::vector<std::string> in_vain_over_amqp{
    "<6> 2026-06-01 11:59:00.000 +00:00 [INF] - Edge agent attempting to connect to IoT Hub via Amqp_Tcp_Only...",
    "<6> 2026-06-01 11:59:20.000 +00:00 [INF] - Edge agent attempting to connect to IoT Hub via Amqp_WebSocket_Only...",
    "<4> 2026-06-01 11:59:40.000 +00:00 [WRN] - Error creating a device-to-cloud connection",
    "System.AggregateException: One or more errors occurred. (Operation timeout expired.) (Unable to connect)",
};
const std::vector<std::string> reached{
    "<6> 2026-06-01 11:59:00.000 +00:00 [INF] - Edge agent attempting to connect to IoT Hub via Amqp_Tcp_Only...",
    "<6> 2026-06-01 11:59:01.000 +00:00 [INF] - Edge agent connected to IoT Hub via Amqp_Tcp_Only.",
};
const std::string nothing_there =
    "<6> 2026-06-01 11:59:02.000 +00:00 [INF] - Deployment config in edge agent's desired properties is empty.";
const std::string empty_config =
    "<4> 2026-06-01 11:59:41.000 +00:00 [WRN] - Empty edge agent config was received. Attempting to read config from backup "
    "(/tmp/edgeAgent/backup.json) instead";

std::vector<std::string> with(std::vector<std::string> lines, const std::vector<std::string>& more) {
    lines.insert(lines.end(), more.begin(), more.end());
    return lines;
}

Change agent_env(const std::string& line) {
    return [=](Observations& seen) {
        seen.config.value->text += "[agent]\nname = \"edgeAgent\"\ntype = \"docker\"\n[agent.config]\nimage = "
                                   "\"mcr.microsoft.com/azureiotedge-agent:1.5\"\n[agent.env]\n" + line + "\n";
    };
}

Change agent_started(std::chrono::seconds before) {
    return module("edgeAgent", [=](ContainerSeen& one) { one.detail->started = ago(before); });
}

}  // namespace

std::vector<Situation> situations_of_hub_link() {
    using enum Severity;
    const auto log_unread = [](Observations& seen) {
        seen.agent_log_why = "/run/docker.sock answered 501: configured logging driver does not support reading";
    };
    return {
        {"edgeAgent has been started, and has said nothing of its hub yet",
         {never_deployed(), agent_says({"2026-06-01 11:59:00 +00:00 Starting Edge Agent"})},
         provisioning,
         {{"modules.edge-agent", ok}, {"modules.deployment", skipped}},
         {"has not said yet that it reached IoT Hub"}},
        {"edgeAgent tries to reach its hub",
         {never_deployed(), agent_says({in_vain_over_amqp.front()})},
         provisioning,
         {{"modules.edge-agent", ok}},
         {"it tries over Amqp_Tcp_Only"}},
        {"edgeAgent is connected, and its twin is not here yet",
         {never_deployed(), agent_says(reached)},
         provisioning,
         {{"modules.edge-agent", ok}},
         {"has not said yet which deployment it has"}},
        {"edgeAgent is connected, and its hub has no deployment",
         {never_deployed(), agent_says(with(reached, {nothing_there}))},
         awaiting_deployment,
         {{"modules.edge-agent", ok}, {"modules.deployment", skipped}, {"modules.edge-hub", skipped}},
         {"edgeAgent has reached IoT Hub", "417"}},
        {"edgeAgent had no configuration for a moment, and then reached its hub",
         {never_deployed(), agent_says(with({empty_config}, with(reached, {nothing_there})))},
         awaiting_deployment,
         {{"modules.edge-agent", ok}}},
        {"edgeAgent cannot reach its hub: nothing answers on either port",
         {never_deployed(), agent_says(with(in_vain_over_amqp, {empty_config, empty_config}))},
         provisioning,
         {{"modules.edge-agent", failed}, {"modules.deployment", skipped}},
         {"edgeAgent cannot reach IoT Hub", "Operation timeout expired", "UpstreamProtocol = \"AmqpWs\"", "https_proxy"}},
        {"edgeAgent cannot reach its hub, and its reconciliation fails for it",
         {never_deployed(),
          agent_says(with(in_vain_over_amqp, {"<4> 2026-06-01 11:59:50.000 +00:00 [WRN] - Reconcile failed because of the an "
                                              "exception"}))},
         provisioning,
         {{"modules.edge-agent", failed}, {"modules.deployment", skipped}},
         {"No deployment could be fetched"}},
        {"edgeAgent reached its hub before it was restarted, and does not now",
         {never_deployed(),
          agent_says(with(with(reached, {nothing_there, "2026-06-01 11:59:30.000 +00:00 Edge Agent Main()"}),
                          in_vain_over_amqp))},
         provisioning,
         {{"modules.edge-agent", failed}}},
        {"edgeAgent reached its hub in an earlier run alone",
         {never_deployed(), agent_started(10s),
          [](Observations& seen) { seen.memory.agent.link = reached_link(1h); }},
         provisioning,
         {{"modules.edge-agent", ok}}},
        {"edgeAgent's one protocol is blocked",
         {never_deployed(),
          agent_says({"[INF] - Edge agent attempting to connect to IoT Hub via Mqtt_Tcp_Only...", empty_config, empty_config,
                      "[INF] - Edge agent attempting to connect to IoT Hub via Mqtt_Tcp_Only..."})},
         provisioning,
         {{"modules.edge-agent", failed}},
         {"last tried over Mqtt_Tcp_Only", "8883"}},
        {"edgeAgent is connected, and its twin cannot be fetched",
         {never_deployed(), agent_says(with(reached, {"[WRN] - Error getting edge agent twin from IoTHub",
                                                      "System.TimeoutException: The operation did not complete"}))},
         provisioning,
         {{"modules.edge-agent", failed}}},
        {"the hub refuses edgeAgent",
         {never_deployed(),
          agent_says(with({in_vain_over_amqp.begin(), in_vain_over_amqp.begin() + 3},
                          {"System.AggregateException: One or more errors occurred. (a) (b)",
                           " ---> Microsoft.Azure.Devices.Client.Exceptions.UnauthorizedException: amqp:unauthorized-access"}))},
         degraded,
         {{"modules.edge-agent", failed}, {"modules.deployment", skipped}},
         {"IoT Hub refuses edgeAgent", "thumbprint"}},
        {"a deployed device is offline",
         {agent_says(in_vain_over_amqp)},
         running,
         {{"modules.edge-agent", warning}},
         {"cannot reach IoT Hub", "run on without it"}},
        {"the hub refuses a deployed device's edgeAgent",
         {agent_says({"[ERR] - Device client threw non-transient exception during setup",
                      "Microsoft.Azure.Devices.Client.Exceptions.UnauthorizedException: CONNECT failed: RefusedNotAuthorized"})},
         degraded,
         {{"modules.edge-agent", failed}},
         {"IoT Hub refuses edgeAgent"}},
        {"edgeAgent's log cannot be read",
         {never_deployed(), agent_says({}), log_unread},
         provisioning,
         {{"modules.edge-agent", warning}, {"modules.deployment", skipped}},
         {"its log cannot be read", "does not support reading", "json-file, local or journald"}},
        {"edgeAgent's log cannot be read, and its deployment runs", {agent_says({}), log_unread}, running},
        {"edgeAgent logs warnings alone",
         {never_deployed(), agent_says({}), agent_env("RuntimeLogLevel = \"Warning\"")},
         provisioning,
         {{"modules.edge-agent", ok}},
         {"it logs only at the level warning"}},
        {"edgeAgent has said nothing of its hub for long",
         {never_deployed(), agent_says({}), agent_started(10min)},
         provisioning,
         {{"modules.edge-agent", warning}}},

        {"a step of the deployment fails, again and again",
         {agent_says({"[INF] - Plan execution started for deployment 22",
                      "[ERR] - Executing command for operation [\"prepareUpdate\"] failed.",
                      "Edgelet.EdgeletCommunicationException- Message:Error calling prepare update: manifest unknown, StatusCode:500",
                      "[ERR] - Step failed in deployment 22. Failure when running command Prepare module weigher. Skipping "
                      "remaining commands in deployment.",
                      "[INF] - Plan execution ended for deployment 22", "[INF] - Plan execution started for deployment 22",
                      "[ERR] - Step previously failed in deployment 22 on prior attempt. Not running command Prepare module "
                      "weigher. Skipping remaining commands in deployment.",
                      "[INF] - Plan execution ended for deployment 22"})},
         degraded,
         {{"modules.deployment", failed}},
         {"500: edgeAgent could not carry out the deployment 22: Prepare module weigher failed", "manifest unknown",
          "registry credentials"}},
        {"the first deployment's step fails",
         {never_deployed(),
          agent_says(with(reached, {"[INF] - Plan execution started for deployment 2",
                                    "[ERR] - Step failed in deployment 2, continuing execution. Failure when running command "
                                    "Create module edgeHub. Will retry in 20 seconds.",
                                    "[INF] - Plan execution ended for deployment 2"}))},
         degraded,
         {{"modules.deployment", failed}},
         {"Create module edgeHub failed"}},
        {"a step of the deployment failed, and has gone through",
         {agent_says({"[ERR] - Step failed in deployment 22, continuing execution. Failure when running command Start module a. "
                      "Will retry in 10 seconds.",
                      "[INF] - Plan execution ended for deployment 22", "[INF] - Plan execution started for deployment 22",
                      "[INF] - Executing command: \"Start module a\"", "[INF] - Plan execution ended for deployment 22"})},
         running,
         {{"modules.deployment", ok}}},
        {"edgeAgent failed to reconcile, and no longer says so",
         {deployment(500, 3min)},
         running,
         {{"modules.deployment", ok}},
         {"has not been repeated since"}},
        {"a device without a deployment failed to reconcile for a moment",
         {never_deployed(), deployment(500, 3min),
          [](Observations& seen) { seen.memory.agent.deployment->before = 417; }},
         awaiting_deployment,
         {{"modules.deployment", skipped}}},

        {"yesterday's refusal, of a configuration that is gone",
         {unregistered(), no_config(), dps_said("Unauthorized")},
         not_provisioned,
         {{"cloud.registration", skipped}}},
        {"a service whose socket does not listen is not called ready",
         {state("aziot-certd", "inactive", "dead"), state("aziot-certd.socket", "failed", "failed", 5min)},
         degraded,
         {{"services.aziot-certd", failed}}},
        {"the cause is told beside the phase, and not the first failure",
         {file_finding(eflow::failed("files.owner-and-mode", "A mode is too wide", "0777", "chmod")),
          given_up("docker", 1), no_engine("docker.service is failed")},
         Phase::failed,
         {{"files.owner-and-mode", failed}, {"services.docker", failed}}},
        {"edgeAgent ends at once: it may not use its directory",
         {never_deployed(),
          agent_says({"2026-06-01 11:59:00 +00:00 Starting Edge Agent",
                      "<0> 2026-06-01 11:59:01.068 +00:00 [FTL] - Fatal error reading the Agent's configuration.",
                      "System.UnauthorizedAccessException: Access to the path '/iotedge/storage/edgeAgent' is denied."}),
          ended("edgeAgent", 1)},
         degraded,
         {{"modules.edge-agent", failed}},
         {"/iotedge/storage/edgeAgent' is denied", "may not use the directory", "13622"}},
        {"edgeAgent ends at once, and nobody knows why",
         {never_deployed(),
          agent_says({"<0> 2026-06-01 11:59:01.068 +00:00 [FTL] - Fatal error starting Agent.",
                      "System.InvalidOperationException: something else"}),
          ended("edgeAgent", 1)},
         degraded,
         {{"modules.edge-agent", failed}},
         {"Fatal error starting Agent", "something else"}},
    };
}

}  // namespace eflow::testing
