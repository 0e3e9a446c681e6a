#include <memory>
#include <utility>

#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/interruption.hpp"
#include "vm-agent/cli/registration.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/config/device_info.hpp"
#include "vm-agent/config/diff.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/splice.hpp"
#include "vm-agent/health/summary.hpp"
#include "vm-agent/machine/users.hpp"
#include "vm-agent/placement/rendered.hpp"
#include "vm-agent/placement/transaction.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_config = 1024 * 1024;

struct DeprovisionOptions {
    bool purge = false;
    bool dry_run = false;
};

/// What is ours or was rendered for us, to be removed once config.toml no longer names it.
std::vector<std::string> ours(const Tree& tree, bool purge) {
    std::vector<std::string> paths;
    for (const char* folder : {places::secrets, places::certificates})
        for (const auto& name : tree.names(folder))
            if (name.starts_with("device-id-") && (name.ends_with(".key.pem") || name.ends_with(".cert.pem")))
                paths.push_back(std::string(folder) + "/" + name);
    for (auto& path : rendered_present(tree)) paths.push_back(std::move(path));
    if (!purge) return paths;
    // What identityd remembers of the registration: with it a later identity would start from the old assignment.
    for (const char* path : {device_info_path, "/var/lib/aziot/identityd/prev_state"})
        if (tree.status(path)) paths.emplace_back(path);
    return paths;
}

/// What manifests brought into config.toml outside of [provisioning].
std::vector<EdgeSetting> brought_by_manifests(const ChangeRecord& record) {
    std::vector<EdgeSetting> all;
    for (const auto& one : record.added) all.push_back({one.path, one.text, std::nullopt});
    return all;
}

Outcome deprovision(const Context& context, const DeprovisionOptions& options) {
    const Tree tree = tree_of(context);
    require_root(context, tree, "deprovision");
    const UserTable users = read_users(tree);
    Report report;
    report.phase = Phase::not_provisioned;

    std::unique_ptr<ChangeLock> lock;
    Transaction transaction(tree, users);
    if (!options.dry_run) {
        lock = std::make_unique<ChangeLock>(tree, users, lock_asked(context, "deprovision", true));
        transaction.recover();
    }
    const Interruption interruption;

    const auto existing = tree.read(places::config, largest_config);
    const std::string before = existing ? std::string(existing->reveal()) : std::string();
    Plan plan;
    plan.config = {places::config, {"root", "root", 0600}, {}};
    plan.remove_material = true;
    plan.retired = ours(tree, options.purge);
    plan.verb = "deprovision";
    plan.since = to_text(context.world.now);
    plan.record = read_record(tree);
    std::string after;
    if (existing) {
        Spliced spliced = remove_provisioning(before);
        if (!spliced.text) {
            report.findings = std::move(spliced.findings);
            report.exit_code = ExitCode::refused;
            return {report, context.style.findings(report.findings, false) + "\nRefused: nothing was changed.\n"};
        }
        after = std::move(*spliced.text);
        if (options.purge) after = remove_settings(after, brought_by_manifests(plan.record));
        plan.config.contents = SecretBytes(std::string_view(after));
    }
    // Nothing but white space left: the file was ours alone.
    plan.remove_config = after.find_first_not_of(" \t\r\n") == std::string::npos;

    const std::string diff = unified_diff(redacted(before), redacted(plan.remove_config ? std::string() : after),
                                          places::config, plan.remove_config ? "/dev/null" : places::config);
    if (!diff.empty()) report.data["diff"] = diff;
    std::string closing;
    if (options.dry_run) {
        report.changes = preview(tree, users, plan);
        if (options.purge) plan.retired.emplace_back(places::state);
        for (const auto& path : plan.retired) report.changes.push_back({path, Action::removed, "", "", ""});
        closing = "Dry run: nothing was changed.\n";
    } else {
        // The services go first: identityd must not meet a half-removed identity.
        if (tree.live()) services_of(context)->stop();
        append(report.findings, transaction.stage(plan));
        transaction.commit();
        transaction.finish(true);
        report.changes = transaction.changes();
        if (tree.live() && !options.purge) stamp_settled(tree, users);
        if (options.purge && lock->remove_state())
            report.changes.push_back({std::string(places::state), Action::removed, "", "", ""});
        closing = report.changes.empty() ? "There was nothing to remove.\n" : "The identity is off this device.\n";
        if (!options.purge && !report.changes.empty())
            closing +=
                "identityd still remembers its registration; --purge removes that too. The enrollment in DPS and the\n"
                "device in IoT Hub are untouched.\n";
    }
    std::string text = context.style.findings(report.findings, context.options.verbose);
    if (!report.changes.empty())
        text +=
            context.style.strong(options.dry_run ? "Plan" : "Changes") + "\n" + context.style.changes(report.changes);
    if (!diff.empty()) text += "\n" + context.style.strong("config.toml") + "\n" + context.style.diff(diff);
    return {report, text + "\n" + closing};
}

}  // namespace

Handler declare_deprovision(CLI::App& app) {
    auto options = std::make_shared<DeprovisionOptions>();
    app.add_flag("--purge", options->purge, "Also remove what identityd remembers, what manifests set in config.toml, and the agent's own state");
    app.add_flag("--dry-run", options->dry_run, "Show what would be removed; change nothing");
    return [options](const Context& context) { return deprovision(context, *options); };
}

}  // namespace eflow
