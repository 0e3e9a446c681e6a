#include "vm-agent/health/hub_link.hpp"

#include <algorithm>
#include <cctype>

#include "vm-agent/config/material.hpp"
#include "vm-agent/health/agent_causes.hpp"
#include "vm-agent/health/check.hpp"

namespace eflow {

namespace {

/// A line is written a moment before the engine says that the container has started.
constexpr std::chrono::seconds slack{5};
constexpr std::chrono::minutes long_silence{5};

const ContainerSeen* running_agent(const Observations& seen) {
    const ContainerSeen* agent = container(seen, "edgeAgent");
    return agent != nullptr && agent->state == "running" ? agent : nullptr;
}

/// What was said by edgeAgent since its container was started last.
bool is_of_this_run(const ContainerSeen& agent, Stamp at) {
    return !agent.detail || agent.detail->started == Stamp{} || at == Stamp{} || at + slack >= agent.detail->started;
}

/// An environment variable that config.toml gives edgeAgent, in lower case; names compare without regard to it (.NET's
/// configuration).
std::string agent_variable(const Observations& seen, std::string_view name) {
    if (!seen.config.value || !seen.config.value->present) return {};
    const auto lower = [](std::string text) {
        std::transform(text.begin(), text.end(), text.begin(), [](unsigned char one) { return std::tolower(one); });
        return text;
    };
    for (const auto& [key, value] : read_material(seen.config.value->text).agent_env)
        if (lower(key) == name) return lower(value);
    return {};
}

std::string hub_of(const Observations& seen) {
    const bool known = seen.device_info.value && *seen.device_info.value;
    return known ? (*seen.device_info.value)->hub_name : "IoT Hub";
}

std::string words_of(const HubLink& link) {
    std::string text = link.reason.empty() ? link.text : link.text + "\n" + link.reason;
    if (!link.transport.empty()) text += "\nlast tried over " + link.transport;
    if (link.failures > 1) text += ", " + std::to_string(link.failures) + " times in vain";
    return text;
}

Finding judge_failing_link(const Observations& seen) {
    constexpr auto id = "modules.edge-agent";
    const HubLink& link = seen.memory.agent.link;
    const AgentCause* cause = agent_cause_of(link.reason);
    const std::string because = cause != nullptr        ? ": " + std::string(cause->meaning)
                                : !link.reason.empty() ? ": " + link.reason
                                                       : "";
    const std::string remedy =
        cause != nullptr ? std::string(cause->remedy)
                         : "Open the port of its protocol to " + hub_of(seen) +
                               " (5671 for AMQP, 8883 for MQTT, 443 over WebSockets: UpstreamProtocol in [agent.env]), or "
                               "set https_proxy there; eflow-agent check tries the port.";
    if (link.state == HubLink::State::refused)
        return failed(id, "IoT Hub refuses edgeAgent" + because, words_of(link), remedy);
    if (was_deployed(seen))
        return warning(id, "edgeAgent runs, and cannot reach IoT Hub" + because,
                       words_of(link) + "\nIts modules run on without it.", remedy);
    return failed(id, "edgeAgent cannot reach IoT Hub" + because, words_of(link), remedy);
}

bool is_failure(int code) {
    return code == 400 || code == 412 || code == 500;
}

/// After so long without a repetition a failure is over. A step that failed may be at work for as long as an image takes.
std::chrono::seconds repeats_within(const Deployment& deployment) {
    return deployment.steps.empty() ? std::chrono::minutes(2) : std::chrono::minutes(10);
}

Finding judge_failed_deployment(const Deployment& deployment, const std::string& logs) {
    constexpr auto id = "modules.deployment";
    const std::string which = deployment.number > 0 ? " " + std::to_string(deployment.number) : "";
    if (deployment.steps.empty())
        return failed(id, "500: edgeAgent could not carry out the deployment" + which,
                      deployment.text + (deployment.reason.empty() ? "" : "\n" + deployment.reason), logs);
    std::string detail;
    for (const auto& step : deployment.steps) {
        detail += (detail.empty() ? "" : "\n") + step.command;
        if (step.failures > 1) detail += " (failed " + std::to_string(step.failures) + " times)";
        if (!step.reason.empty()) detail += ": " + step.reason;
    }
    const bool is_fetched = detail.find("Prepare module") != std::string::npos;
    return failed(id,
                  "500: edgeAgent could not carry out the deployment" + which + ": " + deployment.steps.front().command +
                      " failed" +
                      (deployment.steps.size() > 1 ? ", and " + std::to_string(deployment.steps.size() - 1) + " more" : ""),
                  detail,
                  (is_fetched ? "Its image cannot be fetched? Compare name, tag and registry credentials in the deployment; "
                              : "Correct the module in the deployment (its createOptions, ports and mounts); ") +
                      logs);
}

}  // namespace

bool was_deployed(const Observations& seen) {
    const auto& deployment = seen.memory.agent.deployment;
    return seen.memory.hub_has_run || (deployment && deployment->code == 200) || container(seen, "edgeHub") != nullptr;
}

bool has_reached_hub(const Observations& seen) {
    const ContainerSeen* agent = running_agent(seen);
    const HubLink& link = seen.memory.agent.link;
    return agent != nullptr && link.is_shown() && is_of_this_run(*agent, link.at);
}

bool fails_to_reach_hub(const Observations& seen) {
    const ContainerSeen* agent = running_agent(seen);
    const HubLink& link = seen.memory.agent.link;
    return agent != nullptr && link.fails() && is_of_this_run(*agent, link.at);
}

std::optional<Stamp> silence_over_at(const Observations& seen) {
    const ContainerSeen* agent = running_agent(seen);
    if (agent == nullptr || !agent->detail || agent->detail->started == Stamp{}) return std::nullopt;
    if (was_deployed(seen) || has_reached_hub(seen) || fails_to_reach_hub(seen)) return std::nullopt;
    return agent->detail->started + long_silence;
}

Missing what_is_missing(const Observations& seen) {
    if (!seen.agent_log_why.empty())
        return {"whether edgeAgent has reached IoT Hub cannot be seen: its log cannot be read (" + seen.agent_log_why + ")",
                "Look at the device in IoT Hub: 417 there is as expected. To see it here, use a log driver that can be "
                "read (json-file, local or journald) in /etc/docker/daemon.json."};
    const std::string level = agent_variable(seen, "runtimeloglevel");
    if (level == "warning" || level == "error" || level == "fatal")
        return {"whether edgeAgent has reached IoT Hub cannot be seen: it logs only at the level " + level,
                "Look at the device in IoT Hub: 417 there is as expected. To see it here, set RuntimeLogLevel = \"info\" in "
                "[agent.env] of config.toml, and apply it: sudo iotedge config apply"};
    const HubLink& link = seen.memory.agent.link;
    if (has_reached_hub(seen))
        return {"edgeAgent has reached IoT Hub and has not said yet which deployment it has",
                "Wait; docker logs -f edgeAgent shows it."};
    if (link.state == HubLink::State::trying && !link.transport.empty())
        return {"edgeAgent runs and has not reached IoT Hub yet (it tries over " + link.transport + ")",
                "Wait; docker logs -f edgeAgent shows it."};
    return {"edgeAgent runs and has not said yet that it reached IoT Hub", "Wait; docker logs -f edgeAgent shows it."};
}

Finding judge_hub_link(const Observations& seen, const ContainerSeen& agent) {
    constexpr auto id = "modules.edge-agent";
    if (fails_to_reach_hub(seen)) return judge_failing_link(seen);
    if (has_reached_hub(seen) || was_deployed(seen)) return ok(id, "edgeAgent is running", agent.status);
    const Missing missing = what_is_missing(seen);
    const auto limit = silence_over_at(seen);
    const bool is_long = limit && Stamp(seen.now) > *limit;
    if (!seen.agent_log_why.empty() || is_long) return warning(id, "edgeAgent is running; " + missing.what, agent.status, missing.remedy);
    return ok(id, "edgeAgent is running, and has not reached IoT Hub yet", agent.status);
}

std::optional<Stamp> deployment_over_at(const Observations& seen) {
    const auto& deployment = seen.memory.agent.deployment;
    if (!deployment || !is_failure(deployment->code) || running_agent(seen) == nullptr) return std::nullopt;
    const Stamp last = std::max(deployment->last, deployment->at);
    if (last == Stamp{} || !seen.agent_log_why.empty()) return std::nullopt;
    return last + repeats_within(*deployment);
}

std::optional<Deployment> deployment_now(const Observations& seen) {
    const auto& deployment = seen.memory.agent.deployment;
    const auto over = deployment_over_at(seen);
    if (!over || Stamp(seen.now) <= *over) return deployment;
    Deployment now;
    now.code = deployment->before == 406 && was_deployed(seen) ? 200 : deployment->before;
    now.text = std::to_string(deployment->code) + " was said before, and has not been repeated since";
    now.at = std::max(deployment->last, deployment->at);
    now.number = deployment->number;
    return now;
}

Finding judge_deployment(const Observations& seen) {
    constexpr auto id = "modules.deployment";
    const auto deployment = deployment_now(seen);
    if (!was_deployed(seen) && fails_to_reach_hub(seen) && (!deployment || deployment->steps.empty()))
        return skipped(id, "No deployment could be fetched: edgeAgent cannot reach IoT Hub", "see modules.edge-agent");
    if (!deployment) {
        if (const ContainerSeen* hub = container(seen, "edgeHub"); hub != nullptr && hub->state == "running")
            return ok(id, "A deployment has been carried out: edgeHub runs");
        return skipped(id, "edgeAgent has said nothing about a deployment yet", "406 until its first word");
    }
    const std::string agent_logs = "docker logs --tail 100 edgeAgent says more.";
    switch (deployment->code) {
        case 200: return ok(id, "200: the deployment has been carried out", deployment->text);
        case 0:
            if (is_deploying(seen)) return ok(id, "A deployment is being carried out", deployment->text);
            return warning(id, "A deployment has been under way for more than half an hour", deployment->text,
                           "Its images cannot be fetched? " + agent_logs);
        case 417:
            if (container(seen, "edgeHub") != nullptr)
                return warning(id,
                               "417: the deployment of this device has been taken away; its modules stay as they are",
                               deployment->text, "Create a deployment for this device in IoT Hub: Set modules.");
            return skipped(id, "417: no deployment has been made for this device yet, as expected on a new one",
                           not_deployed_words);
        case 400:
            return failed(id, "400: the deployment manifest is not valid", deployment->text,
                          "Correct the manifest in IoT Hub (Set modules); " + agent_logs);
        case 412:
            return failed(id, "412: the manifest's schema version is not one that this edgeAgent knows",
                          deployment->text, "Use a schema version of 1.0 or 1.1, or a newer edgeAgent.");
        case 500: return judge_failed_deployment(*deployment, agent_logs);
        default: return skipped(id, "406: edgeAgent has not said yet how it goes", deployment->text);
    }
}

}  // namespace eflow
