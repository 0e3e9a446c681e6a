#include <algorithm>

#include "vm-agent/health/check.hpp"

namespace eflow {

namespace {

constexpr auto not_deployed_words =
    "The portal shows 417 -- The device's deployment configuration is not set, and iotedge check says Could not check "
    "current state of edgeHub container; both are normal until a deployment exists.";

std::string ended(const ContainerSeen& module) {
    if (!module.detail || module.state == "running") return module.status;
    std::string text = "exit " + explain_exit(module.detail->exit_code);
    if (module.detail->oom_killed) text += "; the kernel killed it for want of memory";
    return text + " (" + module.status + ")";
}

bool hub_was_here(const Observations& seen) {
    return seen.memory.hub_has_run || (seen.memory.deployment && seen.memory.deployment->code == 200);
}

/// aziot-edged started moments ago, and the module has ended because edged stops them all; not by itself.
bool is_on_its_way_back(const Observations& seen, const std::string& name) {
    if (!in_grace(seen)) return false;
    const UnitSeen* edged = unit(seen, "aziot-edged.service");
    const auto ends = seen.memory.ends.find(name);
    if (ends != seen.memory.ends.end() && !ends->second.empty() && ends->second.back() > edged->changed) return false;
    // Asked to stop, a process ends with 0 or by SIGTERM or, after its time, SIGKILL.
    const ContainerSeen* module = container(seen, name);
    if (module == nullptr || !module->detail) return true;
    const int code = module->detail->exit_code;
    return code == 0 || code == 143 || code == 137;
}

Finding judge_agent(const Observations& seen) {
    constexpr auto id = "modules.edge-agent";
    const ContainerSeen* agent = container(seen, "edgeAgent");
    const std::string logs = "Read what it says: docker logs --tail 50 edgeAgent";
    if (agent == nullptr) {
        if (!is_provisioned(seen) || !seen.device_info.value || !*seen.device_info.value || in_grace(seen))
            return skipped(id, "edgeAgent has not been created yet",
                           "aziot-edged creates it once the device has its identity");
        return failed(id, "edgeAgent is gone", "the device is provisioned, and there is no container edgeAgent",
                      "aziot-edged creates it within a minute; if not: journalctl -u aziot-edged -n 50");
    }
    if (agent->state == "running") {
        if (agent->detail && agent->detail->health == "unhealthy")
            return failed(id, "edgeAgent runs and is unhealthy", agent->status, logs);
        return ok(id, "edgeAgent is running", agent->status);
    }
    if (is_on_its_way_back(seen, "edgeAgent"))
        return warning(id, "edgeAgent is not running, moments after aziot-edged started", ended(*agent),
                       "Wait: aziot-edged stops all modules when it starts, and starts edgeAgent within a minute.");
    return failed(id, "edgeAgent is not running", ended(*agent), logs);
}

Finding judge_hub(const Observations& seen) {
    constexpr auto id = "modules.edge-hub";
    const ContainerSeen* hub = container(seen, "edgeHub");
    const std::string logs = "Read what it says: docker logs --tail 50 edgeHub; docker logs --tail 50 edgeAgent";
    if (hub == nullptr) {
        if (hub_was_here(seen))
            return failed(id, "edgeHub is gone, and it has run before", "there is no container edgeHub",
                          "edgeAgent creates it again when the deployment has it: docker logs --tail 50 edgeAgent");
        return skipped(id, "edgeHub has not been created yet, as expected before the first deployment",
                       not_deployed_words);
    }
    if (hub->state == "running") {
        if (hub->detail && hub->detail->health == "unhealthy")
            return failed(id, "edgeHub runs and is unhealthy", hub->status, logs);
        return ok(id, "edgeHub is running", hub->status);
    }
    if (hub->state == "created")
        return warning(id, "edgeHub has been created and not started yet", hub->status,
                       "Wait: edgeAgent starts it within seconds.");
    if (hub->state == "restarting")
        return warning(id, "edgeHub is being restarted", ended(*hub), logs);
    if (is_on_its_way_back(seen, "edgeHub"))
        return warning(id, "edgeHub is not running, moments after aziot-edged started", ended(*hub),
                       "Wait: aziot-edged stops all modules when it starts, and edgeAgent brings them back.");
    return failed(id, "edgeHub is not running", ended(*hub), logs);
}

Finding judge_storage(const Observations& seen) {
    constexpr auto id = "modules.edge-hub-storage";
    std::string detail;
    bool looked = false;
    for (const char* name : {"edgeAgent", "edgeHub"}) {
        const ContainerSeen* module = container(seen, name);
        if (module == nullptr || !module->detail) continue;
        looked = true;
        const std::string folder =
            (module->detail->storage_folder.empty() ? "/tmp" : module->detail->storage_folder) + "/" + name;
        const auto& mounts = module->detail->mounts;
        const bool outside = std::any_of(mounts.begin(), mounts.end(), [&](const std::string& mount) {
            return folder == mount || folder.starts_with(mount.ends_with('/') ? mount : mount + "/");
        });
        if (!outside) detail += (detail.empty() ? "" : "\n") + std::string(name) + " keeps " + folder + " inside its container";
    }
    if (!looked) return skipped(id, "Neither edgeAgent nor edgeHub was there to be looked at", "");
    if (detail.empty()) return ok(id, "edgeAgent and edgeHub keep their state outside their containers");
    return warning(id, "State would be lost with its container", detail,
                   "Bind a folder of the host in createOptions and name it in storageFolder: "
                   "https://aka.ms/iotedge-prod-checklist-storage");
}

Finding judge_loops(const Observations& seen) {
    constexpr auto id = "modules.restart-loops";
    std::string detail;
    for (const auto& module : *seen.containers.value) {
        const std::size_t ends = seen.memory.recent_ends(module.name, Stamp(seen.now));
        const bool restarting = module.state == "restarting" || (module.detail && module.detail->restart_count >= Memory::loop &&
                                                                 module.detail->started > Stamp(seen.now) - Memory::window);
        if (ends < Memory::loop && !restarting) continue;
        detail += (detail.empty() ? "" : "\n") + module.name + ": " +
                  (ends >= Memory::loop ? std::to_string(ends) + " ends in ten minutes" : module.status);
        if (module.detail) detail += ", last exit " + explain_exit(module.detail->exit_code);
    }
    if (detail.empty()) return ok(id, "No module ends again and again");
    return failed(id, "A module ends and is restarted, again and again", detail,
                  "Read what it says before it ends: docker logs --tail 100 MODULE");
}

Finding judge_deployment(const Observations& seen) {
    constexpr auto id = "modules.deployment";
    if (!seen.memory.deployment) {
        if (const ContainerSeen* hub = container(seen, "edgeHub"); hub != nullptr && hub->state == "running")
            return ok(id, "A deployment has been carried out: edgeHub runs");
        return skipped(id, "edgeAgent has said nothing about a deployment yet", "406 until its first word");
    }
    const Deployment& deployment = *seen.memory.deployment;
    const std::string agent_logs = "docker logs --tail 100 edgeAgent says more.";
    switch (deployment.code) {
        case 200: return ok(id, "200: the deployment has been carried out", deployment.text);
        case 0: return ok(id, "A deployment is being carried out", deployment.text);
        case 417:
            return skipped(id, "417: no deployment has been made for this device yet, as expected on a new one",
                           not_deployed_words);
        case 400:
            return failed(id, "400: the deployment manifest is not valid", deployment.text,
                          "Correct the manifest in IoT Hub (Set modules); " + agent_logs);
        case 412:
            return failed(id, "412: the manifest's schema version is not one that this edgeAgent knows", deployment.text,
                          "Use a schema version of 1.0 or 1.1, or a newer edgeAgent.");
        case 500: return failed(id, "500: edgeAgent could not carry out the deployment", deployment.text, agent_logs);
        default: return skipped(id, std::to_string(deployment.code) + ": not known yet", deployment.text);
    }
}

}  // namespace

Findings judge_modules_area(const Observations& seen) {
    if (!seen.containers.value) {
        Findings findings;
        for (const char* id : {"modules.edge-agent", "modules.edge-hub", "modules.edge-hub-storage",
                               "modules.restart-loops", "modules.deployment"})
            findings.push_back(skipped(id, "The modules were not looked at", seen.containers.why));
        return findings;
    }
    return {judge_agent(seen), judge_hub(seen), judge_storage(seen), judge_loops(seen), judge_deployment(seen)};
}

}  // namespace eflow
