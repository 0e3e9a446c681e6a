#include <algorithm>
#include <iterator>

#include "vm-agent/health/check.hpp"

namespace eflow {

namespace {

std::string id_of(std::string_view unit_name) {
    return "services." + std::string(unit_name.substr(0, unit_name.rfind('.')));
}

/// A service that failed, or keeps being restarted. Socket-activated services that are inactive are well.
bool is_failing(const UnitSeen& unit) {
    return unit.active == "failed" || unit.sub == "auto-restart";
}

/// aziot-edged ends with 153 when it has no usable configuration, and systemd leaves it so
/// (aziot-edged/src/error.rs, RestartPreventExitStatus): on a device that nobody has provisioned, or whose first
/// configuration waits to be applied or is being applied, that is how it looks.
bool awaits_configuration(const Observations& seen, const UnitSeen& unit) {
    if (unit.name != "aziot-edged.service" || unit.active != "failed" || unit.exit_status != 153) return false;
    const bool to_be_applied = seen.config.value && !seen.applied.applied && !is_registered(seen);
    const Stamp applied = applied_at(seen);
    const bool to_be_restarted = seen.applied.applied && unit.changed <= applied && is_lately(seen, applied, apply_gap);
    return !is_provisioned(seen) || to_be_applied || to_be_restarted;
}

/// How the main process ended last, in words; empty when it never did.
std::string ending(const UnitSeen& unit) {
    constexpr int killed = 2;
    constexpr int dumped = 3;
    if (unit.exit_code == 0) return {};
    if (unit.exit_code == killed || unit.exit_code == dumped) return explain_exit(128 + unit.exit_status);
    return explain_service_exit(unit.exit_status);
}

/// systemd's word for how it went, where it says more than an exit status does (systemd.exec(5), $SERVICE_RESULT).
std::string meaning_of_result(const std::string& result) {
    if (result == "oom-kill") return " (killed for want of memory)";
    if (result == "timeout") return " (it took too long to start or stop)";
    if (result == "watchdog") return " (it hung, and its watchdog ended it)";
    if (result == "start-limit-hit") return " (it failed so often that systemd gave up)";
    if (result == "resources") return " (systemd lacked the means to run it)";
    return {};
}

std::string state_of(const UnitSeen& unit) {
    std::string text = unit.active + " (" + unit.sub + ")";
    if (is_failing(unit)) {
        text += ", result " + unit.result + meaning_of_result(unit.result);
        if (const std::string end = ending(unit); !end.empty()) text += ", exit " + end;
    }
    return text;
}

/// What systemd said last of a unit, each line on its own.
std::string words_of_systemd(const Observations& seen, const std::string& name) {
    constexpr std::size_t most = 3;
    std::string text;
    const auto known = seen.journals.find(name);
    if (known == seen.journals.end()) return text;
    const auto& lines = known->second;
    for (std::size_t i = lines.size() - std::min(lines.size(), most); i < lines.size(); ++i) text += "\n" + lines[i];
    return text;
}

/// A service that runs, and whose errors keep the device from coming up: what they say of this machine. Those of the cloud
/// are told by cloud.registration, those of images by modules.edge-agent.
const Diagnosis* complaint_of(const Observations& seen, const Reasons& reasons, const UnitSeen& unit) {
    if (unit.active != "active" || !is_provisioned(seen) || is_up(seen)) return nullptr;
    const Diagnosis* found = reasons.of(unit.name);
    return found != nullptr && found->consequence() == Consequence::local ? found : nullptr;
}

/// aziot-edged stands still though the device is provisioned. Moments after it was stopped that is a restart.
Finding judge_stopped_edged(const Observations& seen, const std::string& id, const UnitSeen& unit) {
    const std::string start = "sudo systemctl start aziot-edged.service";
    if (is_lately(seen, unit.changed, restart_gap))
        return warning(id, unit.name + " has just been stopped", state_of(unit),
                       "Wait, if it is being restarted; else: " + start);
    return failed(id, unit.name + " is stopped", state_of(unit), start);
}

Finding judge_aziot(const Observations& seen, const UnitSeen& unit, const Reasons& reasons) {
    const std::string id = id_of(unit.name);
    const std::string state = state_of(unit);
    if (unit.load == "not-found")
        return failed(id, unit.name + " is not installed", "systemd knows no such unit",
                      "Install IoT Edge: aziot-identity-service, aziot-edge and moby-engine.");
    if (unit.load == "masked")
        return failed(id, unit.name + " is masked", "systemd will not start it",
                      "sudo systemctl unmask " + unit.name + "; sudo iotedge system restart");
    if (awaits_configuration(seen, unit))
        return skipped(id, unit.name + " waits for a configuration",
                       state + ": it had none when it was started, as expected before provisioning");
    if (is_failing(unit) && unit.name == "aziot-identityd.service" && reasons.tries_again())
        return warning(id, unit.name + " is started again and again until DPS can be reached",
                       state + ", restarted " + std::to_string(unit.restarts) + " times", "See cloud.registration.");
    if (is_failing(unit)) {
        const Diagnosis* found = reasons.of(unit.name);
        const bool is_known = found != nullptr && found->cause != nullptr && !found->cause->meaning.empty();
        std::string remedy = is_known ? std::string(found->cause->remedy)
                                      : "Read what it says: sudo journalctl -u " + unit.name + " -n 50";
        if (unit.result == "start-limit-hit")
            remedy += "\nThen: sudo systemctl reset-failed " + unit.name + "; sudo iotedge system restart";
        return failed(id, unit.name + " is failing" + (is_known ? ": " + std::string(found->cause->meaning) : ""),
                      state + ", restarted " + std::to_string(unit.restarts) + " times", remedy);
    }
    if (const Diagnosis* found = complaint_of(seen, reasons, unit))
        return failed(id, unit.name + " runs and cannot do its work: " + std::string(found->cause->meaning),
                      state + "\n" + found->unit + " says: " + found->told(), std::string(found->cause->remedy));
    if (const UnitSeen* socket = dead_socket(seen, unit); socket != nullptr && is_provisioned(seen))
        return failed(id, socket->name + " does not listen, so nothing can reach " + unit.name,
                      socket->active + " (" + socket->sub + ")" + words_of_systemd(seen, socket->name),
                      "sudo systemctl reset-failed " + socket->name +
                          "; sudo iotedge system restart\nIf it fails again, correct what systemd names: systemctl cat " +
                          socket->name);
    const bool should_run = is_provisioned(seen) && (seen.applied.applied || !seen.config.value);
    if (unit.name == "aziot-edged.service" && unit.active == "inactive" && should_run)
        return judge_stopped_edged(seen, id, unit);
    return ok(id, unit.name + (unit.active == "inactive" ? " is ready, started on demand" : " is " + unit.active),
              state);
}

/// The engine that config.toml names, where that is not docker.service's: it has to answer, whoever keeps it.
Finding judge_engine_elsewhere(const Observations& seen) {
    constexpr auto id = "services.docker";
    if (!seen.engine.why.empty()) return skipped(id, "The container engine was not asked", seen.engine.why);
    if (seen.containers.value) return ok(id, "The container engine answers", seen.engine.socket);
    if (seen.containers.why.find("ermission denied") != std::string::npos)
        return skipped(id, "The container engine was not asked", seen.containers.why);
    return failed(id, "The container engine that config.toml names does not answer", seen.containers.why,
                  "Start the engine that listens at " + seen.engine.socket +
                      ", or correct uri in [moby_runtime] of config.toml and apply it: sudo iotedge config apply");
}

Finding judge_docker(const Observations& seen, const UnitSeen& unit) {
    constexpr auto id = "services.docker";
    if (unit.load == "not-found") {
        if (seen.containers.value) return ok(id, "The container engine answers", "systemd has no docker.service");
        return failed(id, "There is no container engine", seen.containers.why, "Install moby-engine.");
    }
    if (unit.load == "masked")
        return failed(id, "docker.service is masked", "systemd will not start it",
                      "sudo systemctl unmask docker.service; sudo systemctl start docker.service");
    if (unit.active != "active")
        // Once given up, systemd refuses another start until its count is taken back.
        return failed(id, "docker.service is not running", state_of(unit),
                      std::string(unit.active == "failed" ? "sudo systemctl reset-failed docker.service; " : "") +
                          "sudo systemctl start docker.service; journalctl -u docker.service -n 50");
    if (!seen.containers.value) {
        // Who is not in the group docker cannot tell; a socket that is silent or gone is another matter.
        if (seen.containers.why.find("ermission denied") != std::string::npos)
            return skipped(id, "docker.service is active, and was not asked", seen.containers.why);
        return failed(id, "docker.service is active and does not answer", seen.containers.why,
                      "sudo systemctl restart docker.service");
    }
    return ok(id, "docker.service is active and answers", state_of(unit));
}

/// The cause chain of its last error, or its last lines where nothing in them is one; each on a line of its own.
std::string last_words(const Observations& seen, const Reasons& reasons, const std::string& name) {
    constexpr std::size_t most = 5;
    std::string text;
    const auto add = [&](const std::string& line) { text += "\n  " + line; };
    if (const Diagnosis* found = reasons.of(name)) {
        if (found->unit != name) add("for a reason that " + found->unit + " gives:");
        for (const auto& part : found->record.before) add(part);
        for (const auto& part : found->record.chain) add(part);
        if (found->cause != nullptr) add("That means: " + std::string(found->cause->meaning) + ".");
        return text;
    }
    const auto known = seen.journals.find(name);
    if (known == seen.journals.end()) return {};
    std::vector<std::string> lines;
    std::copy_if(known->second.begin(), known->second.end(), std::back_inserter(lines),
                 [](const std::string& line) { return !is_chatter(line) && !is_notice(line); });
    for (std::size_t i = lines.size() - std::min(lines.size(), most); i < lines.size(); ++i) add(lines[i]);
    return text;
}

Finding judge_last_error(const Observations& seen, const Reasons& reasons) {
    constexpr auto id = "services.last-error";
    std::string detail;
    std::string remedy;
    for (const auto& unit : *seen.units.value) {
        if (!is_failing(unit) || awaits_configuration(seen, unit)) continue;
        const std::string said = last_words(seen, reasons, unit.name);
        if (said.empty()) continue;
        remedy += (remedy.empty() ? "More of it: " : "; ") + std::string("sudo journalctl -u ") + unit.name + " -n 100";
        detail += (detail.empty() ? "" : "\n") + unit.name + ":" + said;
    }
    if (detail.empty()) return ok(id, "No failing service has anything to say");
    return warning(id, "What the failing services said last", detail, remedy);
}

}  // namespace

const UnitSeen* dead_socket(const Observations& seen, const UnitSeen& service) {
    const std::string stem = service.name.substr(0, service.name.rfind('.'));
    for (const auto& one : *seen.units.value) {
        if (!one.name.ends_with(".socket") || !one.name.starts_with(stem + ".") || one.load != "loaded") continue;
        const bool stopped = one.active == "inactive" && !is_lately(seen, one.changed, restart_gap);
        if (stopped || one.active == "failed") return &one;
    }
    return nullptr;
}

bool is_on_demand(const Observations& seen, const UnitSeen& service) {
    const std::string start = service.name.substr(0, service.name.rfind('.')) + ".";
    bool has_one = false;
    for (const auto& one : *seen.units.value) {
        if (!one.name.ends_with(".socket") || !one.name.starts_with(start) || one.load != "loaded") continue;
        has_one = true;
        if (one.active != "active" && one.active != "activating" && !is_lately(seen, one.changed, restart_gap)) return false;
    }
    return has_one;
}

std::vector<std::string> troubled_units(const Observations& seen, const Reasons& reasons) {
    std::vector<std::string> names;
    if (!is_provisioned(seen)) return names;
    if (reasons.registration() != nullptr) names.emplace_back("aziot-identityd.service");
    if (!seen.units.value) return names;
    for (const char* name : aziot_services) {
        const UnitSeen* one = unit(seen, name);
        const bool is_told = !names.empty() && names.front() == name;
        if (one == nullptr || is_told || awaits_configuration(seen, *one)) continue;
        const Diagnosis* found = reasons.of(name);
        const bool has_ended =
            found != nullptr && found->record.form == ErrorRecord::Form::fatal && one->active != "inactive";
        if (is_failing(*one) || has_ended || complaint_of(seen, reasons, *one) != nullptr)
            names.emplace_back(name);
    }
    return names;
}

Finding judge_installation(const Observations& seen) {
    constexpr auto id = "services.installed";
    constexpr auto remedy = "Install the packages aziot-identity-service and aziot-edge, and a container engine (moby-engine).";
    const auto absent = [&](const char* name) {
        const UnitSeen* one = unit(seen, name);
        return one != nullptr && one->load == "not-found";
    };
    std::string missing;
    for (const auto& name : seen.missing_users.value.value_or(std::vector<std::string>{}))
        missing += (missing.empty() ? "" : ", ") + name;
    const bool no_units = absent("aziot-edged.service") && absent("aziot-identityd.service");
    constexpr std::size_t all = 3;
    if (no_units || (seen.missing_users.value && seen.missing_users.value->size() == all))
        return failed(id, "IoT Edge is not installed on this machine",
                      no_units ? "systemd knows neither aziot-edged nor aziot-identityd"
                               : "none of its users is there: " + missing,
                      remedy);
    if (!missing.empty())
        return failed(id, "IoT Edge is not installed whole", "users that its packages make are missing: " + missing,
                      remedy);
    if (!seen.missing_users.value)
        return skipped(id, "Whether IoT Edge is installed was not seen", seen.missing_users.why);
    return ok(id, "IoT Edge is installed");
}

Findings judge_services_area(const Observations& seen, const Reasons& reasons) {
    Findings findings;
    if (!seen.units.value) {
        for (const char* name : aziot_services)
            findings.push_back(skipped(id_of(name), "Not looked at", seen.units.why));
        for (const char* id : {"services.docker", "services.restarts", "services.last-error"})
            findings.push_back(skipped(id, "Not looked at", seen.units.why));
        return findings;
    }
    for (const char* name : aziot_services)
        if (const UnitSeen* seen_unit = unit(seen, name)) findings.push_back(judge_aziot(seen, *seen_unit, reasons));
    if (!seen.engine.is_default)
        findings.push_back(judge_engine_elsewhere(seen));
    else if (const UnitSeen* docker = unit(seen, docker_service))
        findings.push_back(judge_docker(seen, *docker));
    findings.push_back(judge_restarts(seen, reasons));
    findings.push_back(judge_last_error(seen, reasons));
    return findings;
}

}  // namespace eflow
