#include <memory>
#include <utility>

#include <spdlog/logger.h>
#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/duration.hpp"
#include "vm-agent/cli/request.hpp"
#include "vm-agent/cli/settle.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/config/diff.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/machine/users.hpp"
#include "vm-agent/placement/readable.hpp"
#include "vm-agent/placement/rendered.hpp"
#include "vm-agent/placement/transaction.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_config = 1024 * 1024;

/// Everything that is decided before the first write.
struct Prepared {
    UserTable users;
    Plan plan;
    std::string diff;
};

/// Our material of earlier identities: goes once the new one proved healthy.
std::vector<std::string> older_material(const Tree& tree, const JudgedRequest& request) {
    std::vector<std::string> older;
    const auto collect = [&](const char* folder, std::string_view ending, const std::string& current) {
        for (const auto& name : tree.names(folder)) {
            const std::string path = std::string(folder) + "/" + name;
            if (name.starts_with("device-id-") && name.ends_with(ending) && path != current) older.push_back(path);
        }
    };
    collect(places::secrets, ".key.pem", request.key_path);
    collect(places::certificates, ".cert.pem", request.certificate_path);
    return older;
}

Plan make_plan(const Tree& tree, JudgedRequest& request, const std::string& config_text) {
    Plan plan;
    plan.directories = {{"/etc/aziot", {"root", "root", 0755}, false},
                        {places::material, {"root", "root", 0755}, true},
                        {places::certificates, {"root", "aziotcs", 0755}, true},
                        {places::secrets, {"root", "aziotks", 0750}, true}};
    plan.material.push_back({request.certificate_path,
                             {"root", "aziotcs", 0644},
                             SecretBytes(std::string_view(request.material->certificate_pem))});
    plan.material.push_back({request.key_path, {"root", "aziotks", 0440}, request.material->key_pem});
    plan.config = {places::config, {"root", "root", 0600}, SecretBytes(std::string_view(config_text))};
    plan.retired = older_material(tree, request);
    return plan;
}

/// The plan, or nothing with the failed findings appended.
std::optional<Prepared> prepare(const Tree& tree, JudgedRequest& request, bool force) {
    const auto existing = tree.read(places::config, largest_config);
    const std::string before = existing ? std::string(existing->reveal()) : std::string();
    Spliced spliced = splice(before, *request.config, force);
    append(request.findings, std::move(spliced.findings));
    if (!spliced.text) return std::nullopt;
    for (auto& finding : judge_config(*spliced.text))
        if (finding.id != "config.scope-id" && finding.id != "config.endpoint")
            request.findings.push_back(std::move(finding));
    if (gravest(request.findings) == Severity::failed) return std::nullopt;
    Prepared prepared;
    prepared.users = read_users(tree);
    prepared.plan = make_plan(tree, request, *spliced.text);
    prepared.diff = unified_diff(redacted(before), redacted(*spliced.text), existing ? places::config : "/dev/null",
                                 places::config);
    return prepared;
}

/// Upstream's readers, asked by upstream's own walk before the commit: identityd takes an unreadable certificate for a
/// missing one, so it must never come to that.
void require_readable(const Tree& tree, const UserTable& users, const JudgedRequest& request) {
    const auto demand = [&](const std::string& path, const char* user, const char* what) {
        if (const auto obstacle = reading_obstacle(tree, path, users.user(user)))
            throw Failure(
                ExitCode::machine_lacks,
                std::string(user) + " could not read the " + what + " " + path + ": " + obstacle->segment + " " +
                    obstacle->why,
                "Let " + std::string(user) + " pass: chmod o+rx " + obstacle->segment + ", then run this again.");
    };
    demand(request.certificate_path, "aziotcs", "certificate");
    demand(request.key_path, "aziotks", "private key");
}

bool changed(const std::vector<Change>& changes) {
    for (const auto& change : changes)
        if (change.action != Action::kept) return true;
    return false;
}

std::string identity_line(const IdentityMaterial& material, Instant now) {
    const CertificateFacts leaf = facts(material.chain.front(), now);
    return plain(material.common_name) + ", " + leaf.key + ", " + std::to_string(leaf.days_left) + " days left, " +
           std::to_string(material.chain.size()) + (material.chain.size() == 1 ? " certificate" : " certificates") +
           " sent, SHA-256 " + leaf.sha256.substr(0, 8) + "\n";
}

/// The text for people: everything the report says, in the order it happened.
std::string told(const Context& context, const Report& report, const std::string& heading,
                 const std::string& identity) {
    const Style& style = context.style;
    std::string text = style.findings(report.findings, context.options.verbose);
    if (!identity.empty()) text += "\n" + style.strong("Identity") + "\n  " + identity;
    if (!report.changes.empty()) text += "\n" + style.strong(heading) + "\n" + style.changes(report.changes);
    if (const auto diff = report.data.value("diff", std::string()); !diff.empty())
        text += "\n" + style.strong("config.toml") + "\n" + style.diff(diff);
    if (report.data.contains("notes")) {
        text += "\n";
        for (const auto& note : report.data["notes"]) text += plain(note.get<std::string>()) + "\n";
    }
    return text;
}

Outcome provision(const Context& context, const ProvisionOptions& options) {
    const auto timeout = parse_duration(options.timeout, "--timeout");
    const Tree tree = tree_of(context);
    JudgedRequest request = judge_request(options, tree, context.world.now);
    Report report;
    const auto refuse = [&] {
        report.exit_code = ExitCode::refused;
        report.findings = std::move(request.findings);
        note(report, "Refused: nothing was changed.");
        return Outcome{report, told(context, report, "", "")};
    };
    if (!request.material) return refuse();
    require_root(context, tree, "provision");

    // A dry run looks without the lock: it writes nothing, and a reader needs none.
    if (options.dry_run) {
        const auto prepared = prepare(tree, request, options.force);
        if (!prepared) return refuse();
        report.findings = std::move(request.findings);
        report.changes = preview(tree, prepared->users, prepared->plan);
        if (!prepared->diff.empty()) report.data["diff"] = prepared->diff;
        note(report, "Dry run: nothing was changed.");
        return {report, told(context, report, "Plan", identity_line(*request.material, context.world.now))};
    }

    const UserTable users = read_users(tree);
    const ChangeLock lock(tree, users, !options.no_wait);
    Transaction transaction(tree, users);
    const Leftover leftover = transaction.recover();
    const auto prepared = prepare(tree, request, options.force);
    if (!prepared) return refuse();
    const auto rendered_before = rendered_present(tree);
    const bool had_config = tree.status(places::config).has_value();

    context.log.debug("staging certificate, key and config.toml");
    append(request.findings, transaction.stage(prepared->plan));
    try {
        require_readable(tree, users, request);
    } catch (const Failure&) {
        transaction.undo();
        throw;
    }
    transaction.commit();
    context.log.debug("committed: config.toml is in place");
    report.findings = std::move(request.findings);
    if (!prepared->diff.empty()) report.data["diff"] = prepared->diff;
    if (leftover == Leftover::undone) note(report, "An interrupted earlier run was undone first.");
    if (leftover == Leftover::committed) note(report, "An interrupted earlier run was completed.");

    settle(context, tree, transaction, {options.no_apply, options.no_wait, timeout, rendered_before, had_config},
           report);
    report.changes = transaction.changes();
    if (!changed(report.changes) && report.exit_code == ExitCode::done)
        note(report, "Nothing had to be changed: the device already has this identity and configuration.");
    return {report, told(context, report, "Changes", identity_line(*request.material, context.world.now))};
}

}  // namespace

Handler declare_provision(CLI::App& app) {
    auto options = std::make_shared<ProvisionOptions>();
    app.add_option("--manifest", options->manifest, "Read everything from this device.toml; flags win over it")
        ->type_name("FILE");
    app.add_option("--scope-id", options->scope_id, "ID Scope of the DPS instance")->type_name("S");
    app.add_option("--registration-id", options->registration_id, "Registration ID; equals the certificate's CN")
        ->type_name("R");
    app.add_option("--cert", options->certificate, "Full-chain certificate, PEM: the leaf first")->type_name("FILE");
    app.add_option("--key", options->key, "Private key of the leaf, PEM, unencrypted")->type_name("FILE");
    app.add_option("--global-endpoint", options->global_endpoint, "DPS endpoint")
        ->type_name("URL")
        ->description("DPS endpoint (default " + std::string(DpsEndpoint::global) + ")");
    app.add_option("--payload", options->payload, "JSON on the device that identityd sends when it registers")
        ->type_name("FILE");
    app.add_option("--trust-bundle", options->trust_bundle, "CA certificates on the device for its modules")
        ->type_name("FILE");
    app.add_option("--enrollment", options->enrollment, "individual or group (default group)")
        ->check(CLI::IsMember({"individual", "group"}))
        ->type_name("KIND");
    app.add_option("--hostname", options->hostname, "Hostname for config.toml")->type_name("H");
    app.add_flag("--dry-run", options->dry_run, "Show the plan and the diff of config.toml; change nothing");
    app.add_flag("--no-apply", options->no_apply, "Place everything, but do not run iotedge config apply");
    app.add_flag("--no-wait", options->no_wait,
                 "Do not wait: neither for another change under way nor for the device to come up");
    app.add_option("--timeout", options->timeout, "How long to wait for the device to come up (default 5min)")
        ->type_name("TIME");
    app.add_flag("--allow-after-2038", options->allow_after_2038,
                 "Accept certificates that expire on or after 2038-01-01");
    app.add_flag("--force", options->force, "Replace another provisioning method that stands in config.toml");
    return [options](const Context& context) { return provision(context, *options); };
}

}  // namespace eflow
