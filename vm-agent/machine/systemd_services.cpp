#include "vm-agent/machine/systemd_services.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <thread>

#include <unistd.h>

#include "shared/failure.hpp"
#include "vm-agent/health/records.hpp"
#include "vm-agent/machine/bus.hpp"
#include "vm-agent/machine/journal.hpp"
#include "vm-agent/machine/process.hpp"
#include "vm-agent/machine/units.hpp"

namespace eflow {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t output_limit = 64 * 1024;

bool is_aziot(std::string_view unit) {
    return unit.starts_with("aziot-") && (unit.ends_with(".service") || unit.ends_with(".socket"));
}

/// Jobs of the aziot units as systemd reports them, from before the command starts to after it ended.
class JobWatch {
public:
    explicit JobWatch(sd_bus* bus) : bus_(bus) {
        std::string why;
        // Without a subscription systemd sends a client no signals at all.
        if (!call_manager(bus_, "Subscribe", why, ""))
            throw Failure(ExitCode::machine_lacks, "cannot follow systemd's jobs: " + why);
        const auto match = [&](const char* member, sd_bus_message_handler_t handler) {
            sd_bus_slot* slot = nullptr;
            const int result = sd_bus_match_signal(bus_, &slot, systemd1::service, systemd1::path, systemd1::manager,
                                                   member, handler, this);
            if (result < 0)
                throw Failure(ExitCode::machine_lacks,
                              std::string("cannot follow systemd's jobs: ") + std::strerror(-result));
            slots_.emplace_back(slot);
        };
        match("JobNew", [](sd_bus_message* message, void* self, sd_bus_error*) {
            return static_cast<JobWatch*>(self)->on_new(message);
        });
        match("JobRemoved", [](sd_bus_message* message, void* self, sd_bus_error*) {
            return static_cast<JobWatch*>(self)->on_removed(message);
        });
    }

    /// Handles what has arrived, waiting for more until `until`. True while the bus lives.
    bool process(Clock::time_point until) {
        for (;;) {
            const int handled = sd_bus_process(bus_, nullptr);
            if (handled < 0) return false;
            if (handled > 0) continue;
            const auto left = std::chrono::duration_cast<std::chrono::microseconds>(until - Clock::now());
            if (left.count() <= 0) return true;
            const int waited = sd_bus_wait(bus_, static_cast<std::uint64_t>(left.count()));
            if (waited < 0 && waited != -EINTR) return false;
            if (waited > 0 || waited == -EINTR) {
                while (sd_bus_process(bus_, nullptr) > 0) {
                }
                return true;
            }
        }
    }

    [[nodiscard]] bool idle() const { return pending_.empty(); }
    /// The unit whose job was seen last; empty before any.
    [[nodiscard]] const std::string& latest() const { return latest_; }
    [[nodiscard]] std::string result_of(const std::string& unit) const {
        const auto found = results_.find(unit);
        return found == results_.end() ? "" : found->second;
    }

private:
    int on_new(sd_bus_message* message) {
        std::uint32_t id = 0;
        const char* path = nullptr;
        const char* unit = nullptr;
        if (sd_bus_message_read(message, "uos", &id, &path, &unit) >= 0 && is_aziot(unit)) {
            pending_.insert(id);
            latest_ = unit;
        }
        return 0;
    }

    int on_removed(sd_bus_message* message) {
        std::uint32_t id = 0;
        const char* path = nullptr;
        const char* unit = nullptr;
        const char* result = nullptr;
        if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0 || !is_aziot(unit)) return 0;
        pending_.erase(id);
        // A unit has several jobs in an apply (stop, then start); the last one tells how it stands.
        results_[unit] = result;
        return 0;
    }

    sd_bus* bus_;
    std::vector<OwnedSlot> slots_;
    std::set<std::uint32_t> pending_;
    std::map<std::string, std::string> results_;
    std::string latest_;
};

std::vector<UnitOutcome> outcomes(sd_bus* bus, const JobWatch& jobs) {
    std::vector<UnitOutcome> all;
    for (const UnitSeen& seen : observe_units(bus, {aziot_services.begin(), aziot_services.end()}).units) {
        if (seen.load == "not-found") continue;
        all.push_back({seen.name, jobs.result_of(seen.name), seen.active, seen.sub, seen.result, seen.exit_status,
                       seen.restarts});
    }
    return all;
}

/// The last error with its causes; the last lines where there is none.
std::vector<std::string> told_lines(const std::vector<std::string>& lines) {
    constexpr std::size_t most = 20;
    Said said = read_said(lines);
    if (!said.errors.empty()) {
        ErrorRecord& last = said.errors.back();
        last.before.insert(last.before.end(), last.chain.begin(), last.chain.end());
        return std::move(last.before);
    }
    return {lines.end() - static_cast<std::ptrdiff_t>(std::min(lines.size(), most)), lines.end()};
}

bool any_failed(const std::vector<UnitOutcome>& units) {
    return std::any_of(units.begin(), units.end(), [](const UnitOutcome& unit) { return unit.failed(); });
}

}  // namespace

bool UnitOutcome::failed() const {
    const bool job_failed = !job.empty() && job != "done" && job != "skipped" && job != "canceled";
    // A Result other than success alone is no failure: a service that failed before, and was stopped since to be
    // started on demand, keeps it (systemd, service_stop of a unit in auto-restart).
    return job_failed || active == "failed" || sub == "auto-restart";
}

bool ApplyOutcome::ok() const {
    return exit_code == 0 && !timed_out && !any_failed(units);
}

std::string ApplyOutcome::why() const {
    if (ok()) return {};
    std::string text;
    if (timed_out) text += "iotedge config apply did not end in time and was stopped\n";
    if (exit_code != 0) text += "iotedge config apply ended with exit code " + std::to_string(exit_code) + "\n";
    if (exit_code != 0 || timed_out) text += output.substr(0, 2000) + "\n";
    for (const auto& unit : units) {
        if (!unit.failed()) continue;
        text += unit.unit + ": " + unit.active + " (" + unit.sub + ")";
        if (!unit.job.empty() && unit.job != "done") text += ", its job ended as " + unit.job;
        if (unit.exit_status != 0) text += ", exit status " + std::to_string(unit.exit_status);
        text += "\n";
        if (const auto journal = journals.find(unit.unit); journal != journals.end())
            for (const auto& line : told_lines(journal->second)) text += "  " + line + "\n";
    }
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

namespace {

/// A service that ended with an error says so in its journal: the record of it is there.
bool has_said_why(const UnitOutcome& unit, const std::vector<std::string>& lines) {
    if (!unit.failed() || unit.exit_status == 0) return true;
    const Said said = read_said(lines);
    return std::any_of(said.errors.begin(), said.errors.end(),
                       [](const ErrorRecord& one) { return one.form == ErrorRecord::Form::fatal; });
}

/// The units' journals since `begun`. systemd tells of a service's end at once; what the service said last is read by
/// journald when it gets to it, so that is waited for, a little.
std::map<std::string, std::vector<std::string>> journals_of(const std::vector<UnitOutcome>& units,
                                                            std::chrono::system_clock::time_point begun) {
    const auto patience = Clock::now() + std::chrono::seconds(2);
    for (;;) {
        std::map<std::string, std::vector<std::string>> journals;
        bool whole = true;
        for (const auto& unit : units) {
            auto lines = last_lines(unit.unit, begun);
            whole = whole && has_said_why(unit, lines);
            if (!lines.empty()) journals[unit.unit] = std::move(lines);
        }
        if (whole || Clock::now() >= patience) return journals;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

}  // namespace

bool SystemdServices::can_apply() const {
    return access(options_.iotedge.c_str(), X_OK) == 0;
}

ApplyOutcome SystemdServices::apply(std::chrono::seconds timeout) {
    const OwnedBus bus = open_bus(options_.bus_address);
    JobWatch jobs(bus.get());
    const auto deadline = Clock::now() + timeout;
    const auto begun = std::chrono::system_clock::now();

    const auto tell = [&](std::chrono::seconds run) {
        if (options_.progress && run.count() % 2 == 0)
            options_.progress(std::to_string(run.count()) + " s" +
                              (jobs.latest().empty() ? "" : ", at " + jobs.latest()));
    };
    const ProcessResult ended = run_process({options_.iotedge, "config", "apply", "-c", "/etc/aziot/config.toml"},
                                            timeout, output_limit, [&](std::chrono::seconds run) {
                                                jobs.process(Clock::now());
                                                tell(run);
                                            });
    ApplyOutcome outcome;
    outcome.exit_code = ended.exit_code;
    outcome.timed_out = ended.timed_out;
    outcome.output = ended.output;

    // What was signalled while the command ran waits in the connection; jobs still queued are waited for.
    bool alive = jobs.process(Clock::now());
    while (alive && !jobs.idle() && Clock::now() < deadline) {
        alive = jobs.process(std::min(deadline, Clock::now() + std::chrono::seconds(2)));
        tell(std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - (deadline - timeout)));
    }
    if (!jobs.idle()) outcome.timed_out = true;

    if (ended.exit_code == 0 && !outcome.timed_out) {
        sd_bus_slot* slot = nullptr;
        bool changed = true;
        sd_bus_match_signal(
            bus.get(), &slot, systemd1::service, nullptr, "org.freedesktop.DBus.Properties", "PropertiesChanged",
            [](sd_bus_message*, void* flag, sd_bus_error*) {
                *static_cast<bool*>(flag) = true;
                return 0;
            },
            &changed);
        const OwnedSlot follow(slot);
        const auto settled = std::min(deadline, Clock::now() + options_.settle);
        do {
            if (changed) {
                changed = false;
                outcome.units = outcomes(bus.get(), jobs);
            }
        } while (!any_failed(outcome.units) && Clock::now() < settled && jobs.process(settled));
    }
    outcome.units = outcomes(bus.get(), jobs);
    if (any_failed(outcome.units)) outcome.journals = journals_of(outcome.units, begun);
    return outcome;
}

void SystemdServices::stop() {
    const OwnedBus bus = open_bus(options_.bus_address);
    JobWatch jobs(bus.get());
    for (const char* unit : aziot_services) {
        std::string why;
        call_manager(bus.get(), "StopUnit", why, "ss", unit, "replace");
    }
    // aziot-edged may take 40 s to stop its modules (TimeoutStopSec).
    const auto deadline = Clock::now() + std::chrono::seconds(60);
    while (jobs.process(Clock::now()) && !jobs.idle() && Clock::now() < deadline) jobs.process(deadline);
}

}  // namespace eflow
