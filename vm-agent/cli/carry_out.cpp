#include "vm-agent/cli/carry_out.hpp"

#include <algorithm>
#include <utility>

#include <spdlog/logger.h>

#include "shared/failure.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/cli/duration.hpp"
#include "vm-agent/cli/interruption.hpp"
#include "vm-agent/cli/predecessor.hpp"
#include "vm-agent/cli/registration.hpp"
#include "vm-agent/cli/settle.hpp"
#include "vm-agent/config/device_info.hpp"
#include "vm-agent/config/diff.hpp"
#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/material.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/health/hostname.hpp"
#include "vm-agent/health/summary.hpp"
#include "vm-agent/health/verdict.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/machine/settings.hpp"
#include "vm-agent/machine/users.hpp"
#include "vm-agent/placement/check.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/key_copies.hpp"
#include "vm-agent/placement/readable.hpp"
#include "vm-agent/placement/rendered.hpp"
#include "vm-agent/placement/transaction.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_config = 1024 * 1024;

/// What cloud-init keeps of the config.toml that EFLOW's VM began with.
constexpr auto pristine_config = "/var/.eflow/config/config.toml.template";

/// Everything that is decided before the first write.
struct Prepared {
    UserTable users;
    Plan plan;
    std::string diff;
    bool had_config = false;  ///< one that the services could go back to
    bool moves = false;       ///< identityd is to register again
};

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
    plan.retired = material_not_named_in(tree, config_text);  // once the new one proved healthy
    return plan;
}

/// What is spliced into: config.toml, or what the VM began with where nobody can read config.toml and the request holds
/// all that is needed to write it anew.
std::string base_of(const Tree& tree, const std::string& before, JudgedRequest& request) {
    if (!request.adoption || can_be_read(before)) return before;
    std::string base;
    try {
        if (const auto pristine = tree.read(pristine_config, largest_config)) base = std::string(pristine->reveal());
    } catch (const Failure&) {
        // No regular file: as if there were none.
    }
    if (!can_be_read(base)) base.clear();
    request.findings.push_back(warning(
        "config.well-formed", "A config.toml that cannot be read is written anew", judge_config(before).front().detail,
        std::string("What stood there is kept in ") + names::previous_config + "; it is begun anew from " +
            (base.empty() ? "nothing" : pristine_config) + "."));
    return base;
}

/// What apply would refuse is told before anything is written. Asked only where the hostname changes at all.
void judge_new_hostname(const Context& context, const Tree& tree, const std::string& config, bool will_apply,
                        Findings& findings) {
    if (!tree.live()) return;
    const Material named = read_material(config);
    HostnamesSeen names = see_hostnames(tree, named);
    if (!names.rendered || names.configured == names.rendered) return;
    const Observations seen = observations_of(context, tree);
    names.machine = seen.hostnames.machine;
    if (!seen.containers.value) return;
    const auto refused = refused_hostname(names, *seen.containers.value);
    if (!refused) return;
    const std::string remedy = refused->remedy(engine_address(named.moby_uri), "run this again");
    const std::string detail = std::to_string(refused->modules) + " containers belong to edgeAgent";
    findings.push_back(will_apply ? failed("config.applied", refused->summary(), detail, remedy)
                                  : warning("config.applied", refused->summary(), detail, remedy));
}

/// The settings of [edge] that a manifest brought, this time and before, as far as they are still its own.
void remember_settings(ChangeRecord& record, const std::vector<EdgeSetting>& wanted) {
    for (const auto& one : wanted) {
        const auto known = std::find_if(record.added.begin(), record.added.end(),
                                        [&](const AddedSetting& added) { return added.path == one.path; });
        if (!one.stood && known == record.added.end())
            record.added.push_back({one.path, one.text});
        else if (known != record.added.end() && (!one.stood || one.stood == known->text))
            known->text = one.text;
    }
}

/// A device.toml on this device that says something else than what is asked for: each would undo the other's work.
void hold_against_manifest(const Tree& tree, const std::string& config_text, const std::string& manifest,
                           Findings& findings) {
    Observations seen;
    try {
        const auto standing = tree.read(places::manifest, largest_config);
        if (!standing || manifest == places::manifest) return;
        seen.manifest = Sight<FileSeen>::of({true, std::string(standing->reveal())});
    } catch (const Failure&) {
        return;  // check says that it cannot be read
    }
    const auto provisioning = read_provisioning(config_text);
    if (!provisioning) return;
    Finding finding = judge_manifest(seen, *provisioning);
    if (finding.severity != Severity::failed) return;
    finding.severity = Severity::warning;
    findings.push_back(std::move(finding));
}

/// The plan, or nothing with the failed findings appended.
std::optional<Prepared> prepare(const Context& context, const Tree& tree, const char* verb,
                                const ProvisionOptions& options, JudgedRequest& request) {
    const auto existing = tree.read(places::config, largest_config);
    const std::string before = existing ? std::string(existing->reveal()) : std::string();
    Spliced spliced = splice(base_of(tree, before, request), *request.config, options.force);
    append(request.findings, std::move(spliced.findings));
    if (!spliced.text) return std::nullopt;
    for (auto& finding : judge_config(*spliced.text))
        if (finding.id != "config.scope-id" && finding.id != "config.endpoint")
            request.findings.push_back(std::move(finding));
    judge_new_hostname(context, tree, *spliced.text, !options.no_apply, request.findings);
    if (gravest(request.findings) == Severity::failed) return std::nullopt;
    Prepared prepared;
    prepared.users = read_users(tree);
    prepared.plan = make_plan(tree, request, *spliced.text);
    Plan& plan = prepared.plan;
    plan.verb = verb;
    plan.since = to_text(context.world.now);
    plan.record = read_record(tree);
    remember_settings(plan.record, spliced.edge);
    plan.kept = predecessor(tree, before, *spliced.text);
    const Registration wanted{request.config->id_scope, request.config->global_endpoint,
                              request.config->registration_id.value_or(request.material->common_name)};
    if (auto move = judge_move(tree, plan.record, before, wanted)) {
        prepared.moves = true;
        plan.set_aside.emplace_back(device_info_path);
        request.findings.push_back(std::move(*move));
    }
    hold_against_manifest(tree, *spliced.text, options.manifest, request.findings);
    prepared.diff = unified_diff(redacted(before), redacted(*spliced.text), existing ? places::config : "/dev/null",
                                 places::config);
    prepared.had_config = existing && could_be_applied(before);
    return prepared;
}

/// Said before anything else: without IoT Edge nothing that was given can be of use here.
void require_iot_edge(const Tree& tree) {
    const auto missing = missing_users(read_users(tree));
    if (missing.size() < 3) return;
    throw Failure(ExitCode::machine_lacks,
                  "IoT Edge is not installed on this machine: none of its users is there (" + missing[0] + ", " +
                      missing[1] + ", " + missing[2] + ")" + (tree.live() ? "" : " below " + tree.root()),
                  "Install the packages aziot-identity-service and aziot-edge, then run this again.");
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
                "Let " + std::string(user) + " pass, then run this again: sudo chmod o+rx " +
                    shell_path(obstacle->segment));
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

/// Whether the device is up with what stands there now.
bool runs(const Context& context, const Tree& tree) {
    const Phase phase = judge(observations_of(context, tree)).phase;
    return phase == Phase::awaiting_deployment || phase == Phase::deploying || phase == Phase::running ||
           phase == Phase::degraded || phase == Phase::unknown;
}

/// The copies of the key that Provision-EflowVm left: they go now that the device is healthy with the new state, and
/// not a moment earlier. `config` is the config.toml of that state.
void clear_copies(const Tree& tree, const UserTable& users, const JudgedRequest& request, std::string_view config,
                  Report& report) {
    // What was taken back stands again, and the copy with it: it is the key in use.
    if (report.exit_code != ExitCode::done && report.exit_code != ExitCode::timed_out) return;
    const KeyCopies copies{request.material->chain.front(), request.key_path, request.adoption->named_keys,
                           request.adoption->spared};
    auto found = find_copies(tree, copies);
    // An Edge CA, an EST client: another setting may go by the same file.
    const std::vector<std::string> mentioned = read_material(config).mentioned;
    const auto named = std::stable_partition(found.begin(), found.end(), [&](const std::string& path) {
        return std::find(mentioned.begin(), mentioned.end(), path) == mentioned.end() &&
               config.find(file_uri(path)) == std::string_view::npos && config.find(path) == std::string_view::npos;
    });
    for (auto path = named; path != found.end(); ++path)
        report.findings.push_back(warning("files.no-stray-keys",
                                          "A copy of the private key stays: config.toml names it", *path,
                                          "Let that setting name " + request.key_path + ", then run this again."));
    found.erase(named, found.end());
    if (found.empty()) return;
    const bool healthy = report.exit_code == ExitCode::done &&
                         (report.phase == Phase::awaiting_deployment || report.phase == Phase::running);
    if (healthy && !request.adoption->keep_copies)
        return append(report.findings, remove_copies(tree, users, copies, found, report.changes));
    std::string all;
    for (const auto& path : found) all += (all.empty() ? "" : " ") + shell_path(path);
    report.findings.push_back(warning("files.no-stray-keys", "Copies of the private key lie about", all,
                                      request.adoption->keep_copies
                                          ? "They stay, as asked. Who may read them: ls -l " + all
                                          : "They go when post-install has run and the device is healthy."));
}

}  // namespace

Outcome carry_out(const Context& context, const Tree& tree, const char* verb, const ProvisionOptions& options,
                  const std::function<JudgedRequest()>& judge) {
    const auto timeout = parse_duration(options.timeout, "--timeout");
    require_iot_edge(tree);
    JudgedRequest request = judge();
    Report report;
    const auto refuse = [&] {
        report.exit_code = ExitCode::refused;
        report.findings = std::move(request.findings);
        note(report, "Refused: nothing was changed.");
        return Outcome{report, told(context, report, "", "")};
    };
    if (!request.material) return refuse();
    require_root(context, tree, verb);

    // A dry run looks without the lock: it writes nothing, and a reader needs none.
    if (options.dry_run) {
        const auto prepared = prepare(context, tree, verb, options, request);
        if (!prepared) return refuse();
        report.findings = std::move(request.findings);
        report.changes = preview(tree, prepared->users, prepared->plan);
        if (!prepared->diff.empty()) report.data["diff"] = prepared->diff;
        note(report, "Dry run: nothing was changed.");
        if (request.adoption) {
            report.data["source"] = request.adoption->source;
            clear_copies(tree, prepared->users, request, prepared->plan.config.contents.reveal(), report);
        }
        return {report, told(context, report, "Plan", identity_line(*request.material, context.world.now))};
    }

    const UserTable users = read_users(tree);
    const ChangeLock lock(tree, users, lock_asked(context, verb, !options.no_wait));
    Transaction transaction(tree, users);
    const Leftover leftover = transaction.recover();
    if (request.adoption) {
        // It was judged by what stood on the device, and only now can nobody else change that.
        request = judge();
        if (!request.material) return refuse();
    }
    const auto prepared = prepare(context, tree, verb, options, request);
    if (!prepared) return refuse();
    const SettleOptions settling{.no_apply = options.no_apply,
                                 .no_wait = options.no_wait,
                                 .timeout = timeout,
                                 .rendered_before = read_rendered(tree),
                                 .had_config = prepared->had_config,
                                 .ran_before = !tree.live() || !prepared->had_config || runs(context, tree),
                                 .copies_may_lie_about = request.adoption.has_value(),
                                 .moves = prepared->moves};

    const Interruption interruption;
    context.log.debug("staging certificate, key and config.toml");
    append(request.findings, transaction.stage(prepared->plan));
    try {
        require_readable(tree, users, request);
    } catch (const Failure&) {
        transaction.undo();
        throw;
    }
    if (Interruption::asked()) {
        transaction.undo();
        throw Failure(ExitCode::apply_failed, "interrupted (" + Interruption::name() + ") before anything was changed",
                      "Run the same command again.");
    }
    transaction.commit();
    context.log.debug("committed: config.toml is in place");
    report.findings = std::move(request.findings);
    if (!prepared->diff.empty()) report.data["diff"] = prepared->diff;
    if (request.adoption) report.data["source"] = request.adoption->source;
    if (leftover == Leftover::undone) note(report, "An interrupted earlier run was undone first.");
    if (leftover == Leftover::committed) note(report, "An interrupted earlier run was completed.");

    settle(context, tree, transaction, settling, report);
    report.changes = transaction.changes();
    if (request.adoption) clear_copies(tree, users, request, prepared->plan.config.contents.reveal(), report);
    if (tree.live() && report.exit_code == ExitCode::done && !options.no_apply && !options.no_wait)
        remember_registration(tree, users, prepared->plan.config.contents.reveal());
    if (!changed(report.changes) && report.exit_code == ExitCode::done)
        note(report, "Nothing had to be changed: the device already has this identity and configuration.");
    return {report, told(context, report, "Changes", identity_line(*request.material, context.world.now))};
}

}  // namespace eflow
