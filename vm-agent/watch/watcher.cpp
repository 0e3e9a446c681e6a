#include "vm-agent/watch/watcher.hpp"

#include <algorithm>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "shared/failure.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/health/horizon.hpp"
#include "vm-agent/health/summary.hpp"
#include "vm-agent/machine/footprint.hpp"
#include "vm-agent/machine/host.hpp"
#include "vm-agent/machine/replace_file.hpp"

namespace eflow {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds between_judgements{10};  // the pace in a storm of events
constexpr auto ahead_of_pace = 20 * between_judgements;      // so far may judging be ahead of it: a few events do not wait
constexpr std::chrono::seconds engine_patience{3};           // for its first answer, before it is told of as not answering
constexpr std::chrono::seconds first_patience{10};           // for everything, before the first verdict is told
constexpr std::chrono::seconds at_rest{10};                  // after the last judgement
constexpr std::chrono::milliseconds journal_lag{50};         // until journald has what a service said before it ended
constexpr unsigned journal_looks = 3;                        // each later than the last, in case it lags more
constexpr std::chrono::seconds shortest_round{30};
constexpr std::chrono::hours longest_round{1};
constexpr std::chrono::seconds between_saves{1};
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

/// What a judgement tells of clock and disks: less than a MiB makes no difference to it.
std::pair<bool, std::vector<std::uint64_t>> told_of_surroundings(const Observations& seen) {
    std::vector<std::uint64_t> room;
    for (const auto& disk : seen.disks) room.push_back(disk.free >> 20);
    return {seen.clock.value && seen.clock.value->synchronised, room};
}

std::vector<std::string> below(const Tree& tree, std::vector<std::string> folders) {
    if (tree.root() != "/")
        for (auto& folder : folders) folder = tree.root() + folder;
    return folders;
}

}  // namespace

Watcher::Watcher(boost::asio::io_context& loop, const Tree& tree, WatchOptions options)
    : loop_(loop),
      tree_(tree),
      options_(std::move(options)),
      history_(options_.state_folder),
      sightings_([this] { return now(); }),
      seen_(sightings_.seen()),
      bus_(loop, options_.points.bus_address, watched_units(),
           {[this](auto units, auto proxies) {
                follow(sightings_.take_units(std::move(units), std::move(proxies)));
                follow_engine();
            },
            [this](const auto& unit, const auto& change) {
                const Effect effect = sightings_.take_unit_change(unit, change);
                if (effect.judge) ++counters_.unit_events;  // some of what is told of is not followed
                follow(effect);
                if (unit == docker_service) follow_engine();
            },
            [this](const auto& unit, const auto& result) {
                sightings_.note({now(), "job", unit, "", result, "a job of " + unit + " ended: " + result});
                judge_soon();
            },
            [this](const auto& why) { follow(sightings_.lose_units(why)); }}),
      engine_(loop, engine_socket(seen_, options_.points),
              {[this](auto containers) { follow(sightings_.take_containers(std::move(containers))); },
               [this](const auto& event) {
                   ++counters_.container_events;
                   follow(sightings_.take_container_event(event));
               },
               [this](const auto& container) { follow(sightings_.take_inspection(container)); },
               [this](const auto& lines) { follow(sightings_.take_agent_tail(lines)); },
               [this](const auto& line) { follow(sightings_.take_agent_line(line)); },
               [this](const auto& why) { follow(sightings_.lose_containers(why)); },
               [this](const auto& why) { follow(sightings_.take_agent_unheard(why)); }}),
      files_(loop, below(tree, folders_watched()), [this] {
          ++counters_.file_events;
          look_at_files();
          judge_soon();
      }),
      clock_(loop, [this](bool was_set) {
          if (was_set) sightings_.note({now(), "clock", "clock", "", "set", "the clock was set"});
          look_around();
          judge_soon();
      }),
      journal_(loop, {aziot_services.begin(), aziot_services.end()}, [this] { look_at_logs_soon(); }),
      judge_timer_(loop),
      first_timer_(loop),
      log_timer_(loop),
      round_timer_(loop),
      memory_timer_(loop),
      watchdog_timer_(loop) {}

Watcher::~Watcher() = default;

Stamp Watcher::now() const {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

WatchCounters Watcher::counters() const {
    WatchCounters counted = counters_;
    counted.reconnects = sightings_.reconnects();
    return counted;
}

void Watcher::start() {
    begun_ = now();
    begun_steady_ = std::chrono::steady_clock::now();
    seen_.live = true;
    seen_.units = Sight<std::vector<UnitSeen>>::unseen("systemd has not answered yet");
    seen_.containers = Sight<std::vector<ContainerSeen>>::unseen("the container engine has not answered yet");
    if (!options_.state_folder.empty())
        if (const auto memory = observe_memory(tree_, options_.state_folder + "/memory.json")) seen_.memory = *memory;
    apply_settings();
    files_.start();  // first, so that nothing changes between the look and the watch
    look_at_files();
    bus_.start();
    sightings_.note({now(), "watcher", "watcher", "", "started", "eflow-agent " + options_.version});
    judge_soon();
}

void Watcher::reload() {
    if (options_.notifies) sd_notify(0, "RELOADING=1");
    apply_settings();
    look_at_files();
    bus_.refresh();
    written_.clear();
    judge_soon();
    if (options_.notifies) sd_notify(0, "READY=1");
}

void Watcher::stop() {
    if (options_.notifies) sd_notify(0, "STOPPING=1");
    sightings_.note({now(), "watcher", "watcher", "", "stopped", ""});
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
                return to_metrics(seen_, *verdict_, counters(),
                                  openmetrics ? MetricsFormat::openmetrics : MetricsFormat::prometheus);
            });
    } catch (const Failure& failure) {
        // A watcher that is there without its metrics serves better than none.
        sightings_.note({now(), "watcher", "settings", "", "refused", failure.what()});
        if (options_.log) options_.log({4, failure.what() + (" -> " + failure.remedy()), {}});
    }
}

// --- looking ----------------------------------------------------------------------------------------------------------

void Watcher::follow(const Effect& effect) {
    if (effect.remember) save_memory_soon();
    if (effect.logs) look_at_logs_soon();
    if (effect.judge) judge_soon();
}

/// The engine is asked only while its service runs: a connection to its socket would start it.
void Watcher::follow_engine() {
    if (const auto why = why_engine_rests(seen_))
        engine_.rest(*why);
    else
        engine_.start();
}

void Watcher::look_at_files() {
    observe_files(tree_, seen_);
    engine_.move_to(engine_socket(seen_, options_.points));
    if (seen_.units.value) follow_engine();
    follow(sightings_.take_device(observe_device_info(tree_)));
    look_at_logs_soon();
    look_around();
}

void Watcher::look_at_logs_soon() {
    log_looks_ = 0;
    const auto look = [this](auto&& again) -> void {
        log_timer_.expires_after(journal_lag * (1 << (2 * log_looks_)));
        log_timer_.async_wait([this, again](const boost::system::error_code& cancelled) {
            if (cancelled) return;
            const auto told = seen_.journals;
            observe_logs(seen_, journals_);
            if (told != seen_.journals) judge_soon();
            if (++log_looks_ < journal_looks) again(again);
        });
    };
    look(look);
}

/// What tells of no change by itself: the disks, the clock's discipline, and, once an hour, an engine that has gone silent.
void Watcher::look_around() {
    if (tree_.live()) {
        seen_.clock = observe_clock();
        seen_.disks = observe_disks(disks_watched());
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - probed_at_ >= longest_round) {
        engine_.probe();
        probed_at_ = now;
        look_at_strays();
    }
    if (memory_failed_) save_memory_soon();
    expect_disks();
}

/// Nothing tells of what comes and goes in /tmp and in homes: it is looked at with the hourly round.
void Watcher::look_at_strays() {
    const Findings told = seen_.files;
    observe_files(tree_, seen_);
    if (told != seen_.files) judge_soon();
}

/// The next round comes before any disk could be full at the fastest it may plausibly fill, and once an hour at least.
void Watcher::expect_disks() {
    std::chrono::seconds wait = longest_round;
    for (const auto& disk : seen_.disks)
        wait = std::min(wait, std::chrono::seconds(disk.free / fastest_fill));
    round_timer_.expires_after(std::max(wait, std::chrono::seconds(shortest_round)));
    round_timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (cancelled) return;
        const auto told = told_of_surroundings(seen_);
        look_around();
        const bool unwritten = status_failed_ || textfile_failed_;
        if (unwritten) written_.clear();
        if (unwritten || told_of_surroundings(seen_) != told) judge_soon();
    });
}

// --- judging ------------------------------------------------------------------------------------------------------------

void Watcher::judge_soon() {
    if (std::exchange(judge_due_, true)) return;
    // Everything that has arrived together is judged together: after the handlers that are ready have run.
    paced_until_ = std::max(paced_until_, std::chrono::steady_clock::now()) + between_judgements;
    judge_timer_.expires_at(paced_until_ - ahead_of_pace);
    judge_timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) judge_now();
    });
}

void Watcher::judge_now() {
    judge_due_ = false;
    const auto begun = std::chrono::steady_clock::now();
    judge_and_tell();
    // The pace is of the pauses between: where a judgement takes long, the events that wait are read all the same.
    paced_until_ += std::chrono::steady_clock::now() - begun;
}

void Watcher::judge_and_tell() {
    ++counters_.judgements;
    seen_.now = std::chrono::time_point_cast<std::chrono::seconds>(now());
    Verdict verdict = judge(seen_);
    journal_.follow(tree_.live() && is_provisioned(seen_) && !is_up(seen_));
    const auto stage = expiry_stage(seen_);
    // Until both have answered once, a verdict would only say that they have not.
    const auto waited = std::chrono::steady_clock::now() - begun_steady_;
    const bool complete = seen_.units.value && (seen_.containers.value || sightings_.had_containers() ||
                                                why_engine_rests(seen_) || waited > engine_patience);
    if (!ready_ && !complete && waited < first_patience) {
        verdict_ = std::move(verdict);
        first_timer_.expires_after(engine_patience / 3);
        first_timer_.async_wait([this](const boost::system::error_code& cancelled) {
            if (!cancelled) judge_soon();
        });
        return;
    }
    auto changes = changes_between(ready_ ? *verdict_ : Verdict{}, verdict, ready_ ? stage_ : std::nullopt, stage, now());
    if (options_.log && !changes.empty() && limit_.admits(changes, now()))
        if (auto line = line_for(changes, verdict)) {
            if (const unsigned held = limit_.take_held())
                line->text += " | " + std::to_string(held) + " changes before this one were not logged: eflow-agent history";
            options_.log(*line);
        }
    std::vector<HistoryEntry> noted = sightings_.take_noted();
    std::move(changes.begin(), changes.end(), std::back_inserter(noted));
    if (!options_.state_folder.empty() && !noted.empty()) history_.append(noted);
    stage_ = stage;
    verdict_ = std::move(verdict);
    publish(*verdict_);
    clock_.arm(next_horizon(seen_).value_or(Stamp{}));
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
            note_failure(replace_file(options_.status_file, to_json(report) + "\n", 0644, false), status_failed_, 3,
                         "the status file cannot be written: ", "");
        textfile_failed_ = textfile_failed_ && !settings_.metrics_textfile.empty();
        if (!settings_.metrics_textfile.empty())
            note_failure(replace_file(settings_.metrics_textfile,
                                      to_metrics(seen_, verdict, counters(), MetricsFormat::prometheus), 0644, false),
                         textfile_failed_, 4, "the metrics' textfile cannot be written: ",
                         " -> let the unit write there: systemctl edit eflow-agent, ReadWritePaths=FOLDER");
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
    // Awake anyway, and nothing has happened for a while: a device at rest needs little memory.
    if (std::chrono::steady_clock::now() - paced_until_ > at_rest) shrink_footprint();
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
    if (!std::exchange(memory_due_, false) && !memory_failed_) return;
    saved_at_ = std::chrono::steady_clock::now();
    note_failure(replace_file(options_.state_folder + "/memory.json", seen_.memory.to_json() + "\n", 0644, true),
                 memory_failed_, 4, "what is remembered cannot be saved: ", "");
}

/// Tells of a file that cannot be written once, until it can be again.
void Watcher::note_failure(const std::string& why, bool& failed, int priority, const char* what, const char* remedy) {
    if (!std::exchange(failed, !why.empty()) && failed && options_.log) options_.log({priority, what + why + remedy, {}});
}

}  // namespace eflow
