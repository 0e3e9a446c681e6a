#include "vm-agent/placement/install.hpp"

#include <algorithm>
#include <utility>

#include "vm-agent/placement/journal.hpp"

namespace eflow {

namespace {

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string((bytes + 1024 * 1024 - 1) / (1024 * 1024)) + " MiB";
}

constexpr const char* under_way = "install.change-under-way";
constexpr const char* image = "install.image";

Finding change_under_way() {
    return failed(under_way, "An earlier change of this device was interrupted and not completed",
                  std::string(names::journal) + " stands there",
                  "Complete it first: run the provision again that was interrupted, then this.");
}

}  // namespace

Findings judge_install(const InstallSight& sight) {
    Findings findings;
    if (!sight.image_carries.empty())
        findings.push_back(failed(image, "This image came with the agent: there is nothing to install",
                                  sight.image_carries + " stands there; a second agent would hide it, and its updates",
                                  "Use /usr/bin/eflow-agent; a copy that was installed before goes with "
                                  "eflow-agent install-self --uninstall."));
    if (sight.has_iot_edge_1_1 && !sight.has_iot_edge)
        findings.push_back(failed("install.edge-version", "This is EFLOW 1.1: the agent needs IoT Edge 1.2 or later",
                                  "/etc/iotedge/config.yaml belongs to IoT Edge 1.1, which left support on 2022-12-13",
                                  "Migrate the VM first: Start-EflowMigration on the Windows host."));
    else if (!sight.has_iot_edge)
        findings.push_back(warning("install.edge-version", "IoT Edge is not on this machine",
                                   "/usr/bin/iotedge does not exist",
                                   "Install aziot-edge; the watcher will see it come."));
    if (!sight.has_systemd)
        findings.push_back(failed("install.systemd", "This machine does not run systemd",
                                  "/run/systemd/system does not exist", "The watcher is a systemd service."));
    if (!sight.has_user && !sight.has_sysusers)
        findings.push_back(failed("install.user", "The watcher's user cannot be made",
                                  "systemd-sysusers is not on this machine",
                                  "Make it by hand, then run this again: useradd -r -s /usr/sbin/nologin eflow-agent"));
    if (sight.state_is_noexec)
        findings.push_back(
            failed("install.executable", "Programs on the data partition may not be run", "/var/lib is mounted noexec",
                   "Mount it with exec (mount -o remount,exec /var, and in /etc/fstab), or bake the agent "
                   "into the image with its RPM."));
    if (sight.free_bytes < sight.needed_bytes)
        findings.push_back(failed(
            "install.space", "The data partition is too full",
            mebibytes(sight.free_bytes) + " are free below /var/lib, " + mebibytes(sight.needed_bytes) + " are needed",
            "Free space (df -h /var/lib; docker system df), then run this again."));
    if (sight.change_under_way) findings.push_back(change_under_way());
    return findings;
}

Findings judge_uninstall(const InstallSight& sight) {
    Findings findings;
    if (sight.change_under_way) findings.push_back(change_under_way());
    return findings;
}

ExitCode refusal_code(const Findings& findings) {
    const bool only_image = std::all_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.severity != Severity::failed || finding.id == image;
    });
    return only_image ? ExitCode::refused : ExitCode::machine_lacks;
}

std::vector<InstallFile> installation(std::string program, std::string_view unit_template) {
    std::string unit(unit_template);
    constexpr std::string_view placeholder = "@AGENT@";
    for (std::size_t at = 0; (at = unit.find(placeholder, at)) != std::string::npos;)
        unit.replace(at, placeholder.size(), installed::program);
    return {{installed::program, std::move(program), 0755, {}},
            {installed::unit, std::move(unit), 0644, {}},
            {installed::wanted, {}, 0777, installed::unit}};
}

}  // namespace eflow
