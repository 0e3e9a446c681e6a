#include "vm-agent/health/memory.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "shared/json_text.hpp"

namespace eflow {

namespace {

using nlohmann::json;

constexpr std::size_t most_names = 1000;
constexpr std::size_t most_ends = 100;
constexpr std::size_t longest_line = 400;

std::int64_t micros(Stamp stamp) {
    return stamp.time_since_epoch().count();
}

/// Anything but a plausible time (1970 to 2200) is the epoch: what comes from a file must not overflow later on.
Stamp stamp_of(const json& number) {
    constexpr std::int64_t year_2200 = 7'258'118'400'000'000;
    if (!number.is_number_integer()) return {};
    const auto count = number.get<std::int64_t>();
    return count > 0 && count < year_2200 ? Stamp(std::chrono::microseconds(count)) : Stamp{};
}

struct Phrase {
    std::string_view text;
    int code;
};

constexpr std::array phrases{
    Phrase{"Deployment config in edge agent's desired properties is empty", 417},
    Phrase{"Reconcile failed because of invalid schema", 412},
    Phrase{"Reconcile failed because of invalid configuration format", 400},
    Phrase{"Reconcile failed because of the an exception", 500},
    Phrase{"Plan execution started for deployment", 0},
    Phrase{"Plan execution ended for deployment", 200},
};

}  // namespace

std::optional<Deployment> read_deployment(const std::vector<std::string>& lines) {
    for (auto line = lines.rbegin(); line != lines.rend(); ++line)
        for (const auto& phrase : phrases)
            if (line->find(phrase.text) != std::string::npos)
                return Deployment{phrase.code, line->substr(0, longest_line), {}};
    return std::nullopt;
}

bool Memory::note_running(std::string_view name) {
    bool* flag = name == "edgeAgent" ? &agent_has_run : name == "edgeHub" ? &hub_has_run : nullptr;
    return flag != nullptr && !std::exchange(*flag, true);
}

void Memory::note_end(const std::string& name, Stamp at) {
    if (ends.size() >= most_names && ends.count(name) == 0) ends.erase(ends.begin());
    auto& of_name = ends[name];
    of_name.push_back(at);
    const auto old = std::find_if(of_name.begin(), of_name.end(), [&](Stamp end) { return end > at - window; });
    of_name.erase(of_name.begin(), old);
    if (of_name.size() > most_ends) of_name.erase(of_name.begin());
}

std::size_t Memory::recent_ends(const std::string& name, Stamp now) const {
    const auto found = ends.find(name);
    if (found == ends.end()) return 0;
    return static_cast<std::size_t>(std::count_if(found->second.begin(), found->second.end(),
                                                  [&](Stamp end) { return end > now - window && end <= now; }));
}

std::string Memory::to_json() const {
    json document = {{"schema", 1}, {"agent_has_run", agent_has_run}, {"hub_has_run", hub_has_run}};
    if (deployment)
        document["deployment"] = {
            {"code", deployment->code}, {"text", deployment->text}, {"at", micros(deployment->at)}};
    for (const auto& [name, stamps] : ends)
        for (const Stamp stamp : stamps) document["ends"][name].push_back(micros(stamp));
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Memory Memory::from_json(std::string_view text) {
    Memory memory;
    try {
        const json document = parse_json(text);
        if (document.at("schema") != 1) return {};
        memory.agent_has_run = document.value("agent_has_run", false);
        memory.hub_has_run = document.at("hub_has_run").get<bool>();
        if (document.contains("deployment")) {
            const json& one = document.at("deployment");
            memory.deployment =
                Deployment{one.at("code").get<int>(), one.at("text").get<std::string>().substr(0, longest_line),
                           stamp_of(one.at("at"))};
        }
        const json ends = document.value("ends", json::object());
        for (const auto& [name, stamps] : ends.items())
            for (const auto& stamp : stamps) memory.note_end(name, stamp_of(stamp));
        return memory;
    } catch (const json::exception&) {
        return {};
    }
}

}  // namespace eflow
