#include "vm-agent/health/memory.hpp"

#include <algorithm>
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

constexpr std::size_t most_steps = 20;

std::string text_in(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>().substr(0, longest_line) : std::string();
}

template <class Number>
Number number_in(const json& object, const char* key, Number otherwise = 0) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<Number>() : otherwise;
}

Stamp stamp_in(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() ? stamp_of(*found) : Stamp{};
}

json json_of(const Deployment& one) {
    json steps = json::array();
    for (const auto& step : one.steps)
        steps.push_back({{"command", step.command}, {"reason", step.reason}, {"failures", step.failures}});
    return {{"code", one.code},     {"text", one.text},   {"at", micros(one.at)},     {"number", one.number},
            {"reason", one.reason}, {"before", one.before}, {"last", micros(one.last)}, {"steps", std::move(steps)}};
}

Deployment deployment_of(const json& one) {
    Deployment deployment{one.at("code").get<int>(), one.at("text").get<std::string>().substr(0, longest_line),
                          stamp_of(one.at("at"))};
    deployment.number = number_in<std::int64_t>(one, "number");
    deployment.reason = text_in(one, "reason");
    deployment.before = number_in<int>(one, "before", deployment.before);
    deployment.last = stamp_in(one, "last");
    const json steps = one.value("steps", json::array());
    for (const auto& step : steps)
        if (step.is_object() && deployment.steps.size() < most_steps)
            deployment.steps.push_back(
                {text_in(step, "command"), text_in(step, "reason"), number_in<unsigned>(step, "failures")});
    return deployment;
}

json json_of(const HubLink& link) {
    return {{"state", static_cast<int>(link.state)}, {"text", link.text},
            {"reason", link.reason},                 {"transport", link.transport},
            {"failures", link.failures},             {"at", micros(link.at)},
            {"was_reached", link.was_reached}};
}

HubLink link_of(const json& one) {
    HubLink link;
    const int state = number_in<int>(one, "state");
    if (state > 0 && state <= static_cast<int>(HubLink::State::refused)) link.state = static_cast<HubLink::State>(state);
    link.text = text_in(one, "text");
    link.reason = text_in(one, "reason");
    link.transport = text_in(one, "transport");
    link.failures = number_in<unsigned>(one, "failures");
    link.at = stamp_in(one, "at");
    link.was_reached = one.value("was_reached", false);
    return link;
}

}  // namespace

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
    if (agent.deployment) document["deployment"] = json_of(*agent.deployment);
    if (agent.link != HubLink{}) document["hub_link"] = json_of(agent.link);
    if (!agent.ending.empty()) document["ending"] = agent.ending;
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
        if (document.contains("deployment")) memory.agent.deployment = deployment_of(document.at("deployment"));
        if (document.contains("hub_link")) memory.agent.link = link_of(document.at("hub_link"));
        memory.agent.ending = text_in(document, "ending");
        const json ends = document.value("ends", json::object());
        for (const auto& [name, stamps] : ends.items())
            for (const auto& stamp : stamps) memory.note_end(name, stamp_of(stamp));
        return memory;
    } catch (const json::exception&) {
        return {};
    }
}

}  // namespace eflow
