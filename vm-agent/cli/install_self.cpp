#include <sys/statvfs.h>

#include <chrono>
#include <memory>
#include <utility>

#include <spdlog/logger.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/settle.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/machine/input.hpp"
#include "vm-agent/machine/packaged.hpp"
#include "vm-agent/machine/process.hpp"
#include "vm-agent/machine/unit_start.hpp"
#include "vm-agent/machine/users.hpp"
#include "vm-agent/placement/install.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/transaction.hpp"
#include "vm-agent/placement/user_entries.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_program = 256 * 1024 * 1024;
constexpr std::uint64_t spare_bytes = 1024 * 1024;
constexpr std::chrono::seconds patience{60};
constexpr const char* sysusers = "/usr/bin/systemd-sysusers";
constexpr const char* userdel = "/usr/sbin/userdel";
constexpr const char* image_unit = "/usr/lib/systemd/system/eflow-agent.service";

struct InstallOptions {
    bool uninstall = false;
    bool dry_run = false;
};

bool has_user(const Tree& tree) {
    return read_users(tree).users.count(std::string_view(installed::user)) > 0;
}

std::string own_program() {
    const InputFile file = read_input("/proc/self/exe", largest_program);
    if (file.state != InputFile::State::read)
        throw Failure(ExitCode::machine_lacks, "the agent cannot read its own program: " + file.why,
                      "Check that /proc is mounted.");
    return std::string(file.bytes.reveal());
}

InstallSight look_around(const Tree& tree, std::size_t program_size) {
    InstallSight sight;
    sight.has_systemd = tree.status(tree.live() ? "/run/systemd/system" : "/usr/lib/systemd/system").has_value();
    // Below --root this machine's own program makes the user there.
    sight.has_sysusers = tree.live() ? tree.status(sysusers).has_value() : access(sysusers, X_OK) == 0;
    sight.has_user = has_user(tree);
    if (tree.status(image_unit)) sight.image_carries = image_unit;
    sight.has_iot_edge = tree.status("/usr/bin/iotedge").has_value() && tree.status("/etc/aziot").has_value();
    sight.has_iot_edge_1_1 = tree.status("/etc/iotedge/config.yaml").has_value();
    sight.change_under_way = tree.status(names::journal).has_value();
    auto folder = tree.directory(places::state);
    if (!folder) folder = tree.directory("/var/lib");
    struct statvfs file_system {};
    if (folder && fstatvfs(folder->get(), &file_system) == 0) {
        sight.state_is_noexec = (file_system.f_flag & ST_NOEXEC) != 0;
        sight.free_bytes = std::uint64_t{file_system.f_bavail} * file_system.f_frsize;
    }
    const auto standing = tree.status(installed::program);
    const bool same_size = standing && static_cast<std::size_t>(standing->st_size) == program_size;
    sight.needed_bytes = (same_size ? 0 : program_size) + spare_bytes;
    return sight;
}

/// The user, with the groups of packaging/units' sysusers file. Adding what is there already changes nothing.
void make_user(const Tree& tree) {
    std::vector<std::string> command{sysusers};
    if (!tree.live()) command.push_back("--root=" + tree.root());
    command.emplace_back("--inline");
    std::string_view rest = packaged::sysusers;
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (!line.empty() && line.front() != '#') command.emplace_back(line);
    }
    const ProcessResult result = run_process(command, patience, 64 * 1024);
    if (result.exit_code != 0 || !has_user(tree))
        throw Failure(ExitCode::machine_lacks, "the watcher's user could not be made: " + result.output,
                      "Make it by hand, then run this again: useradd -r -s /usr/sbin/nologin eflow-agent");
}

/// Removes the user: on the running machine by its own program, below --root by taking its entries out. Whether it is
/// gone then.
bool remove_user(const Tree& tree) {
    if (!has_user(tree)) return true;
    if (!tree.live())
        remove_user_entries(tree, installed::user);
    else if (access(userdel, X_OK) == 0)
        run_process({userdel, installed::user}, patience, 64 * 1024);
    return !has_user(tree);
}

Outcome refusal(const Context& context, Findings findings) {
    Report report;
    report.exit_code = refusal_code(findings);
    report.findings = std::move(findings);
    return {report, context.style.findings(report.findings, context.options.verbose) + "\nNothing was changed.\n"};
}

std::string told(const Context& context, const Report& report, const char* heading, const std::string& closing) {
    std::string text = context.style.findings(report.findings, context.options.verbose);
    if (!report.changes.empty()) text += context.style.strong(heading) + "\n" + context.style.changes(report.changes);
    return text + "\n" + closing;
}

bool all_kept(const std::vector<Change>& changes) {
    for (const auto& change : changes)
        if (change.action != Action::kept) return false;
    return true;
}

std::string why_not_up(const UnitStart& start) {
    std::string text = std::string(installed::unit_name) + ": " + start.seen.active + " (" + start.seen.sub + ")";
    if (!start.job.empty() && start.job != "done") text += ", its job ended as " + start.job;
    if (start.seen.exit_status != 0) text += ", exit status " + std::to_string(start.seen.exit_status);
    for (const auto& line : start.last_lines) text += "\n  " + line;
    return text;
}

/// Starts what was put in place and sees it run; otherwise what stood before comes back. Returns the exit code.
ExitCode prove(const Context& context, Installer& installer, const std::vector<InstallFile>& files, Report& report) {
    bool had_one = false;
    for (const auto& change : report.changes)
        if (change.path == installed::unit && change.action != Action::created) had_one = true;
    UnitStart start;
    try {
        reload_units();
        start = look_at_unit(installed::unit_name);
        const bool runs = start.seen.active == "active" && start.program == installed::program;
        if (runs && all_kept(report.changes)) {
            installer.keep(files);
            return ExitCode::done;
        }
        context.log.info("starting {}", installed::unit_name);
        start = restart_unit(installed::unit_name, patience);
    } catch (const Failure&) {
        installer.take_back(files);
        throw;
    }
    if (start.ok() && start.program == installed::program) {
        installer.keep(files);
        return ExitCode::done;
    }
    report.findings.push_back(failed("install.runs", "The watcher does not come up; what was there before is back",
                                     why_not_up(start), "Look at its messages: journalctl -u eflow-agent"));
    if (!had_one) stop_unit(installed::unit_name, patience);
    installer.take_back(files);
    reload_units();
    if (had_one) restart_unit(installed::unit_name, patience);
    return ExitCode::apply_failed;
}

Outcome install(const Context& context, const Tree& tree, bool dry_run) {
    std::string program = own_program();
    const std::size_t size = program.size();
    const auto files = installation(std::move(program), packaged::watcher_unit);
    Report report;
    report.data["program"] = installed::program;
    const auto judged = [&] { return judge_install(look_around(tree, size)); };
    report.findings = judged();
    if (gravest(report.findings) == Severity::failed) return refusal(context, std::move(report.findings));
    if (dry_run) {
        report.changes = preview(tree, files);
        return {report, told(context, report, "Plan", "Dry run: nothing was changed.\n")};
    }

    const UserTable users = read_users(tree);
    const ChangeLock lock(tree, users, lock_asked(context, "install-self", true));
    // Under the lock once more: another run may have changed what was seen.
    report.findings = judged();
    if (gravest(report.findings) == Severity::failed) return refusal(context, std::move(report.findings));
    const bool user_is_new = !has_user(tree);
    const bool state_is_new = !tree.status(installed::watch_state);
    make_user(tree);
    Installer installer(tree);
    try {
        report.changes = installer.put(files);
        if (tree.live())
            report.exit_code = prove(context, installer, files, report);
        else
            installer.keep(files);
    } catch (const Failure&) {
        if (user_is_new) remove_user(tree);
        throw;
    }
    if (report.exit_code != ExitCode::done) {
        if (state_is_new) remove_tree(tree, installed::watch_state);
        if (user_is_new) remove_user(tree);
        report.changes.clear();
        return {report, told(context, report, "", "The agent was not installed.\n")};
    }
    std::string closing;
    if (all_kept(report.changes)) closing = "It was installed already: nothing had to be changed.\n";
    closing += std::string("The agent is ") + installed::program +
               (tree.live() ? "; its watcher runs (systemctl status eflow-agent).\n"
                            : "; its watcher starts when this image boots.\n");
    return {report, told(context, report, "Changes", closing)};
}

Outcome uninstall(const Context& context, const Tree& tree, bool dry_run) {
    const InstallSight sight = look_around(tree, 0);
    Report report;
    report.findings = judge_uninstall(sight);
    if (gravest(report.findings) == Severity::failed) return refusal(context, std::move(report.findings));
    const bool of_the_image = !sight.image_carries.empty();
    if (!is_installed(tree) && (of_the_image || (!sight.has_user && !tree.status(places::state))))
        return {report, of_the_image ? "install-self has put nothing here; the image's own agent stays.\n"
                                     : "There was nothing to remove.\n"};
    if (dry_run) {
        for (const char* path : {installed::wanted, installed::unit, installed::program, installed::watch_state})
            if (tree.status(path)) report.changes.push_back({path, Action::removed, "", "", ""});
        return {report, told(context, report, "Plan", "Dry run: nothing was changed.\n")};
    }
    ChangeLock lock(tree, read_users(tree), lock_asked(context, "install-self", true));
    if (tree.live()) stop_unit(installed::unit_name, patience);
    report.changes = remove_installation(tree);
    if (of_the_image) {
        // Our link hid the image's own, and taking it away hides that one for good: /etc is an overlay.
        Installer(tree).put({{installed::wanted, {}, 0777, image_unit}});
    }
    if (tree.live()) reload_units();
    if (of_the_image) {
        // State and user are the image's agent's from now on.
        if (tree.live()) restart_unit(installed::unit_name, patience);
        return {report, told(context, report, "Changes", "The image's own agent serves again.\n")};
    }
    if (remove_tree(tree, installed::watch_state))
        report.changes.push_back({installed::watch_state, Action::removed, "", "", ""});
    if (!remove_user(tree))
        report.findings.push_back(warning("install.user", "The watcher's user is still there",
                                          std::string(userdel) + " is not on this machine or would not remove it",
                                          "It owns nothing any more and may stay: getent passwd eflow-agent"));
    if (lock.remove_state())
        report.changes.push_back({places::state, Action::removed, "", "", ""});
    else
        report.findings.push_back(warning("install.state",
                                          std::string(places::state) + " holds something else, and stays", "",
                                          std::string("Look at it: ls -lA ") + places::state));
    return {report, told(context, report, "Changes",
                         "The agent is off this machine; the device's identity and configuration stay as they are.\n")};
}

}  // namespace

Handler declare_install_self(CLI::App& app) {
    auto options = std::make_shared<InstallOptions>();
    app.add_flag("--uninstall", options->uninstall, "Take the agent off this machine again, with its history");
    app.add_flag("--dry-run", options->dry_run, "Show what would be done; change nothing");
    return [options](const Context& context) {
        const Tree tree = tree_of(context);
        require_root(context, tree, "install-self");
        return options->uninstall ? uninstall(context, tree, options->dry_run)
                                  : install(context, tree, options->dry_run);
    };
}

}  // namespace eflow
