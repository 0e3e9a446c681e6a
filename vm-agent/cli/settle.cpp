#include "vm-agent/cli/settle.hpp"

#include <optional>
#include <thread>
#include <utility>

#include <spdlog/logger.h>

#include "shared/failure.hpp"
#include "vm-agent/cli/interruption.hpp"
#include "vm-agent/cli/registration.hpp"
#include "vm-agent/health/reasons.hpp"
#include "vm-agent/health/verdict.hpp"
#include "vm-agent/machine/users.hpp"

namespace eflow {

namespace {

using Clock = std::chrono::steady_clock;

/// Why a change is taken back: the exit code, and what says so.
struct Rejection {
    ExitCode code = ExitCode::apply_failed;
    Findings findings;
};

/// What the units that failed say of the change.
Consequence consequence_of(const ApplyOutcome& outcome, const Reasons& reasons) {
    std::vector<std::string> failed;
    for (const auto& unit : outcome.units)
        if (unit.failed()) failed.push_back(unit.unit);
    return reasons.consequence_of(failed);
}

/// The change is good, and what it meets with may pass: the way to the cloud, the cloud's own trouble. systemd starts the
/// services again until it does.
bool may_come_good(const ApplyOutcome& outcome) {
    if (outcome.exit_code != 0 || outcome.timed_out) return false;
    const Consequence consequence = consequence_of(outcome, read_reasons(outcome.journals));
    return consequence == Consequence::tries_again || consequence == Consequence::unknown;
}

Rejection rejection_of(const ApplyOutcome& outcome) {
    Rejection rejection;
    const Reasons reasons = read_reasons(outcome.journals);
    std::string meaning;
    std::string remedy;
    for (const auto& unit : outcome.units) {
        const Diagnosis* found = unit.failed() ? reasons.of(unit.unit) : nullptr;
        if (found == nullptr || found->cause == nullptr || found->cause->meaning.empty()) continue;
        meaning += "\n" + unit.unit + ": " + std::string(found->cause->meaning);
        remedy += (remedy.empty() ? "" : "\n") + std::string(found->cause->remedy);
    }
    if (remedy.empty())
        remedy = "Fix what they name; sudo journalctl -u aziot-edged -u aziot-identityd -n 50 shows more.";
    rejection.findings.push_back(failed("config.applied", "The services did not take the new configuration",
                                        outcome.why() + meaning, remedy));
    if (consequence_of(outcome, reasons) == Consequence::refused) {
        rejection.code = ExitCode::cloud_refused;
        rejection.findings.push_back(judge_registration(reasons.registration()));
    }
    return rejection;
}

/// The new configuration will not do: the previous files back, and the services with them.
void take_back(const Tree& tree, Transaction& transaction, Services& services, const SettleOptions& options,
               const Rejection& rejection, Report& report) {
    append(report.findings, rejection.findings);
    report.exit_code = rejection.code;
    if (!transaction.changes_something()) {
        note(report, "Nothing had been changed by this run, so nothing was to be undone.");
        return;
    }
    transaction.undo();
    std::string why;
    try {
        if (!options.had_config) {  // or one that apply cannot take: there is nothing for the services to run with
            services.stop();
            restore_rendered(tree, options.rendered_before);
            stamp_settled(tree, read_users(tree));
            note(report, "The previous state is back: this device is not provisioned.");
            if (!options.rendered_before.empty())
                note(report, "The services are stopped; they run as before with: sudo iotedge system restart");
            report.phase = Phase::not_provisioned;
            return;
        }
        const ApplyOutcome again = services.apply(options.timeout);
        if (again.ok() || may_come_good(again)) {
            note(report, "The previous state is back, and the services run with it.");
            if (options.moves) note(report, "identityd remembers its earlier registration again.");
            return;
        }
        why = again.why();
    } catch (const Failure& failure) {
        why = failure.what();
    }
    if (!options.ran_before) {
        note(report, "The previous state is back. The services do not run with it, as they did not before:\n" + why);
        return;
    }
    report.exit_code = ExitCode::not_restored;
    note(report, "The previous files are back, but the services did not follow:\n" + why +
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

/// A deployed device runs on without its hub: that a change is good shows when edgeAgent is with its hub again, where its
/// log says so.
bool is_up_with(const Observations& seen, Phase phase, bool changed) {
    const HubLink& link = seen.memory.agent.link;
    return phase == Phase::awaiting_deployment ||
           (phase == Phase::running && (!changed || link.is_shown() || link.state == HubLink::State::silent));
}

/// A signal came after the commit: what stands now, and what completes it or takes it back. The journal stays for that.
void interrupted(Report& report, const std::string& stands) {
    report.exit_code = ExitCode::timed_out;
    report.data["interrupted"] = Interruption::name();
    note(report, "Interrupted (" + Interruption::name() + "): " + stands +
                     "\nThe change is not over. To take it back: sudo eflow-agent undo\nTo go on with it: run the same "
                     "command again.");
}

/// How the device stands after the previous state has come back; what held up the change is told by its findings.
void show_previous(const Context& context, const Tree& tree, Report& report) {
    const Verdict verdict = judge(observations_of(context, tree));
    report.phase = verdict.phase;
    report.data["because"] = verdict.because;
    report.data["next"] = verdict.next;
}

enum class Waited { healthy, refused, broken, in_vain, interrupted };

/// A fault of this machine that has lasted so long is more than the unrest of a start: identityd has been started again
/// twice, every 5 seconds (aziot-identityd.service RestartSec).
constexpr std::chrono::seconds lasting{15};

/// Looks until the device awaits its deployment or runs, the cloud has refused it, the services cannot do their work, or
/// the time is over.
Waited await_phase(const Context& context, const Tree& tree, Clock::time_point deadline, bool changed,
                   bool copies_may_lie_about, Report& report) {
    const auto begun = Clock::now();
    std::string told;
    std::optional<Clock::time_point> broken_since;
    for (;;) {
        const auto waited = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun);
        Observations seen = observations_of(context, tree, waited);
        // What it says otherwise was told before the change, and no waiting mends it.
        seen.manifest = Sight<FileSeen>::unseen("it was held against the request before");
        seen.unfinished.reset();  // this very change
        if (copies_may_lie_about)
            std::erase_if(seen.files, [](const Finding& one) { return one.id == "files.no-stray-keys"; });
        const Verdict verdict = judge(seen);
        report.phase = verdict.phase;
        report.data["because"] = verdict.because;
        report.data["next"] = verdict.next;
        if (is_up_with(seen, verdict.phase, changed)) return Waited::healthy;
        const auto pass_on = [&](std::string_view area) {
            for (const auto& finding : verdict.findings)
                if (finding.severity == Severity::failed && std::string_view(finding.id).starts_with(area))
                    report.findings.push_back(finding);
        };
        if (verdict.consequence == Consequence::refused) {
            pass_on("cloud.registration");
            return Waited::refused;
        }
        if (verdict.consequence != Consequence::local)
            broken_since.reset();
        else if (!broken_since)
            broken_since = Clock::now();
        if (broken_since && (Clock::now() - *broken_since >= lasting || Clock::now() >= deadline)) {
            pass_on("services.");
            return Waited::broken;
        }
        if (verdict.because != told) context.log.info("waiting: {}", plain(verdict.because));
        told = verdict.because;
        if (Clock::now() >= deadline) return Waited::in_vain;
        for (int slice = 0; slice < 5; ++slice) {
            if (Interruption::asked()) return Waited::interrupted;
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
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
    const auto services = services_of(context);
    const auto take_back_for = [&](const Rejection& rejection) {
        take_back(tree, transaction, *services, options, rejection, report);
        if (report.phase != Phase::not_provisioned) show_previous(context, tree, report);
    };
    if (!services->can_apply()) return leave_for_later("Placed, but the program iotedge is not installed here.");

    if (transaction.changes_something() || !applied_state(tree).applied) {
        context.log.info("applying: iotedge config apply restarts the services");
        const ApplyOutcome outcome = apply_or_undo(*services, transaction, options.timeout);
        if (!outcome.ok() && !may_come_good(outcome)) return take_back_for(rejection_of(outcome));
        note(report, "Applied: the services run with the new configuration.");
    }
    if (Interruption::asked())
        return interrupted(report, "the new config.toml stands, and iotedge config apply has been run with it.");
    if (options.no_wait) return append(report.findings, transaction.finish(false));

    const Waited waited = await_phase(context, tree, deadline, transaction.changes_something(),
                                      options.copies_may_lie_about, report);
    if (waited == Waited::interrupted)
        return interrupted(report, "the services run with the new config.toml; the device is " +
                                       std::string(to_text(report.phase)) + ": " + report.data.value("because", ""));
    if (waited == Waited::refused)
        return take_back_for({ExitCode::cloud_refused, {}});
    if (waited == Waited::broken) return take_back_for({ExitCode::apply_failed, {}});
    if (waited == Waited::healthy) {
        note(report, "The device is " + std::string(to_text(report.phase)) + ": " + report.data.value("because", ""));
    } else {
        report.exit_code = ExitCode::timed_out;
        note(report, "Time ran out while waiting; the change stands. It is held up because " +
                         report.data.value("because", ""));
    }
    if (const auto next = report.data.value("next", std::string()); !next.empty()) note(report, "Next: " + next);
    append(report.findings, transaction.finish(waited == Waited::healthy));
}

void settle_back(const Context& context, const Tree& tree, Transaction& transaction, const SettleOptions& options,
                 Report& report) {
    const auto deadline = Clock::now() + options.timeout;
    if (!tree.live()) {
        transaction.undo();
        note(report, "The previous state is back below " + tree.root() + ".");
        return;
    }
    const auto services = services_of(context);
    take_back(tree, transaction, *services, options, {ExitCode::done, {}}, report);
    if (report.exit_code != ExitCode::done || !options.had_config || options.no_wait) return;
    const Waited waited = await_phase(context, tree, deadline, true, options.copies_may_lie_about, report);
    if (waited == Waited::healthy) {
        note(report, "The device is " + std::string(to_text(report.phase)) + ": " + report.data.value("because", ""));
        return;
    }
    report.exit_code = waited == Waited::refused ? ExitCode::cloud_refused : ExitCode::timed_out;
    note(report, "The device is not up with it: " + report.data.value("because", ""));
    if (const auto next = report.data.value("next", std::string()); !next.empty()) note(report, "Next: " + next);
}

}  // namespace eflow
