#include "vm-agent/machine/unit_start.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <unistd.h>

#include "shared/failure.hpp"
#include "vm-agent/machine/bus.hpp"
#include "vm-agent/machine/journal.hpp"
#include "vm-agent/machine/units.hpp"

namespace eflow {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t lines_told = 20;

/// The end of one job: waits for JobRemoved of the job that `member` starts for `unit`.
class Job {
public:
    explicit Job(sd_bus* bus) : bus_(bus) {
        std::string why;
        if (!call_manager(bus_, "Subscribe", why, ""))
            throw Failure(ExitCode::machine_lacks, "cannot follow systemd's jobs: " + why);
        sd_bus_slot* slot = nullptr;
        const int result = sd_bus_match_signal(
            bus_, &slot, systemd1::service, systemd1::path, systemd1::manager, "JobRemoved",
            [](sd_bus_message* message, void* self, sd_bus_error*) {
                static_cast<Job*>(self)->on_removed(message);
                return 0;
            },
            this);
        if (result < 0)
            throw Failure(ExitCode::machine_lacks,
                          std::string("cannot follow systemd's jobs: ") + std::strerror(-result));
        slot_.reset(slot);
    }

    /// Starts the job and gives its result; empty with `why` when systemd refuses it, "timeout" when none came.
    std::string run(const char* member, const std::string& unit, std::chrono::seconds timeout, std::string& why) {
        const OwnedMessage reply = call_manager(bus_, member, why, "ss", unit.c_str(), "replace");
        const char* path = nullptr;
        if (!reply || sd_bus_message_read(reply.get(), "o", &path) < 0) return {};
        wanted_ = path;
        const auto deadline = Clock::now() + timeout;
        for (;;) {
            for (const auto& [job, result] : removed_)
                if (job == wanted_) return result;
            const int handled = sd_bus_process(bus_, nullptr);
            if (handled < 0) return "timeout";
            if (handled > 0) continue;
            const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now());
            if (left.count() <= 0) return "timeout";
            const int waited = sd_bus_wait(bus_, static_cast<std::uint64_t>(left.count()));
            if (waited < 0 && waited != -EINTR) return "timeout";
        }
    }

private:
    void on_removed(sd_bus_message* message) {
        std::uint32_t id = 0;
        const char* path = nullptr;
        const char* unit = nullptr;
        const char* result = nullptr;
        if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) >= 0) removed_.emplace_back(path, result);
    }

    sd_bus* bus_;
    OwnedSlot slot_;
    std::string wanted_;
    std::vector<std::pair<std::string, std::string>> removed_;
};

UnitStart look(sd_bus* bus, const std::string& unit) {
    UnitStart start;
    start.seen = observe_units(bus, {unit}).units.front();
    std::uint32_t pid = 0;
    if (sd_bus_get_property_trivial(bus, systemd1::service, unit_object(unit).c_str(), systemd1::unit_service,
                                    "MainPID", nullptr, 'u', &pid) < 0 ||
        pid == 0)
        return start;
    std::array<char, 4096> target{};
    const ssize_t size = readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), target.data(), target.size());
    if (size > 0) start.program.assign(target.data(), static_cast<std::size_t>(size));
    return start;
}

}  // namespace

void reload_units(const std::string& bus_address) {
    const OwnedBus bus = open_bus(bus_address);
    std::string why;
    if (!call_manager(bus.get(), "Reload", why, ""))
        throw Failure(ExitCode::machine_lacks, "systemd does not read its units anew: " + why,
                      "Look at systemd's own messages: journalctl -b -u init.scope");
}

UnitStart restart_unit(const std::string& unit, std::chrono::seconds timeout, const std::string& bus_address) {
    const OwnedBus bus = open_bus(bus_address);
    std::string why;
    // A unit that failed too often is not started again before it is forgiven.
    call_manager(bus.get(), "ResetFailedUnit", why, "s", unit.c_str());
    const auto begun = std::chrono::system_clock::now();
    Job job(bus.get());
    const std::string result = job.run("RestartUnit", unit, timeout, why);
    if (result.empty())
        throw Failure(ExitCode::machine_lacks, "systemd does not start " + unit + ": " + why,
                      "Look at the unit: systemctl status " + unit);
    UnitStart start = look(bus.get(), unit);
    start.job = result;
    if (!start.ok()) {
        start.last_lines = last_lines(unit, begun);
        if (start.last_lines.size() > lines_told)
            start.last_lines.erase(start.last_lines.begin(), start.last_lines.end() - lines_told);
    }
    return start;
}

UnitStart look_at_unit(const std::string& unit, const std::string& bus_address) {
    const OwnedBus bus = open_bus(bus_address);
    return look(bus.get(), unit);
}

void stop_unit(const std::string& unit, std::chrono::seconds timeout, const std::string& bus_address) {
    const OwnedBus bus = open_bus(bus_address);
    std::string why;
    Job(bus.get()).run("StopUnit", unit, timeout, why);
    call_manager(bus.get(), "ResetFailedUnit", why, "s", unit.c_str());
}

}  // namespace eflow
