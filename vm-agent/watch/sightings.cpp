#include "vm-agent/watch/sightings.hpp"

#include <algorithm>
#include <utility>

namespace eflow {

namespace {

constexpr std::chrono::seconds asked_to_end{60};  // a container that dies so long after a kill was asked to
constexpr std::size_t most_killed = 1000;
constexpr unsigned most_unseen = 10;

std::string state_of(const UnitSeen& unit) {
    return unit.active + " (" + unit.sub + ")";
}

/// Ended though nobody asked it to: failed, or waiting to be started again.
bool has_ended(const UnitSeen& unit) {
    return unit.active == "failed" || unit.sub == "auto-restart";
}

const ContainerSeen* find(const std::vector<ContainerSeen>& containers, const std::string& id) {
    const auto found =
        std::find_if(containers.begin(), containers.end(), [&](const ContainerSeen& one) { return one.id == id; });
    return found == containers.end() ? nullptr : &*found;
}

ContainerSeen* find(std::vector<ContainerSeen>& containers, const std::string& id) {
    return const_cast<ContainerSeen*>(find(std::as_const(containers), id));
}

}  // namespace

Effect& Effect::operator|=(const Effect& other) {
    judge = judge || other.judge;
    remember = remember || other.remember;
    logs = logs || other.logs;
    return *this;
}

std::vector<HistoryEntry> Sightings::take_noted() {
    return std::exchange(noted_, {});
}

void Sightings::note_source(const char* source, const char* to, const std::string& text) {
    note({now_(), "watcher", source, "", to, text});
}

// --- units ------------------------------------------------------------------------------------------------------------

Effect Sightings::take_units(std::vector<UnitSeen> units, UnitProxies proxies) {
    Effect effect{.judge = true, .logs = true};
    if (had_units_ && !seen_.units.value) {
        ++reconnects_;
        note_source("systemd", "there", "systemd answers");
    }
    had_units_ = true;
    const auto& known = seen_.units.value ? *seen_.units.value : lost_units_;
    for (const auto& unit : units) {
        const auto before =
            std::find_if(known.begin(), known.end(), [&](const UnitSeen& one) { return one.name == unit.name; });
        if (before != known.end()) effect |= note_unit(*before, unit);
    }
    seen_.units = Sight<std::vector<UnitSeen>>::of(std::move(units));
    seen_.unit_proxies = std::move(proxies);
    return effect;
}

Effect Sightings::take_unit_change(const std::string& name, const UnitChange& change) {
    if (!seen_.units.value) return {};
    for (UnitSeen& unit : *seen_.units.value) {
        if (unit.name != name) continue;
        const UnitSeen before = unit;
        change.apply_to(unit);
        if (unit == before) return {};
        return note_unit(before, unit);
    }
    return {};
}

/// Puts a change of state into the history, and an end that nobody asked for into the memory.
Effect Sightings::note_unit(const UnitSeen& before, const UnitSeen& unit) {
    Effect effect{.judge = true};
    const bool is_service = unit.name.ends_with(".service");
    if (before.active != unit.active || before.sub != unit.sub) {
        std::string text;
        if (is_service && has_ended(unit)) text = "result " + unit.result + ", restarts " + std::to_string(unit.restarts);
        note({now_(), "unit", unit.name, state_of(before), state_of(unit), text});
        effect.logs = is_service && (has_ended(unit) || has_ended(before));
    }
    if (!is_service) return effect;
    const bool ended = has_ended(unit) && !has_ended(before);
    // Restarts that happened while nobody could look.
    const unsigned told = before.restarts + (has_ended(before) ? 1 : 0);
    const unsigned unseen = unit.restarts > told ? unit.restarts - told : 0;
    for (unsigned i = 0; i < std::min(unseen, most_unseen); ++i) seen_.memory.note_end(unit.name, now_());
    if (ended) seen_.memory.note_end(unit.name, now_());
    effect.remember = ended || unseen > 0;
    return effect;
}

Effect Sightings::lose_units(const std::string& why) {
    if (seen_.units.value) lost_units_ = std::move(*seen_.units.value);
    seen_.units = Sight<std::vector<UnitSeen>>::unseen(why);
    note_source("systemd", "lost", why);
    return {.judge = true};
}

// --- containers -------------------------------------------------------------------------------------------------------

Effect Sightings::take_containers(std::vector<ContainerSeen> containers) {
    Effect effect{.judge = true};
    if (had_containers_ && !seen_.containers.value) {
        ++reconnects_;
        note_source("docker", "there", "the container engine answers");
    }
    had_containers_ = true;
    const auto& known = seen_.containers.value ? *seen_.containers.value : lost_containers_;
    for (auto& one : containers) {
        const ContainerSeen* before = find(known, one.id);
        if (before != nullptr) one.detail = before->detail;
        const std::string from = before != nullptr ? before->state : "";
        if (from != one.state) note_container(one.name, from, one.state, one.status);
        if (one.state == "running" && seen_.memory.note_running(one.name)) effect.remember = true;
    }
    for (const auto& gone : known)
        if (find(std::as_const(containers), gone.id) == nullptr) note_container(gone.name, gone.state, "removed", "");
    seen_.containers = Sight<std::vector<ContainerSeen>>::of(std::move(containers));
    return effect;
}

Effect Sightings::take_container_event(const ContainerEvent& event) {
    if (!seen_.containers.value) return {};
    auto& containers = *seen_.containers.value;
    ContainerSeen* one = find(containers, event.id);
    if (event.action == "destroy") {
        if (one == nullptr) return {};
        note_container(one->name, one->state, "removed", "");
        if (one->name == "edgeAgent") seen_.memory.agent.link = {};
        containers.erase(containers.begin() + (one - containers.data()));
        killed_.erase(event.id);
        return {.judge = true};
    }
    if (one == nullptr) {
        ContainerSeen fresh;
        fresh.id = event.id;
        fresh.name = event.name;
        fresh.image = event.image;
        fresh.labels = event.labels;
        containers.push_back(std::move(fresh));
        one = &containers.back();
    }
    const std::string before = one->state;
    const Effect effect = apply(event, *one);
    if (one->state != before) note_container(one->name, before, one->state, event.action == "die" ? one->status : "");
    return effect;
}

Effect Sightings::apply(const ContainerEvent& event, ContainerSeen& one) {
    Effect effect{.judge = true};
    if (event.action == "create") {
        one.state = one.status = "created";
    } else if (event.action == "start" || event.action == "unpause") {
        one.state = one.status = "running";
        effect.remember = seen_.memory.note_running(one.name);
        if (one.name == "edgeAgent" && event.action == "start") {
            seen_.memory.agent.begin();
            effect.remember = true;
        }
    } else if (event.action == "pause") {
        one.state = one.status = "paused";
    } else if (event.action == "die") {
        one.state = "exited";
        one.status = "exit code " + std::to_string(event.exit_code);
        if (one.detail) one.detail->exit_code = event.exit_code;
        const auto killed = killed_.find(event.id);
        if (killed == killed_.end() || killed->second + asked_to_end < event.at()) {
            seen_.memory.note_end(one.name, event.at());
            effect.remember = true;
        }
        killed_.erase(event.id);
    } else if (event.action == "kill") {
        if (killed_.size() > most_killed) killed_.clear();
        killed_[event.id] = event.at();
    } else if (event.action == "oom") {
        if (one.detail) one.detail->oom_killed = true;
    } else if (event.action == "rename") {
        one.name = event.name;
    } else if (event.action.starts_with("health_status: ")) {
        if (one.detail) one.detail->health = event.action.substr(15);
    }
    return effect;
}

Effect Sightings::take_inspection(const ContainerSeen& container) {
    if (!seen_.containers.value) return {};
    ContainerSeen* one = find(*seen_.containers.value, container.id);
    if (one == nullptr) return {};
    // Its state is what the events say, one after the other: an answer may be ahead of them. Only what no event tells of is
    // taken from it.
    const bool untold = container.state == "restarting" || container.state == "removing" || container.state == "dead";
    const std::string state = untold && one->state == "exited" ? container.state : one->state;
    if (one->state == state && one->detail == container.detail) return {};
    if (one->state != state) {
        note_container(one->name, one->state, state, "");
        one->state = state;
        one->status = container.status;
    }
    one->detail = container.detail;
    return {.judge = true};
}

Effect Sightings::lose_containers(const std::string& why) {
    if (seen_.containers.value) lost_containers_ = std::move(*seen_.containers.value);
    seen_.containers = Sight<std::vector<ContainerSeen>>::unseen(why);
    note_source("docker", "lost", why);
    return {.judge = true};
}

void Sightings::note_container(const std::string& name, const std::string& from, const std::string& to,
                               const std::string& text) {
    note({now_(), "module", name, from, to, text});
}

Effect Sightings::take_agent_tail(const std::vector<LoggedLine>& lines) {
    AgentSaid& agent = seen_.memory.agent;
    const auto known = agent.deployment;
    auto from = lines.begin();
    if (known && told_deployment_.first < 0) told_deployment_ = {known->code, known->number};
    if (known)
        for (auto line = lines.begin(); line != lines.end(); ++line)
            if (line->at == known->at && line->text.starts_with(known->text) && !known->text.empty()) from = line + 1;
    Effect effect{.judge = !std::exchange(seen_.agent_log_why, {}).empty()};
    for (auto line = from; line != lines.end(); ++line) {
        effect |= hear_agent(*line);
        if (known) note_deployment();  // what went before is no change that was followed
    }
    note_deployment();
    if (agent.link.state != HubLink::State::silent) return effect;
    // What it said of its hub may stand before that.
    AgentSaid all;
    for (const auto& line : lines) all.hear(line.text, line.at);
    if (all.link.state == HubLink::State::silent) return effect;
    agent.link = all.link;
    return {.judge = true, .remember = true};
}

Effect Sightings::take_agent_line(const LoggedLine& line) {
    const Effect effect = hear_agent(line);
    note_deployment();
    return effect;
}

Effect Sightings::hear_agent(const LoggedLine& line) {
    const Heard heard = seen_.memory.agent.hear(line.text, line.at == Stamp{} ? now_() : line.at);
    const bool news = heard != Heard::nothing && heard != Heard::again;
    return {.judge = news, .remember = news};
}

/// A change of the status goes into the history: a plan under way when it is of another deployment, a failure once, however
/// often it comes again, and no more than a few in ten minutes.
void Sightings::note_deployment() {
    constexpr std::size_t most = 8;
    const auto& deployment = seen_.memory.agent.deployment;
    if (!deployment) return;
    const std::pair told(deployment->code, deployment->number);
    const auto [code, number] = told_deployment_;
    if (told == told_deployment_ || (told.first == 0 && told.second == number)) return;
    const Stamp now = now_();
    std::erase_if(deployments_told_, [&](Stamp at) { return at + Memory::window < now || at > now; });
    if (deployments_told_.size() >= most) return;
    deployments_told_.push_back(now);
    std::string text = deployment->text;
    for (const auto& step : deployment->steps) text = step.command + (step.reason.empty() ? "" : ": " + step.reason);
    note({now, "deployment", "edgeAgent", code < 0 ? "" : std::to_string(code), std::to_string(told.first), text});
    told_deployment_ = told;
}

Effect Sightings::take_agent_unheard(const std::string& why) {
    return {.judge = std::exchange(seen_.agent_log_why, why) != why};
}

Effect Sightings::take_device(Sight<std::optional<DeviceInfo>> device) {
    const auto known = std::exchange(seen_.device_info, std::move(device));
    if (!known.value || !*known.value) return {.judge = true};
    const bool same = seen_.device_info.value && *seen_.device_info.value &&
                      (*known.value)->device_id == (*seen_.device_info.value)->device_id;
    if (same) return {.judge = true};
    seen_.memory.agent_has_run = seen_.memory.hub_has_run = false;
    seen_.memory.agent = {};
    return {.judge = true, .remember = true};
}

}  // namespace eflow
