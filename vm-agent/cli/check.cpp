#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "shared/manifest.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/health/verdict.hpp"

namespace eflow {

namespace {

struct CheckOptions {
    std::vector<std::string> only;
    std::vector<std::string> skip;
    bool offline = false;
    bool list = false;
};

/// `pattern` is an id, or an area ("identity").
bool matches(const std::string& id, const std::string& pattern) {
    return id == pattern || (id.size() > pattern.size() && id.starts_with(pattern) && id[pattern.size()] == '.');
}

bool any_matches(const std::string& id, const std::vector<std::string>& patterns) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return matches(id, pattern); });
}

void require_known(const std::vector<std::string>& patterns) {
    std::set<std::string> known;
    for (const auto& check : checks()) {
        const std::string id = check.id;
        known.insert(id);
        known.insert(id.substr(0, id.find('.')));
    }
    for (const auto& pattern : patterns) {
        if (known.count(pattern) > 0) continue;
        const auto near = nearest(pattern.substr(0, 64), known);
        throw Failure(ExitCode::usage, "there is no check '" + pattern.substr(0, 64) + "'",
                      near ? "Did you mean " + *near + "?" : "eflow-agent check --list shows them.");
    }
}

Outcome list_checks() {
    Report report;
    std::string text;
    for (const auto& check : checks()) {
        report.data["checks"].push_back(
            {{"id", check.id}, {"description", check.description}, {"needs_network", check.needs_network}});
        const std::string id = check.id;
        text += id + std::string(id.size() < 40 ? 40 - id.size() : 1, ' ') + check.description + "\n";
    }
    return {report, text};
}

/// Why "nothing has failed" would say more than was looked at; empty when it does not. What was asked for decides: who
/// asked for the modules alone does not need to read config.toml.
std::string too_little_seen(const Observations& seen, const Tree& tree, const Report& report,
                            const CheckOptions& options) {
    const auto of_files = [](const Finding& finding) {
        return any_matches(finding.id, {"config", "identity", "files"});
    };
    const bool asked = std::any_of(report.findings.begin(), report.findings.end(), of_files);
    if (asked && !seen.config.value) return "config.toml could not be read (" + seen.config.why + "); run it with sudo";
    if (!tree.live() || report.phase != Phase::unknown || !options.only.empty()) return {};
    if (!seen.units.value) return "systemd could not be asked (" + seen.units.why + ")";
    if (!seen.containers.value) return "the containers could not be seen (" + seen.containers.why + "); run it with sudo";
    return {};
}

Outcome check(const Context& context, const CheckOptions& options) {
    require_known(options.only);
    require_known(options.skip);
    if (options.list) return list_checks();

    const Tree tree = tree_of(context);
    Observations seen = observations_of(context, tree);
    const bool network = std::any_of(checks().begin(), checks().end(), [&](const Check& row) {
        return row.needs_network && (options.only.empty() || any_matches(row.id, options.only)) &&
               !any_matches(row.id, options.skip);
    });
    if (options.offline)
        seen.no_reach = "left out with --offline";
    else if (!tree.live())
        seen.no_reach = "below --root nothing is connected to";
    else if (network)
        reach_cloud(context, seen);

    Verdict verdict = judge(seen);
    Report report;
    report.phase = verdict.phase;
    report.data["because"] = verdict.because;
    report.data["next"] = verdict.next;
    for (auto& finding : verdict.findings)
        if ((options.only.empty() || any_matches(finding.id, options.only)) && !any_matches(finding.id, options.skip))
            report.findings.push_back(std::move(finding));
    report.exit_code = gravest(report.findings) == Severity::failed ? ExitCode::something_failed : ExitCode::done;
    const std::string unseen = report.exit_code == ExitCode::done ? too_little_seen(seen, tree, report, options) : "";
    if (!unseen.empty()) {
        report.exit_code = ExitCode::machine_lacks;
        report.data["unseen"] = unseen;
    }
    std::string text = context.style.findings(report.findings, true);
    text += "\n" + context.style.phase(verdict.phase) + "  " + plain(verdict.because) + "\n";
    if (!verdict.next.empty()) text += "Next: " + plain(verdict.next) + "\n";
    if (!unseen.empty()) text += "Too little could be seen to say that all is well: " + plain(unseen) + "\n";
    return {report, text};
}

}  // namespace

Handler declare_check(CLI::App& app) {
    auto options = std::make_shared<CheckOptions>();
    app.add_option("--only", options->only, "Only these checks or areas: ID[,ID…]")->delimiter(',')->type_name("ID");
    app.add_option("--skip", options->skip, "Not these checks or areas: ID[,ID…]")->delimiter(',')->type_name("ID");
    app.add_flag("--offline", options->offline, "Leave out what needs the network");
    app.add_flag("--list", options->list, "List the checks; look at nothing");
    return [options](const Context& context) { return check(context, *options); };
}

}  // namespace eflow
