// The table of situations: the machine, the network, and what others write that reaches a person's eyes.

#include "tests/unit/health/situation.hpp"

namespace eflow::testing {

std::vector<Situation> situations_of_machines() {
    using enum Severity;
    const auto reach = [](std::optional<ReachSeen> Observations::*which, ReachSeen seen) -> Change {
        return [=](Observations& all) { all.*which = seen; };
    };
    // [agent.env] makes IoT Edge demand the rest of [agent] too.
    const auto agent_env = [](const std::string& name) {
        return config("[provisioning]\n", "[agent]\nname = \"edgeAgent\"\ntype = \"docker\"\n[agent.config]\nimage = \"a\"\n"
                                          "[agent.env]\n" + name + " = \"http://p:3128\"\n[provisioning]\n");
    };
    const std::string dps = "global.azure-devices-provisioning.net";
    const std::string hub = "plant7.azure-devices.net";
    return {
        {"the clock is not synchronised",
         {[](Observations& seen) {
             seen.clock.value = ClockSeen{false, 16s};
         }},
         running,
         {{"host.clock", warning}},
         {"an error of 16 s"}},
        {"the clock was not seen", {[](Observations& seen) { seen.clock = {}; }}, running, {{"host.clock", skipped}}},
        {"a disk is full",
         {disk("/var/lib/docker", 1000, 3)},
         degraded,
         {{"host.disk-space", failed}},
         {"/var/lib/docker: 3 MiB of 1000 MiB free", "docker system df"}},
        {"a disk is full before the device is registered",
         {unregistered(), disk("/var", 1000, 3)},
         Phase::failed,
         {{"host.disk-space", failed}}},
        {"a disk is full, and docker has failed over it",
         {disk("/var", 1000, 0), given_up("docker", 1), no_engine("docker.service is failed")},
         Phase::failed,
         {{"host.disk-space", failed}, {"services.docker", failed}},
         {"There is no room left"}},
        {"a disk is filling up", {disk("/var/log", 1000, 80)}, running, {{"host.disk-space", warning}}},
        {"a file system without a size", {disk("/proc", 0, 0)}, running, {{"host.disk-space", ok}}},
        {"no disk was seen", {[](Observations& seen) { seen.disks.clear(); }}, running, {{"host.disk-space", skipped}}},
        {"the engine has no settings",
         {daemon_json("")},
         running,
         {{"host.log-rotation", warning}, {"host.dns-server", warning}}},
        {"the engine's settings are no JSON",
         {daemon_json("{")},
         running,
         {{"host.log-rotation", skipped}, {"host.dns-server", skipped}},
         {"it is no JSON object"}},
        {"logs are rotated by size",
         {daemon_json(R"({"log-opts":{"max-size":"10m","max-file":"3"},"dns":["1.1.1.1"]})")},
         running,
         {{"host.log-rotation", ok}},
         {"3 files of 10m"}},
        {"logs are bounded in size and not in number",
         {daemon_json(R"({"log-opts":{"max-size":"10m"},"dns":["1.1.1.1"]})")},
         running,
         {{"host.log-rotation", warning}}},
        {"all use one proxy",
         {proxy("aziot-edged.service", "https_proxy", "http://p:3128"),
          proxy("aziot-identityd.service", "HTTPS_PROXY", "http://p:3128"),
          proxy("docker.service", "HTTPS_PROXY", "http://p:3128"),
          agent_env("https_proxy")},
         running,
         {{"host.proxy-consistent", ok}},
         {"All use the same proxy"}},
        {"all services use one proxy, and edgeAgent none",
         {proxy("aziot-edged.service", "https_proxy", "http://p:3128"),
          proxy("aziot-identityd.service", "https_proxy", "http://p:3128"),
          proxy("docker.service", "https_proxy", "http://p:3128")},
         running,
         {{"host.proxy-consistent", warning}},
         {"edgeAgent: none", "docker.service: one is set"}},
        {"edgeAgent alone has a proxy",
         {agent_env("HTTPS_PROXY")},
         running,
         {{"host.proxy-consistent", warning}},
         {"edgeAgent: one is set"}},
        {"config.toml cannot be read, and the services use one proxy",
         {config_unseen(), proxy("aziot-edged.service", "https_proxy", "http://p:3128"),
          proxy("aziot-identityd.service", "https_proxy", "http://p:3128"),
          proxy("docker.service", "https_proxy", "http://p:3128")},
         running,
         {{"host.proxy-consistent", ok}}},
        {"docker alone lacks the proxy",
         {proxy("aziot-edged.service", "https_proxy", "http://user:secret@p:3128"),
          proxy("aziot-identityd.service", "https_proxy", "http://user:secret@p:3128")},
         running,
         {{"host.proxy-consistent", warning}},
         {"docker.service: none"}},

        {"the cloud was left out",
         {offline()},
         running,
         {{"cloud.resolves", skipped}, {"cloud.dps-reachable", skipped}, {"cloud.hub-reachable", skipped}},
         {"left out with --offline"}},
        {"DPS does not resolve",
         {reach(&Observations::dps, {dps, "", false, false, "Host not found"})},
         degraded,
         {{"cloud.resolves", failed}, {"cloud.dps-reachable", failed}},
         {"Host not found"}},
        {"DPS is behind a closed port",
         {reach(&Observations::dps, {dps, "10.1.2.3", false, false, "timed out"})},
         degraded,
         {{"cloud.resolves", ok}, {"cloud.dps-reachable", failed}},
         {"Open port 443"}},
        {"something inspects TLS",
         {reach(&Observations::hub, {hub, "10.1.2.4", true, false, "self-signed certificate"})},
         degraded,
         {{"cloud.hub-reachable", failed}, {"cloud.dps-reachable", ok}},
         {"an inspecting proxy?"}},
        {"the hub cannot be reached",
         {reach(&Observations::hub, {hub, "10.1.2.4", false, false, "refused"})},
         degraded,
         {{"cloud.hub-reachable", failed}}},
        {"DPS cannot be reached, by the agent's word and identityd's",
         {unregistered(), dps_said("dns error"), reach(&Observations::dps, {dps, "", false, false, "Host not found"})},
         provisioning,
         {{"cloud.resolves", failed}, {"cloud.dps-reachable", failed}, {"cloud.registration", warning}}},

        {"a log steers the terminal",
         {looping("aziot-keyd", 1), unit_log("aziot-keyd.service", {"\x1b[2J\x1b]0;owned\a", "two\nlines",
                                                                    "\xc2\x9b"
                                                                    "31m"})},
         degraded,
         {{"services.aziot-keyd", failed}, {"services.last-error", warning}},
         {"two\nlines"}},
        {"DPS's words steer the terminal",
         {unregistered(), dps_said("\x1b]0;owned\a\r")},
         Phase::failed,
         {{"cloud.registration", failed}},
         {"owned"}},
        {"a module's name and state steer the terminal",
         {ends("SimulatedTemperatureSensor", 3),
          [](Observations& seen) {
              auto& module = seen.containers.value->back();
              seen.memory.ends["a\x1b[31m\nb"] = seen.memory.ends[module.name];
              module.name = "a\x1b[31m\nb";
          }},
         degraded,
         {{"modules.restart-loops", failed}}},
        {"the deployment's line steers the terminal",
         {deployment(500, 60s, "\x1b[31mno\r\n\x7f")},
         degraded,
         {{"modules.deployment", failed}}},
        {"the names in device_info steer the terminal",
         {[](Observations& seen) { (*seen.device_info.value)->hub_name = "hub\x1b[31m"; }},
         running},
    };
}

}  // namespace eflow::testing
