#include "vm-agent/cli/settle.hpp"

#include <thread>
#include <utility>

#include <spdlog/logger.h>

#include "shared/failure.hpp"
#include "vm-agent/health/verdict.hpp"
#include "vm-agent/placement/rendered.hpp"

namespace eflow {

namespace {

using Clock = std::chrono::steady_clock;

/// What identityd says when DPS itself said no, as told by its journal (aziot-identityd error.rs): an HTTP status of
/// the 4xx kind, not a cloud that was out of reach.
bool cloud_said_no(const ApplyOutcome& outcome) {
    for (const auto& unit : outcome.units)
        for (const auto& line : unit.last_lines)
            if (line.find("DPS") != std::string::npos &&
                (line.find("401") != std::string::npos || line.find("403") != std::string::npos ||
                 line.find("404") != std::string::npos))
                return true;
    return false;
}

/// The services would not take it: the previous files back, and the services with them.
void take_back(const Tree& tree, Transaction& transaction, Services& services, const SettleOptions& options,
               const ApplyOutcome& outcome, Report& report) {
    report.findings.push_back(
        failed("config.applied", "The services did not take the new configuration", outcome.why(),
               "Mend what they name; journalctl -u aziot-edged -u aziot-identityd -n 50 shows more."));
    if (!transaction.changes_something()) {
        report.exit_code = ExitCode::apply_failed;
        note(report, "Nothing had been changed by this run, so nothing was to be undone.");
        return;
    }
    transaction.undo();
    report.exit_code = cloud_said_no(outcome) ? ExitCode::cloud_refused : ExitCode::apply_failed;
    std::string why;
    try {
        if (!options.had_config) {
            services.stop();
            remove_rendered(tree, options.rendered_before);
            note(report, "Applying failed; the previous state is back: this device is not provisioned.");
            return;
        }
        const ApplyOutcome again = services.apply(options.timeout);
        if (again.ok()) {
            note(report, "Applying failed; the previous state is back, and the services run with it.");
            return;
        }
        why = again.why();
    } catch (const Failure& failure) {
        why = failure.what();
    }
    report.exit_code = ExitCode::not_restored;
    note(report, "Applying failed. The previous files are back, but the services did not follow:\n" + why +
                     "\nBy hand: sudo iotedge config apply; sudo iotedge system status");
}

/// Applies; when it cannot even be tried, the files are taken back before the Failure goes on.
ApplyOutcome apply_or_undo(Services& services, Transaction& transaction, std::chrono::seconds timeout) {
    try {
        return services.apply(timeout);
    } catch (const Failure&) {
        transaction.undo();
        throw;
    }
}

/// Looks until the device awaits its deployment or runs. True when it does.
bool await_phase(const Context& context, const Tree& tree, Clock::time_point deadline, Report& report) {
    const auto begun = Clock::now();
    std::string told;
    for (;;) {
        const auto waited = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun);
        const Verdict verdict = judge(observations_of(context, tree, waited));
        report.phase = verdict.phase;
        report.data["because"] = verdict.because;
        report.data["next"] = verdict.next;
        if (verdict.phase == Phase::awaiting_deployment || verdict.phase == Phase::running) return true;
        if (verdict.because != told) context.log.info("waiting: {}", plain(verdict.because));
        told = verdict.because;
        if (Clock::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
}

}  // namespace

void note(Report& report, std::string text) {
    report.data["notes"].push_back(std::move(text));
}

void settle(const Context& context, const Tree& tree, Transaction& transaction, const SettleOptions& options,
            Report& report) {
    const auto deadline = Clock::now() + options.timeout;
    const auto leave_for_later = [&](const std::string& why) {
        append(report.findings, transaction.finish(false));
        report.phase = Phase::not_provisioned;
        note(report, why + " What remains, on the device: sudo iotedge config apply");
        report.data["remaining"] = {"sudo iotedge config apply"};
    };
    if (!tree.live()) return leave_for_later("Placed below " + tree.root() + ".");
    if (options.no_apply) return leave_for_later("Placed, not applied, as asked.");
    const auto services = services_of(context.world);
    if (!services->can_apply()) return leave_for_later("Placed, but the program iotedge is not installed here.");

    if (transaction.changes_something() || !applied_state(tree).applied) {
        context.log.debug("applying: iotedge config apply");
        const ApplyOutcome outcome = apply_or_undo(*services, transaction, options.timeout);
        if (!outcome.ok()) return take_back(tree, transaction, *services, options, outcome, report);
        note(report, "Applied: the services run with the new configuration.");
    }
    bool healthy = true;
    if (!options.no_wait) {
        healthy = await_phase(context, tree, deadline, report);
        if (healthy) {
            note(report,
                 "The device is " + std::string(to_text(report.phase)) + ": " + report.data.value("because", ""));
        } else {
            report.exit_code = ExitCode::timed_out;
            note(report, "Time ran out while waiting; the change stands. It is held up because " +
                             report.data.value("because", ""));
        }
        if (const auto next = report.data.value("next", std::string()); !next.empty()) note(report, "Next: " + next);
    }
    append(report.findings, transaction.finish(healthy && !options.no_wait));
}

}  // namespace eflow
