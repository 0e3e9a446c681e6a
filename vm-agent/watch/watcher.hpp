#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "vm-agent/config/watch_settings.hpp"
#include "vm-agent/health/observations.hpp"
#include "vm-agent/health/verdict.hpp"
#include "vm-agent/machine/observe.hpp"
#include "vm-agent/placement/tree.hpp"
#include "vm-agent/watch/bus_source.hpp"
#include "vm-agent/watch/changes.hpp"
#include "vm-agent/watch/clock_source.hpp"
#include "vm-agent/watch/engine_source.hpp"
#include "vm-agent/watch/file_source.hpp"
#include "vm-agent/watch/history.hpp"
#include "vm-agent/watch/journal_source.hpp"
#include "vm-agent/watch/metrics.hpp"
#include "vm-agent/watch/metrics_server.hpp"
#include "vm-agent/watch/sightings.hpp"

namespace eflow {

/// Where a watcher looks, and what it does with what it sees.
struct WatchOptions {
    ObservationPoints points;
    std::string status_file;   ///< replaced at each change; none when empty
    std::string state_folder;  ///< memory and history; none when empty
    std::string version;
    std::function<WatchSettings()> settings;         ///< read at the start and on reload; may throw Failure
    std::function<void(const LogLine& line)> log;    ///< a change, in one line
    std::function<void(const Observations& seen, const Verdict& verdict)> judged;  ///< after each judgement
    bool notifies = false;                           ///< tells systemd READY, STATUS and WATCHDOG
};

/// Follows a device in one thread and one loop: systemd, the container engine, files and the clock are descriptors in it,
/// and nothing polls but for the disks. Every event changes the observations, which are then judged as `check` judges
/// them; what the verdict changes goes to the log, the status file, the history and the metrics. Losing a source is an
/// observation.
class Watcher {
public:
    Watcher(boost::asio::io_context& loop, const Tree& tree, WatchOptions options);
    ~Watcher();

    void start();
    /// Reads the settings anew and looks at everything again.
    void reload();
    /// Saves what is remembered and lets the loop end.
    void stop();

private:
    void follow(const Effect& effect);
    void follow_engine();
    void look_at_files();
    void look_at_logs_soon();
    void look_around();
    void look_at_strays();
    void expect_disks();

    void judge_soon();
    void judge_now();
    void judge_and_tell();
    void publish(const Verdict& verdict);
    void apply_settings();
    void save_memory_soon();
    void save_memory();
    void note_failure(const std::string& why, bool& failed, int priority, const char* what, const char* remedy);
    void watchdog();
    [[nodiscard]] Stamp now() const;
    [[nodiscard]] WatchCounters counters() const;

    boost::asio::io_context& loop_;
    const Tree& tree_;
    WatchOptions options_;
    History history_;
    Sightings sightings_;
    Observations& seen_;  ///< of sightings_
    UnitJournals journals_;  ///< what was read of them
    BusSource bus_;
    EngineSource engine_;
    FileSource files_;
    ClockSource clock_;
    JournalSource journal_;
    boost::asio::steady_timer judge_timer_;
    boost::asio::steady_timer first_timer_;  ///< until the first verdict is told
    boost::asio::steady_timer log_timer_;
    boost::asio::steady_timer round_timer_;  ///< disks, clock, a silent engine
    boost::asio::steady_timer memory_timer_;
    boost::asio::steady_timer watchdog_timer_;
    std::unique_ptr<MetricsServer> metrics_;
    WatchSettings settings_;

    std::optional<Verdict> verdict_;
    std::optional<int> stage_;
    LogLimit limit_;
    WatchCounters counters_;
    Stamp begun_{};
    std::chrono::steady_clock::time_point begun_steady_{};
    std::string written_;  ///< the status file's last text, without its time
    bool judge_due_ = false;
    bool memory_due_ = false;
    unsigned log_looks_ = 0;
    bool ready_ = false;
    bool status_failed_ = false;  ///< these could not be written last time
    bool textfile_failed_ = false;
    bool memory_failed_ = false;
    std::chrono::steady_clock::time_point paced_until_{};  ///< when the judgements so far would be over, evenly paced
    std::chrono::steady_clock::time_point saved_at_{};
    std::chrono::steady_clock::time_point probed_at_{};
};

}  // namespace eflow
