#include <memory>
#include <utility>

#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/duration.hpp"
#include "vm-agent/cli/interruption.hpp"
#include "vm-agent/cli/predecessor.hpp"
#include "vm-agent/cli/registration.hpp"
#include "vm-agent/cli/settle.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/config/device_info.hpp"
#include "vm-agent/config/diff.hpp"
#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/health/summary.hpp"
#include "vm-agent/identity/digest.hpp"
#include "vm-agent/machine/users.hpp"
#include "vm-agent/placement/custody.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/rendered.hpp"
#include "vm-agent/placement/transaction.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_file = 1024 * 1024;

struct UndoOptions {
    bool dry_run = false;
    bool no_wait = false;
    bool force = false;
    std::string timeout = "5min";
};

std::string text_at_path(const Tree& tree, const char* path) {
    const auto bytes = tree.read(path, largest_file);
    return bytes ? std::string(bytes->reveal()) : std::string();
}

std::string told(const Context& context, const Report& report, const std::string& heading) {
    const Style& style = context.style;
    std::string text = style.findings(report.findings, context.options.verbose);
    if (!report.changes.empty()) text += "\n" + style.strong(heading) + "\n" + style.changes(report.changes);
    if (const auto diff = report.data.value("diff", std::string()); !diff.empty())
        text += "\n" + style.strong("config.toml") + "\n" + style.diff(diff);
    if (report.data.contains("notes")) {
        text += "\n";
        for (const auto& one : report.data["notes"]) text += plain(one.get<std::string>()) + "\n";
    }
    return text;
}

Outcome refused(const Context& context, Findings findings) {
    Report report;
    report.exit_code = ExitCode::refused;
    report.findings = std::move(findings);
    note(report, "Refused: nothing was changed.");
    return {report, told(context, report, "")};
}

/// An interrupted change: what had not been committed goes, what had been is taken back; a removal is completed, since
/// the keys may be gone already.
Outcome end_interrupted(const Context& context, const Tree& tree, const UserTable& users, const Unfinished& one,
                        const UndoOptions& options) {
    Report report;
    report.data["undone"] = {{"verb", one.verb}, {"at", one.since}, {"interrupted", true}, {"committed", one.committed}};
    const std::string what = "The interrupted " + one.verb + (one.since.empty() ? "" : " of " + one.since);
    if (options.dry_run) {
        note(report, what + (one.committed ? " has put its config.toml in place; undo takes that back, or completes a removal."
                                           : " has changed nothing that counts; undo clears away what it had staged."));
        note(report, "Dry run: nothing was changed.");
        return {report, told(context, report, "")};
    }
    Transaction transaction(tree, users);
    const Interruption interruption;
    if (transaction.adopt()) {
        const std::string before = text_at_path(tree, names::previous_config);
        const bool had_config = could_be_applied(before);
        settle_back(context, tree, transaction,
                    {.no_wait = options.no_wait,
                     .timeout = parse_duration(options.timeout, "--timeout"),
                     .had_config = had_config},
                    report);
        note(report, what + " is taken back.");
    } else if (transaction.recover() == Leftover::undone) {
        note(report, what + " had changed nothing that counts; what it had staged is cleared away.");
    } else {
        stamp_settled(tree, users);
        note(report, what + " is completed.");
    }
    return {report, told(context, report, "Changes")};
}

/// What undo puts back, judged before anything is touched.
struct Target {
    Findings findings;
    Plan plan;
    std::string before;  ///< the config.toml that stands
    std::string after;   ///< the one that comes back; empty with plan.remove_config
    bool applies = false;
    bool moves = false;
};

/// A file of the identity that comes back: where config.toml names it, or out of custody. Anything else is refused.
void plan_material(const Tree& tree, const std::optional<std::string>& uri, const char* what, const Access& access,
                   Target& target) {
    const auto path = uri ? path_of_file_uri(*uri) : std::nullopt;
    if (!path || tree.status(*path)) return;
    if (const auto bytes = tree.read(custody_of(*path), largest_file)) {
        target.plan.material.push_back({*path, access, *bytes});
        return;
    }
    target.findings.push_back(failed(
        "config.undo", std::string("The ") + what + " of the previous configuration is gone", *path,
        "Bring the file back to that path, or provision this device with what it is to have: eflow-agent provision --help"));
}

Target judge_target(const Context& context, const Tree& tree, const LastChange& last, bool force) {
    Target target;
    target.before = text_at_path(tree, places::config);
    target.after = last.replaced_config ? text_at_path(tree, names::previous_config) : std::string();
    Plan& plan = target.plan;
    const std::string stands = tree.status(places::config) ? sha256_hex(target.before) : std::string();
    if (stands != last.config_sha256 && !force)
        target.findings.push_back(failed(
            "config.undo", "config.toml is no longer what the last change made of it",
            "the " + last.verb + " of " + last.at + " was followed by other changes of " + places::config +
                ", which undo would take back too",
            "eflow-agent undo --dry-run --force shows the difference; if all of it is to go: sudo eflow-agent undo --force"));
    if (last.replaced_config && target.after.empty() && !tree.status(names::previous_config))
        target.findings.push_back(failed("config.undo", "The previous config.toml is gone", names::previous_config,
                                         "Provision this device with what it is to have: eflow-agent provision --help"));
    const auto provisioning = read_provisioning(target.after);
    if (provisioning) {
        plan_material(tree, provisioning->identity_cert, "certificate", {"root", "aziotcs", 0644}, target);
        plan_material(tree, provisioning->identity_pk, "private key", {"root", "aziotks", 0440}, target);
    }
    target.applies = could_be_applied(target.after);
    plan.verb = "undo";
    plan.since = to_text(context.world.now);
    plan.record = read_record(tree);
    plan.config = {places::config, {"root", "root", 0600}, SecretBytes(std::string_view(target.after))};
    plan.remove_config = !last.replaced_config;
    plan.kept = predecessor(tree, target.before, target.after);
    plan.retired = material_not_named_in(tree, target.after);
    if (!plan.material.empty())
        plan.directories = {{places::material, {"root", "root", 0755}, true},
                            {places::certificates, {"root", "aziotcs", 0755}, true},
                            {places::secrets, {"root", "aziotks", 0750}, true}};
    if (const auto wanted = registration_in(tree, target.after))
        if (auto move = judge_move(tree, plan.record, target.before, *wanted)) {
            target.moves = true;
            plan.set_aside.emplace_back(device_info_path);
            target.findings.push_back(std::move(*move));
        }
    return target;
}

/// Back to a device that is not provisioned: the services first, as deprovision does it.
void put_back_unprovisioned(const Context& context, const Tree& tree, const UserTable& users, Target& target,
                            Transaction& transaction, Report& report) {
    for (auto& path : rendered_present(tree)) target.plan.retired.push_back(std::move(path));
    if (tree.live()) services_of(context)->stop();
    append(report.findings, transaction.stage(target.plan));
    transaction.commit();
    append(report.findings, transaction.finish(true));
    if (tree.live()) stamp_settled(tree, users);
    report.phase = Phase::not_provisioned;
    note(report, "This device is not provisioned, as before; the services are stopped.");
}

/// An undo that was interrupted after its commit is seen through: applied, waited for, and the rest cleared away.
Outcome see_through(const Context& context, const Tree& tree, const UserTable& users, const UndoOptions& options) {
    Report report;
    const std::string standing = text_at_path(tree, places::config);
    if (!could_be_applied(standing)) {
        if (tree.live()) services_of(context)->stop();
        report.phase = Phase::not_provisioned;
    } else {
        Plan plan;
        plan.config = {places::config, {"root", "root", 0600}, SecretBytes(std::string_view(standing))};
        plan.kept = predecessor(tree, standing, standing);
        plan.retired = material_not_named_in(tree, standing);
        plan.verb = "undo";
        plan.since = to_text(context.world.now);
        plan.record = read_record(tree);
        Transaction transaction(tree, users);
        append(report.findings, transaction.stage(plan));
        transaction.commit();
        settle(context, tree, transaction,
               {.no_wait = options.no_wait,
                .timeout = parse_duration(options.timeout, "--timeout"),
                .rendered_before = read_rendered(tree),
                .had_config = true},
               report);
        report.changes = transaction.changes();
    }
    note(report, "The interrupted undo is completed.");
    return {report, told(context, report, "Changes")};
}

Outcome undo(const Context& context, const UndoOptions& options) {
    const auto timeout = parse_duration(options.timeout, "--timeout");
    const Tree tree = tree_of(context);
    require_root(context, tree, "undo");
    const UserTable users = read_users(tree);
    std::unique_ptr<ChangeLock> lock;
    if (!options.dry_run)
        lock = std::make_unique<ChangeLock>(tree, users, lock_asked(context, "undo", !options.no_wait));
    const auto one = unfinished_change(tree);
    if (one && one->settled && !options.dry_run && one->verb != "undo") {
        Transaction(tree, users).recover();  // completes it; from here on it is the last change
    } else if (one) {
        if (one->verb != "undo" || options.dry_run) return end_interrupted(context, tree, users, *one, options);
        if (Transaction(tree, users).recover() == Leftover::committed) return see_through(context, tree, users, options);
    }

    const ChangeRecord record = read_record(tree);
    if (!record.last)
        return refused(context, {failed("config.undo", "There is nothing to take back",
                                        std::string("no change of this agent is on record in ") + places::state +
                                            ", or the last one took the identity off this device",
                                        "eflow-agent status says where the device is.")});
    Target target = judge_target(context, tree, *record.last, options.force);
    if (gravest(target.findings) == Severity::failed) return refused(context, std::move(target.findings));

    Report report;
    report.findings = std::move(target.findings);
    report.data["undone"] = {{"verb", record.last->verb}, {"at", record.last->at}, {"interrupted", false}};
    const std::string diff = unified_diff(redacted(target.before), redacted(target.after), places::config,
                                          target.plan.remove_config ? "/dev/null" : places::config);
    if (!diff.empty()) report.data["diff"] = diff;
    if (options.dry_run) {
        report.changes = preview(tree, users, target.plan);
        note(report, "Undo would take back the " + record.last->verb + " of " + record.last->at + ".");
        note(report, "Dry run: nothing was changed.");
        return {report, told(context, report, "Plan")};
    }
    Transaction transaction(tree, users);
    const Interruption interruption;
    if (!target.applies) {
        put_back_unprovisioned(context, tree, users, target, transaction, report);
    } else {
        const SettleOptions settling{.no_wait = options.no_wait,
                                     .timeout = timeout,
                                     .rendered_before = read_rendered(tree),
                                     .had_config = could_be_applied(target.before),
                                     .moves = target.moves};
        append(report.findings, transaction.stage(target.plan));
        transaction.commit();
        settle(context, tree, transaction, settling, report);
        if (tree.live() && report.exit_code == ExitCode::done && !options.no_wait)
            remember_registration(tree, users, target.after);
    }
    report.changes = transaction.changes();
    if (report.exit_code == ExitCode::done)
        note(report, "The " + record.last->verb + " of " + record.last->at + " is taken back; undo again brings it back.");
    return {report, told(context, report, "Changes")};
}

}  // namespace

Handler declare_undo(CLI::App& app) {
    auto options = std::make_shared<UndoOptions>();
    app.add_flag("--dry-run", options->dry_run, "Show what would come back; change nothing");
    app.add_flag("--no-wait", options->no_wait,
                 "Do not wait: neither for another change under way nor for the device to come up");
    app.add_option("--timeout", options->timeout, "How long to wait for the device to come up (default 5min)")
        ->type_name("TIME");
    app.add_flag("--force", options->force, "Also when config.toml has been changed by others since");
    return [options](const Context& context) { return undo(context, *options); };
}

}  // namespace eflow
