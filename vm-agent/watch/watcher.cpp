#include "vm-agent/watch/watcher.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "shared/failure.hpp"
#include "vm-agent/health/horizon.hpp"
#include "vm-agent/health/summary.hpp"
#include "vm-agent/machine/host.hpp"
#include "vm-agent/machine/replace_file.hpp"

namespace eflow {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds between_judgements{10};  // under a storm of events; a lone one is judged at once
constexpr std::chrono::milliseconds journal_lag{50};         // until journald has what a service said before it ended
constexpr unsigned journal_looks = 3;                        // each later than the last, in case it lags more
constexpr std::chrono::seconds shortest_round{30};
constexpr std::chrono::hours longest_round{1};
constexpr std::chrono::seconds between_saves{1};
constexpr std::chrono::seconds asked_to_end{60};             // a container that dies so long after a kill was asked to
constexpr std::size_t most_killed = 1000;
constexpr std::uint64_t fastest_fill = 100ull * 1024 * 1024;  // bytes a second that a disk may plausibly lose

/// What is looked at again when something in these folders changes. /var itself tells of files that fill it.
std::vector<std::string> folders_watched() {
    return {"/etc/aziot",
            "/etc/aziot/keyd/config.d",
            "/etc/aziot/certd/config.d",
            "/etc/aziot/identityd/config.d",
            "/etc/aziot/tpmd/config.d",
            "/etc/aziot/edged/config.d",
            "/etc/docker",
            "/etc/eflow-agent",
            "/var",
            "/var/aziot",
            "/var/aziot/certs",
            "/var/aziot/secrets",
            "/var/lib/aziot/identityd",
            "/run/systemd/timesync"};
}

std::string state_of(const UnitSeen& unit) {
    return unit.active + " (" + unit.sub + ")";
}

/// Ended though nobody asked it to: failed, or waiting to be started again.
bool has_ended(const UnitSeen& unit) {
    return unit.active == "failed" || unit.sub == "auto-restart";
}

std::vector<std::string> below(const Tree& tree, std::vector<std::string> folders) {
    if (tree.root() != "/")
        for (auto& folder : folders) folder = tree.root() + folder;
    return folders;
}

ContainerSeen* find(std::vector<ContainerSeen>& containers, const std::string& id) {
    const auto found =
        std::find_if(containers.begin(), containers.end(), [&](const ContainerSeen& one) { return one.id == id; });
    return found == containers.end() ? nullptr : &*found;
}

}  // namespace

Watcher::Watcher(boost::asio::io_context& loop, const Tree& tree, WatchOptions options)
    : loop_(loop),
      tree_(tree),
      options_(std::move(options)),
      history_(options_.state_folder),
      bus_(loop, options_.points.bus_address, watched_units(),
           {[this](auto units, auto proxies) { take_units(std::move(units), std::move(proxies)); },
            [this](const auto& unit, const auto& change) { take_unit_change(unit, change); },
            [this](const auto& unit, const auto& result) {
                noted_.push_back({now(), "job", unit, "", result, "a job of " + unit + " ended: " + result});
                judge_soon();
            },
            [this](const auto& why) { lose_units(why); }}),
      engine_(loop, options_.points.docker_socket,
              {[this](auto containers) { take_containers(std::move(containers)); },
               [this](const auto& event) { take_container_event(event); },
               [this](const auto& container) { take_inspection(container); },
               [this](const auto& line) { take_agent_line(line); },
               [this](const auto& why) {
                   seen_.containers = Sight<std::vector<ContainerSeen>>::unseen(why);
                   noted_.push_back({now(), "watcher", "docker", "", "lost", why});
                   judge_soon();
               }}),
      files_(loop, below(tree, folders_watched()), [this] {
          ++counters_.file_events;
          look_at_files();
          judge_soon();
      }),
      clock_(loop, [this](bool was_set) {
          if (was_set) noted_.push_back({now(), "clock", "clock", "", "set", "the clock was set"});
          look_around();
          judge_soon();
      }),
      judge_timer_(loop),
      log_timer_(loop),
      round_timer_(loop),
      memory_timer_(loop),
      watchdog_timer_(loop) {}

Watcher::~Watcher() = default;

Stamp Watcher::now() const {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

void Watcher::start() {
    begun_ = now();
    seen_.live = true;
    seen_.units = Sight<std::vector<UnitSeen>>::unseen("systemd has not answered yet");
    seen_.containers = Sight<std::vector<ContainerSeen>>::unseen("the container engine has not answered yet");
    if (!options_.state_folder.empty())
        if (const auto memory = observe_memory(tree_, options_.state_folder + "/memory.json")) seen_.memory = *memory;
    apply_settings();
    look_at_files();
    seen_.clock = observe_clock();
    files_.start();
    bus_.start();
    noted_.push_back({now(), "watcher", "watcher", "", "started", "eflow-agent " + options_.version});
    look_around();
    judge_soon();
}

void Watcher::reload() {
    if (options_.notifies) sd_notify(0, "RELOADING=1");
    apply_settings();
    look_at_files();
    bus_.refresh();
    look_around();
    written_.clear();
    judge_soon();
    if (options_.notifies) sd_notify(0, "READY=1");
}

void Watcher::stop() {
    if (options_.notifies) sd_notify(0, "STOPPING=1");
    noted_.push_back({now(), "watcher", "watcher", "", "stopped", ""});
    judge_now();
    save_memory();
    metrics_.reset();
    loop_.stop();
}

void Watcher::apply_settings() {
    WatchSettings wanted;
    try {
        if (options_.settings) wanted = options_.settings();
        if (metrics_ && wanted.metrics_listen == settings_.metrics_listen) {
            settings_ = wanted;
            return;
        }
        metrics_.reset();
        settings_ = wanted;
        if (settings_.metrics_listen.empty()) return;
        const MetricsAddress address = parse_metrics_address(settings_.metrics_listen);
        metrics_ = std::make_unique<MetricsServer>(
            loop_, address.host, address.port, address.unix_path, [this](bool openmetrics) {
                return to_metrics(seen_, *verdict_, counters_,
                                  openmetrics ? MetricsFormat::openmetrics : MetricsFormat::prometheus);
            });
    } catch (const Failure& failure) {
        // A watcher that is there without its metrics serves better than none.
        noted_.push_back({now(), "watcher", "settings", "", "refused", failure.what()});
        if (options_.log) options_.log({4, failure.what() + (" -> " + failure.remedy()), {}});
    }
}

// --- units ------------------------------------------------------------------------------------------------------------

void Watcher::take_units(std::vector<UnitSeen> units, UnitProxies proxies) {
    if (!seen_.units.value && verdict_) {
        ++counters_.reconnects;
        noted_.push_back({now(), "watcher", "systemd", "", "there", "systemd answers"});
    }
    const auto& known = last_units_;
    for (const auto& unit : units) {
        const auto before = std::find_if(known.begin(), known.end(), [&](const auto& one) { return one.name == unit.name; });
        if (before != known.end()) note_unit(*before, unit);
    }
    seen_.units = Sight<std::vector<UnitSeen>>::of(std::move(units));
    seen_.unit_proxies = std::move(proxies);
    last_units_ = *seen_.units.value;
    follow_engine();
    look_at_logs_soon();
    judge_soon();
}

void Watcher::take_unit_change(const std::string& name, const UnitChange& change) {
    if (!seen_.units.value) return;
    for (std::size_t i = 0; i < seen_.units.value->size(); ++i) {
        UnitSeen& unit = (*seen_.units.value)[i];
        if (unit.name != name) continue;
        ++counters_.unit_events;
        const UnitSeen before = unit;
        change.apply_to(unit);
        if (unit == before) return;
        note_unit(before, unit);
        last_units_[i] = unit;
        if (name == docker_service) follow_engine();
        judge_soon();
        return;
    }
}

/// Puts a change of state into the history, and an end that nobody asked for into the memory.
void Watcher::note_unit(const UnitSeen& before, const UnitSeen& unit) {
    const bool is_service = unit.name.ends_with(".service");
    if (before.active != unit.active || before.sub != unit.sub) {
        std::string text;
        if (is_service && has_ended(unit)) text = "result " + unit.result + ", restarts " + std::to_string(unit.restarts);
        noted_.push_back({now(), "unit", unit.name, state_of(before), state_of(unit), text});
        if (is_service && (has_ended(unit) || has_ended(before))) look_at_logs_soon();
    }
    if (!is_service) return;
    const bool ended = has_ended(unit) && !has_ended(before);
    // Restarts that happened while nobody could look.
    const unsigned unseen = unit.restarts > before.restarts + (has_ended(before) ? 1 : 0)
                                ? unit.restarts - before.restarts - (has_ended(before) ? 1 : 0)
                                : 0;
    for (unsigned i = 0; i < std::min(unseen, 10u); ++i) seen_.memory.note_end(unit.name, now());
    if (ended) seen_.memory.note_end(unit.name, now());
    if (ended || unseen > 0) save_memory_soon();
}

void Watcher::lose_units(const std::string& why) {
    seen_.units = Sight<std::vector<UnitSeen>>::unseen(why);
    noted_.push_back({now(), "watcher", "systemd", "", "lost", why});
    judge_soon();
}

/// The engine is asked only while its service runs: a connection to its socket would start it.
void Watcher::follow_engine() {
    if (const auto why = why_engine_rests(seen_))
        engine_.rest(*why);
    else
        engine_.start();
}

// --- containers -------------------------------------------------------------------------------------------------------

void Watcher::take_containers(std::vector<ContainerSeen> containers) {
    if (!seen_.containers.value && verdict_ && engine_was_there_) {
        ++counters_.reconnects;
        noted_.push_back({now(), "watcher", "docker", "", "there", "the container engine answers"});
    }
    engine_was_there_ = true;
    for (auto& one : containers) {
        ContainerSeen* before = find(last_containers_, one.id);
        if (before != nullptr) one.detail = before->detail;
        const std::string from = before != nullptr ? before->state : "";
        if (from != one.state) note_container(one.name, from, one.state, one.status);
        if (one.state == "running" && seen_.memory.note_running(one.name)) save_memory_soon();
    }
    for (const auto& gone : last_containers_)
        if (find(containers, gone.id) == nullptr) note_container(gone.name, gone.state, "removed", "");
    seen_.containers = Sight<std::vector<ContainerSeen>>::of(std::move(containers));
    last_containers_ = *seen_.containers.value;
    judge_soon();
}

void Watcher::take_container_event(const ContainerEvent& event) {
    if (!seen_.containers.value) return;
    ++counters_.container_events;
    auto& containers = *seen_.containers.value;
    ContainerSeen* one = find(containers, event.id);
    if (one == nullptr && event.action != "destroy") {
        ContainerSeen fresh;
        fresh.id = event.id;
        fresh.name = event.name;
        fresh.image = event.image;
        fresh.labels = event.labels;
        containers.push_back(std::move(fresh));
        one = &containers.back();
    }
    if (one == nullptr) return;
    const std::string before = one->state;
    const std::string exit = "exit code " + std::to_string(event.exit_code);
    std::string text;
    if (event.action == "create") {
        one->state = one->status = "created";
    } else if (event.action == "start" || event.action == "unpause") {
        one->state = one->status = "running";
        if (seen_.memory.note_running(one->name)) save_memory_soon();
    } else if (event.action == "pause") {
        one->state = one->status = "paused";
    } else if (event.action == "die") {
        one->state = "exited";
        one->status = text = exit;
        if (one->detail) one->detail->exit_code = event.exit_code;
        const auto killed = killed_.find(event.id);
        if (killed == killed_.end() || killed->second + asked_to_end < event.at()) {
            seen_.memory.note_end(one->name, event.at());
            save_memory_soon();
        }
        killed_.erase(event.id);
    } else if (event.action == "kill") {
        if (killed_.size() > most_killed) killed_.clear();
        killed_[event.id] = event.at();
    } else if (event.action == "oom") {
        if (one->detail) one->detail->oom_killed = true;
    } else if (event.action == "rename") {
        one->name = event.name;
    } else if (event.action.starts_with("health_status: ")) {
        if (one->detail) one->detail->health = event.action.substr(15);
    } else if (event.action == "destroy") {
        note_container(one->name, before, "removed", "");
        containers.erase(containers.begin() + (one - containers.data()));
        killed_.erase(event.id);
        last_containers_ = containers;
        return judge_soon();
    }
    if (one->state != before) note_container(one->name, before, one->state, text);
    last_containers_ = containers;
    judge_soon();
}

void Watcher::take_inspection(const ContainerSeen& container) {
    if (!seen_.containers.value) return;
    ContainerSeen* one = find(*seen_.containers.value, container.id);
    if (one == nullptr) return;
    // Its state is what the events say, one after the other: an answer may be ahead of them. Only what no event tells of is
    // taken from it.
    const bool untold = container.state == "restarting" || container.state == "removing" || container.state == "dead";
    const std::string state = untold && one->state == "exited" ? container.state : one->state;
    if (one->state == state && one->detail == container.detail) return;
    if (one->state != state) {
        note_container(one->name, one->state, state, "");
        one->state = state;
        one->status = container.status;
    }
    one->detail = container.detail;
    last_containers_ = *seen_.containers.value;
    judge_soon();
}

void Watcher::note_container(const std::string& name, const std::string& from, const std::string& to,
                             const std::string& text) {
    noted_.push_back({now(), "module", name, from, to, text});
}

void Watcher::take_agent_line(const std::string& line) {
    auto said = read_deployment({line});
    if (!said) return;
    auto& known = seen_.memory.deployment;
    if (known && known->code == said->code && known->text == said->text) return;
    if (!known || known->code != said->code)
        noted_.push_back({now(), "deployment", "edgeAgent", known ? std::to_string(known->code) : "",
                          std::to_string(said->code), said->text});
    said->at = now();
    known = std::move(said);
    save_memory_soon();
    judge_soon();
}

// --- files, journal, clock, disks ---------------------------------------------------------------------------------------

void Watcher::look_at_files() {
    observe_files(tree_, seen_);
    const auto known = seen_.device_info;
    seen_.device_info = observe_device_info(tree_);
    const auto same_device = [&] {
        return known.value && *known.value && seen_.device_info.value && *seen_.device_info.value &&
               (*known.value)->device_id == (*seen_.device_info.value)->device_id;
    };
    // Another device, or none: that edgeHub has run before is no longer of this one.
    if (verdict_ && known.value && *known.value && !same_device()) {
        seen_.memory.agent_has_run = seen_.memory.hub_has_run = false;
        seen_.memory.deployment.reset();
        save_memory_soon();
    }
    look_at_logs_soon();
    expect_disks();
}

void Watcher::look_at_logs_soon() {
    log_looks_ = 0;
    const auto look = [this](auto&& again) -> void {
        log_timer_.expires_after(journal_lag * (1 << (2 * log_looks_)));
        log_timer_.async_wait([this, again](const boost::system::error_code& cancelled) {
            if (cancelled) return;
            const auto told = std::pair(seen_.identityd_log, seen_.unit_logs);
            observe_logs(seen_);
            if (told != std::pair(seen_.identityd_log, seen_.unit_logs)) judge_soon();
            if (++log_looks_ < journal_looks) again(again);
        });
    };
    look(look);
}

/// What tells of no change by itself: the disks, the clock's discipline, an engine that has gone silent.
void Watcher::look_around() {
    if (tree_.live()) {
        seen_.clock = observe_clock();
        seen_.disks = observe_disks(disks_watched());
    }
    engine_.refresh();
    expect_disks();
}

/// The next round comes before any disk could be full at the fastest it may plausibly fill, and once an hour at least.
void Watcher::expect_disks() {
    std::chrono::seconds wait = longest_round;
    for (const auto& disk : seen_.disks)
        wait = std::min(wait, std::chrono::seconds(disk.free / fastest_fill));
    round_timer_.expires_after(std::max(wait, std::chrono::seconds(shortest_round)));
    round_timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (cancelled) return;
        look_around();
        judge_soon();
    });
}

// --- judging ------------------------------------------------------------------------------------------------------------

void Watcher::judge_soon() {
    if (std::exchange(judge_due_, true)) return;
    // Everything that has arrived together is judged together: after the handlers that are ready have run.
    const auto since = std::chrono::steady_clock::now() - judged_at_;
    judge_timer_.expires_after(since < between_judgements
                                   ? std::chrono::duration_cast<std::chrono::nanoseconds>(between_judgements - since)
                                   : std::chrono::nanoseconds(0));
    judge_timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) judge_now();
    });
}

void Watcher::judge_now() {
    judge_due_ = false;
    ++counters_.judgements;
    seen_.now = std::chrono::time_point_cast<std::chrono::seconds>(now());
    Verdict verdict = judge(seen_);
    const auto stage = expiry_stage(seen_);
    // Until both have answered once, a verdict would only say that they have not.
    const bool complete = seen_.units.value && (seen_.containers.value || engine_was_there_ || why_engine_rests(seen_) ||
                                                now() - begun_ > 3s);
    if (!ready_ && !complete && now() - begun_ < 10s) {
        judged_at_ = std::chrono::steady_clock::now();
        verdict_ = std::move(verdict);
        return;
    }
    auto changes = changes_between(ready_ ? *verdict_ : Verdict{}, verdict, ready_ ? stage_ : std::nullopt, stage, now());
    if (options_.log && !changes.empty() && limit_.admits(changes, now()))
        if (auto line = line_for(changes, verdict)) {
            if (const unsigned held = limit_.take_held())
                line->text += " | " + std::to_string(held) + " changes before this one were not logged: eflow-agent history";
            options_.log(*line);
        }
    std::move(changes.begin(), changes.end(), std::back_inserter(noted_));
    if (!options_.state_folder.empty() && !noted_.empty()) history_.append(noted_);
    noted_.clear();
    stage_ = stage;
    verdict_ = std::move(verdict);
    publish(*verdict_);
    clock_.arm(next_horizon(seen_).value_or(Stamp{}));
    judged_at_ = std::chrono::steady_clock::now();
}

void Watcher::publish(const Verdict& verdict) {
    Report report = summarize(seen_, verdict);
    report.program = "eflow-agent";
    report.version = options_.version;
    report.verb = "watch";
    const nlohmann::json observed_at = report.data["observed_at"];
    report.data.erase("observed_at");
    report.data["watcher"] = {{"pid", getpid()},
                              {"since", to_text(std::chrono::time_point_cast<std::chrono::seconds>(begun_))},
                              {"systemd", seen_.units.value ? "followed" : seen_.units.why},
                              {"docker", seen_.containers.value ? "followed" : seen_.containers.why}};
    const std::string text = to_json(report);
    if (text != written_) {
        written_ = text;
        report.data["observed_at"] = observed_at;
        report.data["watcher"]["written_us"] = now().time_since_epoch().count();
        if (!options_.status_file.empty())
            if (const auto why = replace_file(options_.status_file, to_json(report) + "\n", 0644, false);
                !why.empty() && !std::exchange(status_failed_, true) && options_.log)
                options_.log({3, "the status file cannot be written: " + why, {}});
        if (!settings_.metrics_textfile.empty())
            replace_file(settings_.metrics_textfile,
                         to_metrics(seen_, verdict, counters_, MetricsFormat::prometheus), 0644, false);
        if (options_.notifies)
            sd_notifyf(0, "STATUS=%s: %s", std::string(to_text(verdict.phase)).c_str(), verdict.because.c_str());
    }
    if (!std::exchange(ready_, true) && options_.notifies) {
        sd_notify(0, "READY=1");
        watchdog();
    }
    if (options_.judged) options_.judged(seen_, verdict);
}

void Watcher::watchdog() {
    std::uint64_t limit = 0;
    if (sd_watchdog_enabled(0, &limit) <= 0) return;
    sd_notify(0, "WATCHDOG=1");
    watchdog_timer_.expires_after(std::chrono::microseconds(limit / 2));
    watchdog_timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) watchdog();
    });
}

void Watcher::save_memory_soon() {
    if (options_.state_folder.empty() || std::exchange(memory_due_, true)) return;
    const auto since = std::chrono::steady_clock::now() - saved_at_;
    memory_timer_.expires_after(since < between_saves ? between_saves - since : std::chrono::nanoseconds(0));
    memory_timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) save_memory();
    });
}

void Watcher::save_memory() {
    if (!std::exchange(memory_due_, false)) return;
    saved_at_ = std::chrono::steady_clock::now();
    if (const auto why =
            replace_file(options_.state_folder + "/memory.json", seen_.memory.to_json() + "\n", 0644, true);
        !why.empty() && !std::exchange(memory_failed_, true) && options_.log)
        options_.log({4, "what is remembered cannot be saved: " + why, {}});
}

}  // namespace eflow
