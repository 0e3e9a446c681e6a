#include <algorithm>
#include <optional>

#include "shared/links.hpp"
#include "vm-agent/health/agent_causes.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/health/hub_link.hpp"
#include "vm-agent/health/restarts.hpp"
#include "vm-agent/health/summary.hpp"

namespace eflow {

namespace {

std::string ended(const ContainerSeen& module) {
    if (!module.detail || module.state == "running") return module.status;
    std::string text = "exit " + explain_exit(module.detail->exit_code);
    if (module.detail->oom_killed) text += "; the kernel killed it for want of memory";
    if (!module.detail->error.empty()) text += "; the container engine says: " + module.detail->error;
    return text + " (" + module.status + ")";
}

std::string log_of(const std::string& name) {
    return "docker logs --tail 50 " + name;
}

bool agent_was_here(const Observations& seen) {
    return seen.memory.agent_has_run || seen.memory.agent.deployment || was_deployed(seen);
}

/// aziot-edged starts no module before the device has its identity.
bool awaits_identity(const Observations& seen) {
    return seen.device_info.value && !is_registered(seen);
}

/// aziot-edged restarts, and the module has ended because edged stops them all; not by itself.
bool is_on_its_way_back(const Observations& seen, const ContainerSeen& module) {
    if (!in_grace(seen)) return false;
    const auto ends = seen.memory.ends.find(module.name);
    const Stamp began = unit(seen, "aziot-edged.service")->changed;
    if (ends != seen.memory.ends.end() && !ends->second.empty() && ends->second.back() > began) return false;
    // Asked to stop, a process ends with 0 or by SIGTERM or, after its time, SIGKILL.
    if (!module.detail) return true;
    const int code = module.detail->exit_code;
    return code == 0 || code == 143 || code == 137;
}

/// Stopped as edgeAgent stops a module that it is about to replace.
bool is_replaced(const Observations& seen, const ContainerSeen& module) {
    constexpr int terminated = 143;
    return module.name == "edgeHub" && is_deploying(seen) && module.state == "exited" && module.detail &&
           (module.detail->exit_code == 0 || module.detail->exit_code == terminated);
}

/// edgeAgent or edgeHub, whose container is there. `keeper` is who starts it.
Finding judge_runtime(const Observations& seen, const char* id, const ContainerSeen& module,
                      const std::string& keeper) {
    const std::string& name = module.name;
    const std::string logs = "Read what it says: " + log_of(name);
    if (module.state == "running") {
        if (module.detail && module.detail->health == "unhealthy")
            return failed(id, name + " runs and is unhealthy", module.status, logs);
        if (name == "edgeAgent") return judge_hub_link(seen, module);
        return ok(id, name + " is running", module.status);
    }
    if (module.state == "created") {
        const bool refused = module.detail && (module.detail->exit_code != 0 || !module.detail->error.empty());
        if (refused)
            return failed(id, name + " cannot be started", ended(module),
                          "Mend what the container engine names (a port in use, a folder that is not there): docker "
                          "inspect " +
                              name);
        return warning(id, name + " has been created and not started yet", module.status,
                       "Wait: " + keeper + " starts it.");
    }
    if (module.state == "paused")
        return failed(id, name + " is paused", "it keeps its memory and does nothing (" + module.status + ")",
                      "docker unpause " + name);
    if (module.state == "removing")
        return warning(id, name + " is being removed", module.status, "Wait: " + keeper + " creates it anew.");
    if (module.state == "restarting") return warning(id, name + " is being restarted", ended(module), logs);
    if (awaits_identity(seen))
        return warning(id, name + " waits for the device's identity", ended(module),
                       "Wait: aziot-edged starts no module before identityd has it; see cloud.registration.");
    if (is_on_its_way_back(seen, module))
        return warning(id, name + " is not running while aziot-edged restarts", ended(module),
                       "Wait: aziot-edged stops all modules when it starts, and they are back within a minute.");
    if (is_replaced(seen, module))
        return warning(id, name + " has been stopped for a deployment", ended(module),
                       "Wait: " + keeper + " replaces it.");
    if (const std::string& last = seen.memory.agent.ending; name == "edgeAgent" && !last.empty()) {
        const AgentCause* cause = agent_cause_of(last);
        return failed(id, name + " is not running" + (cause != nullptr ? ": " + std::string(cause->meaning) : ""),
                      ended(module) + "\nIt said last: " + last,
                      cause != nullptr ? std::string(cause->remedy) + "; then: sudo iotedge system restart" : logs);
    }
    return failed(id, name + " is not running", ended(module), logs);
}

/// Why aziot-edged does not bring edgeAgent up, in its words; nothing while it runs, or says itself why it ends.
std::optional<Finding> reason_of_edged(const Observations& seen, const Reasons& reasons, const char* id) {
    const ContainerSeen* agent = container(seen, "edgeAgent");
    if (!is_registered(seen)) return std::nullopt;
    if (agent != nullptr && (agent->state == "running" || !seen.memory.agent.ending.empty())) return std::nullopt;
    const Diagnosis* found = reasons.of("aziot-edged.service");
    if (found == nullptr || found->cause == nullptr || found->cause->meaning.empty()) return std::nullopt;
    return failed(id, "aziot-edged cannot bring up edgeAgent: " + std::string(found->cause->meaning),
                  found->unit + " says: " + found->told(), std::string(found->cause->remedy));
}

Finding judge_agent(const Observations& seen, const Reasons& reasons) {
    constexpr auto id = "modules.edge-agent";
    if (auto reason = reason_of_edged(seen, reasons, id)) return *reason;
    if (const ContainerSeen* agent = container(seen, "edgeAgent"))
        return judge_runtime(seen, id, *agent, "aziot-edged");
    if (!is_provisioned(seen) || !is_registered(seen))
        return skipped(id, "edgeAgent has not been created yet",
                       "aziot-edged creates it once the device has its identity");
    if (in_grace(seen)) return skipped(id, "edgeAgent has not been created yet", "aziot-edged has just been started");
    const std::string edged_log = "journalctl -u aziot-edged -n 50";
    if (agent_was_here(seen))
        return failed(id, "edgeAgent is gone", "it has run before, and there is no container edgeAgent",
                      "aziot-edged creates it anew within a minute; if not: " + edged_log);
    const UnitSeen* edged = unit(seen, "aziot-edged.service");
    if (edged != nullptr && edged->active == "active" && !is_lately(seen, edged->changed, fetch_patience))
        return failed(id, "edgeAgent could not be created", "aziot-edged has run for more than half an hour without it",
                      "Its image cannot be fetched? " + edged_log);
    return warning(id, "edgeAgent has not been created yet",
                   "aziot-edged fetches its image first, as long as that takes",
                   "Wait. Whether the registry, its name and the proxy are right, aziot-edged says: " + edged_log);
}

Finding judge_hub(const Observations& seen) {
    constexpr auto id = "modules.edge-hub";
    if (const ContainerSeen* hub = container(seen, "edgeHub")) return judge_runtime(seen, id, *hub, "edgeAgent");
    if (is_deploying(seen)) {
        if (was_deployed(seen))
            return warning(id, "edgeHub is being replaced by a deployment", "there is no container edgeHub right now",
                           "Wait: edgeAgent creates it anew once it has the image: docker logs -f edgeAgent");
        return skipped(id, "edgeHub is being deployed", "edgeAgent creates it once it has the image");
    }
    if (awaits_identity(seen) || !was_deployed(seen))
        return skipped(id, "edgeHub has not been created yet, as expected before the first deployment",
                       not_deployed_words);
    if (const auto deployment = deployment_now(seen); deployment && deployment->code == 417)
        return failed(id, "edgeHub is gone; it has run before, and this device has no deployment any more",
                      "there is no container edgeHub, and edgeAgent says 417: the configuration is empty",
                      "Create a deployment for this device in IoT Hub: Set modules.");
    return failed(id, "edgeHub is gone, and it has run before", "there is no container edgeHub",
                  "edgeAgent creates it again when the deployment has it; what it says: " + log_of("edgeAgent"));
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
        if (!outside)
            detail += (detail.empty() ? "" : "\n") + std::string(name) + " keeps " + folder + " inside its container";
    }
    if (!looked) return skipped(id, "Neither edgeAgent nor edgeHub was there to be looked at", "");
    if (detail.empty()) return ok(id, "edgeAgent and edgeHub keep their state outside their containers");
    return warning(id, "State would be lost with its container", detail,
                   std::string("Bind a directory of the host in createOptions and name it in storageFolder: ") +
                       links::storage);
}

Finding judge_loops(const Observations& seen) {
    constexpr auto id = "modules.restart-loops";
    std::string detail;
    std::string over;
    std::string remedy;
    for (const auto& module : *seen.containers.value) {
        // What else runs on this engine is not the device's.
        if (!module.is_module() && module.name != "edgeAgent" && module.name != "edgeHub") continue;
        const Restarts restarts = restarts_of(seen, module);
        if (!restarts.looping) {
            if (restarts.since)
                over += (over.empty() ? "" : "\n") + module.name + ": recovered at " +
                        to_text(std::chrono::floor<std::chrono::seconds>(*restarts.since)) + " after " +
                        std::to_string(restarts.ends) + " ends";
            continue;
        }
        detail += (detail.empty() ? "" : "\n") + module.name + ": " +
                  (restarts.remembered ? std::to_string(restarts.ends) + " ends in ten minutes" : module.status);
        if (module.detail) detail += ", last exit " + explain_exit(module.detail->exit_code);
        remedy += (remedy.empty() ? "Read what it says before it ends: " : "; ") + log_of(module.name);
    }
    if (detail.empty()) return ok(id, "No module ends again and again", over);
    return failed(id, "A module ends and is restarted, again and again", detail, remedy);
}

}  // namespace

Findings judge_modules_area(const Observations& seen, const Reasons& reasons) {
    if (!seen.containers.value) {
        Findings findings;
        for (const char* id : {"modules.edge-agent", "modules.edge-hub", "modules.edge-hub-storage",
                               "modules.restart-loops", "modules.deployment"})
            findings.push_back(skipped(id, "The modules were not looked at", seen.containers.why));
        return findings;
    }
    return {judge_agent(seen, reasons), judge_hub(seen), judge_storage(seen), judge_loops(seen), judge_deployment(seen)};
}

}  // namespace eflow
