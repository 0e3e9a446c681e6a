#include <memory>
#include <utility>

#include <unistd.h>
#include <CLI/CLI.hpp>

#include "vm-agent/cli/verb.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/errors.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_config = 1024 * 1024;

/// Whether config.toml already names an identity that was staged into the image (provision --root IMAGE).
bool is_staged(const Tree& tree) {
    const auto text = tree.read(places::config, largest_config);
    const auto standing = text ? read_provisioning(text->reveal()) : std::nullopt;
    return standing && standing->source == "dps" && standing->method == "x509" && standing->identity_cert;
}

void write_marker(const Tree& tree) {
    const auto folder = tree.directory(places::state);
    if (!folder) throw system_failure("cannot enter", places::state, ENOENT);
    fill(*folder, name_of(names::firstboot_done), "", {geteuid(), getegid(), 0644}, names::firstboot_done);
    rename_filled(*folder, name_of(names::firstboot_done), names::firstboot_done);
    sync_folder(*folder, names::firstboot_done);
}

Outcome firstboot(const Context& context) {
    const Tree tree = tree_of(context);
    require_root(context, tree, "firstboot");
    if (tree.status(names::firstboot_done)) return {{}, "What was baked in has been applied before: nothing to do.\n"};
    const bool has_manifest = tree.status(places::manifest).has_value();
    if (!has_manifest && !is_staged(tree)) {
        Report report;
        report.phase = Phase::not_provisioned;
        return {report, "Nothing was baked in: the device waits for an identity (eflow-agent provision --help).\n"};
    }
    // The same course as for what Provision-EflowVm leaves behind.
    CLI::App command;
    const Handler adopt = declare_post_install(command);
    if (has_manifest)
        command.parse(std::string("--manifest ") + places::manifest);
    else
        command.parse(std::string());
    Outcome outcome = adopt(context);
    // Once: also when the cloud was not there in time, since the services go on trying by themselves.
    if (outcome.report.exit_code == ExitCode::done || outcome.report.exit_code == ExitCode::timed_out)
        write_marker(tree);
    return outcome;
}

}  // namespace

Handler declare_firstboot(CLI::App&) {
    return [](const Context& context) { return firstboot(context); };
}

}  // namespace eflow
