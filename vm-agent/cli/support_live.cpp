#include <algorithm>
#include <chrono>
#include <set>

#include "shared/failure.hpp"
#include "shared/json_text.hpp"
#include "vm-agent/cli/style.hpp"
#include "vm-agent/cli/support_redact.hpp"
#include "vm-agent/cli/support_sources.hpp"
#include "vm-agent/machine/containers.hpp"
#include "vm-agent/machine/journal.hpp"
#include "vm-agent/machine/observe.hpp"
#include "vm-agent/machine/process.hpp"

namespace eflow {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto engine_patience = 3s;
constexpr auto engine_time = 40s;      // for all modules together: a hanging engine is waited for once or twice
constexpr auto journal_patience = 4s;  // a unit
constexpr auto systemctl_patience = 10s;
constexpr std::size_t journal_lines = 2000;
constexpr std::size_t log_lines = 1000;
constexpr std::size_t most_modules = 64;
constexpr std::size_t longest_read = 16 * 1024;
constexpr auto agent_unit = "eflow-agent.service";

std::string pretty(const json& document) {
    return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

bool is_id(const std::string& id) {
    return id.size() >= 12 && id.size() <= 64 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// A folder's name of a container's, which an engine could have made anything.
std::string folder_of(const ContainerSeen& one, std::set<std::string>& taken) {
    constexpr std::size_t longest = 60;
    std::string name;
    for (const char c : one.name.substr(0, longest)) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                           c == '-' || (c == '.' && !name.empty());
        name += plain ? c : '_';
    }
    if (name.empty()) name = "unnamed";
    while (!taken.insert(name).second) name += "_";
    return "modules/" + name;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += line + "\n";
    return text;
}

}  // namespace

void gather_units(const Observations& seen, Gathered& bundle) {
    if (!seen.units.value) bundle.miss("units", seen.units.why);
    std::vector<std::string> command{
        "/usr/bin/systemctl", "show", "--no-pager",
        "--property=Id,LoadState,ActiveState,SubState,Result,UnitFileState,UnitFilePreset,FragmentPath,DropInPaths,"
        "NRestarts,"
        "ExecMainCode,ExecMainStatus,ExecMainStartTimestamp,ExecMainExitTimestamp,MainPID,ActiveEnterTimestamp,"
        "InactiveEnterTimestamp,StateChangeTimestamp,ConditionResult,NeedDaemonReload,MemoryCurrent,TasksCurrent,"
        "CPUUsageNSec,Restart,RestartUSec,StatusText,User,Group,Environment,Listen,TriggeredBy,Triggers,Requires"};
    for (const auto& unit : watched_units()) command.push_back(unit);
    command.emplace_back(agent_unit);
    try {
        constexpr std::size_t most = 1024 * 1024;
        const ProcessResult shown = run_process(command, systemctl_patience, most);
        if (shown.timed_out)
            bundle.miss("units/properties.txt", "systemctl did not answer in time");
        else if (shown.exit_code != 0)
            bundle.miss("units/properties.txt", "systemctl: " + shown.output.substr(0, 300));
        else
            bundle.add("units/properties.txt", redacted_properties(shown.output, bundle.scrubber));
    } catch (const Failure& failure) {
        bundle.miss("units/properties.txt", failure.what());
    }
}

void gather_journals(Gathered& bundle) {
    std::vector<std::string> units(aziot_services.begin(), aziot_services.end());
    units.insert(units.end(), {docker_service, "containerd.service", agent_unit});
    for (const auto& unit : units) {
        const std::string name = "journals/" + unit.substr(0, unit.rfind('.')) + ".txt";
        const auto lines = read_unit_journal(unit, journal_lines, journal_patience);
        if (lines.value)
            bundle.add(name, joined(*lines.value), true);
        else
            bundle.miss(name, lines.why);
    }
}

void gather_containers(const Observations& seen, Gathered& bundle) {
    if (const auto why = why_engine_rests(seen)) return bundle.miss("modules", *why);
    Engine engine(engine_socket(seen, {}), engine_patience);
    const auto end = std::chrono::steady_clock::now() + engine_time;
    const auto listed = engine.list();
    if (!listed.value) return bundle.miss("modules", listed.why);
    if (const auto version = engine.get("/version"); version.value) {
        const json document = parse_json(*version.value);
        if (document.is_object()) bundle.add("modules/engine.json", pretty(scrubbed(document, bundle.scrubber)));
    }
    json all = json::array();
    for (const auto& one : *listed.value)
        all.push_back({{"name", one.name},
                       {"state", one.state},
                       {"status", one.status},
                       {"image", one.image},
                       {"module", one.is_module()}});
    bundle.add("modules/containers.json", pretty(all));

    std::set<std::string> taken;
    std::size_t modules = 0;
    for (const auto& one : *listed.value) {
        if (!one.is_module() || !is_id(one.id)) continue;
        const std::string folder = folder_of(one, taken);
        if (++modules > most_modules) {
            bundle.miss(folder, "only " + std::to_string(most_modules) + " modules are looked into");
            continue;
        }
        if (std::chrono::steady_clock::now() > end) {
            bundle.miss(folder, "the container engine took too long over those before it");
            continue;
        }
        const auto inspection = engine.get("/containers/" + one.id + "/json");
        const json document = inspection.value ? parse_json(*inspection.value) : json();
        if (!inspection.value)
            bundle.miss(folder + "/inspect.json", inspection.why);
        else if (!document.is_object())
            bundle.miss(folder + "/inspect.json", "the engine answered something that is no container");
        else
            bundle.add(folder + "/inspect.json", pretty(redacted_inspection(document, bundle.scrubber)));
        const auto log = engine.get("/containers/" + one.id +
                                    "/logs?stdout=1&stderr=1&timestamps=1&tail=" + std::to_string(log_lines));
        if (log.value)
            bundle.add(folder + "/log.txt", joined(split_log(*log.value, longest_read)), true);
        else
            bundle.miss(folder + "/log.txt", log.why);
    }
}

}  // namespace eflow
