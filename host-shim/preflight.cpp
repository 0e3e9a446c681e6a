#include "host-shim/preflight.hpp"

#include <array>
#include <charconv>
#include <string_view>

#include "host-shim/module.hpp"
#include "shared/eflow_support.hpp"

namespace eflow {

namespace {

constexpr int oldest_build =
    17763;  // Windows 10 1809 and Windows Server 2019 (iot-edge-prerequisites-linux-on-windows)
constexpr std::string_view system_sid = "S-1-5-18";

std::string problem_text(const HostFacts& facts, const char* name) {
    const auto problem = facts.problems.find(name);
    if (problem == facts.problems.end()) return "it was not seen";
    std::string text = problem->second.message;
    if (!problem->second.id.empty()) text += " [" + problem->second.id + "]";
    if (!problem->second.position.empty()) text += "\n" + problem->second.position;
    return text;
}

bool has_problem(const HostFacts& facts, const char* name) {
    return facts.problems.count(name) > 0;
}

Finding judge_elevation(const HostFacts& facts) {
    if (!facts.user)
        return failed("host.elevated", "Who runs this could not be seen", problem_text(facts, "user"),
                      "Run this in an elevated console.");
    if (!facts.user->elevated)
        return failed("host.elevated", "This console is not elevated",
                      facts.user->name + " runs without administrator privilege; no EFLOW cmdlet works so",
                      "Open a console with 'Run as administrator' and run this again.");
    return ok("host.elevated", "Elevated", facts.user->name);
}

Finding judge_windows(const HostFacts& facts) {
    if (!facts.windows)
        return warning("host.windows", "The version of Windows could not be seen", problem_text(facts, "windows"), "");
    const auto& windows = *facts.windows;
    const std::string seen = windows.product + ", " + windows.edition + ", build " + windows.build;
    int build = 0;
    const auto [end, error] = std::from_chars(windows.build.data(), windows.build.data() + windows.build.size(), build);
    if (error != std::errc{} || end != windows.build.data() + windows.build.size())
        return warning("host.windows", "The build of Windows could not be understood", seen, "");
    if (build < oldest_build)
        return failed("host.windows", "This Windows is too old for EFLOW", seen,
                      "EFLOW needs build 17763 (Windows 10 1809, Windows Server 2019) with all updates.");
    if (!windows.kind.starts_with("Server"))
        for (const std::string_view home : {"Core", "CoreSingleLanguage", "CoreCountrySpecific", "CoreN"})
            if (windows.edition == home)
                return failed("host.windows", "This edition of Windows has no EFLOW", seen,
                              "EFLOW needs Pro, Enterprise, IoT Enterprise or Windows Server.");
    return ok("host.windows", "Windows is one that EFLOW runs on", seen);
}

Finding judge_policy(const HostFacts& facts) {
    if (!facts.powershell)
        return warning("host.powershell", "PowerShell's settings could not be seen", problem_text(facts, "powershell"),
                       "");
    const auto& shell = *facts.powershell;
    const std::string seen = "version " + shell.version + ", execution policy " + shell.policy + ", " + shell.language;
    if (shell.language != "FullLanguage")
        return failed("host.powershell", "PowerShell runs in " + shell.language, seen,
                      "An application control policy restricts it; the EFLOW cmdlets need the full language.");
    if (shell.policy == "Restricted" || shell.policy == "Undefined")
        return failed("host.powershell", "The execution policy keeps the EFLOW module out", seen,
                      "Set-ExecutionPolicy AllSigned -Force in an elevated console.");
    return ok("host.powershell", "PowerShell will run the EFLOW cmdlets", seen);
}

Finding judge_module(const HostFacts& facts) {
    if (facts.installed.empty())
        return failed(
            "host.module", "EFLOW is not installed",
            has_problem(facts, "installed") ? problem_text(facts, "installed") : "No module AzureEFLOW is there",
            "Install Azure IoT Edge for Linux on Windows 1.5 LTS (its MSI), then run this again.");
    if (!facts.module) {
        Called called;
        if (const auto problem = facts.problems.find("module"); problem != facts.problems.end())
            called.error = problem->second;
        Finding finding = explain("host.module", "The EFLOW module cannot be loaded", called);
        if (finding.remedy.empty()) finding.remedy = "Import-Module AzureEFLOW in an elevated console shows why.";
        return finding;
    }
    if (is_1_1(facts.module->version))
        return failed(
            "host.module", "EFLOW 1.1 is not supported", "The module has version " + facts.module->version,
            "Its VM and its runtime are of another kind and left support in 2022: migrate to 1.4 LTS, then to 1.5.");
    for (const char* cmdlet : {"Provision-EflowVm", "Copy-EflowVmFile", "Invoke-EflowVmCommand", "Verify-EflowVm"})
        if (facts.parameters.count(cmdlet) == 0)
            return failed(
                "host.module", "The EFLOW module is incomplete",
                std::string(cmdlet) + " is not in version " + facts.module->version + " at " + facts.module->path,
                "Repair the installation of Azure IoT Edge for Linux on Windows.");
    return ok("host.module", "The EFLOW module is there", "version " + facts.module->version);
}

Finding judge_service(const HostFacts& facts) {
    if (!facts.service)
        return failed("host.wssdagent", "The service wssdagent is not there", problem_text(facts, "service"),
                      "Repair the installation of Azure IoT Edge for Linux on Windows.");
    if (facts.service->status != "Running")
        return failed("host.wssdagent", "The service wssdagent does not run",
                      "It is " + facts.service->status + ", start type " + facts.service->start,
                      "Start-Service wssdagent; its log is C:\\ProgramData\\wssdagent\\log\\wssdagent.log.");
    return ok("host.wssdagent", "The service wssdagent runs");
}

Finding judge_vm(const Options& options, const HostFacts& facts) {
    const auto trouble = [&](const char* name, const char* what) {
        Called called;
        if (const auto problem = facts.problems.find(name); problem != facts.problems.end())
            called.error = problem->second;
        return explain("host.vm", what, called);
    };
    if (!facts.exists) return trouble("exists", "Whether there is a VM could not be seen");
    if (!*facts.exists) {
        if (options.deploy) return ok("host.vm", "There is no VM yet", "--deploy makes it");
        return failed("host.vm", "There is no EFLOW VM", "Verify-EflowVm says that none was created",
                      "Run this again with --deploy, or run Deploy-Eflow yourself.");
    }
    if (!facts.vm) return trouble("vm", "There is a VM, but it cannot be looked at");
    return ok("host.vm", "The VM is there", facts.vm->name + ", " + facts.vm->power);
}

/// Only the account that created the VM may enter it. Which one that was, no cmdlet tells: the first connection does,
/// and it changes nothing. SYSTEM is worth a word before.
Finding judge_account(const HostFacts& facts) {
    const auto& user = *facts.user;
    if (user.sid == system_sid && facts.exists.value_or(false))
        return warning(
            "host.account", "This runs as SYSTEM",
            "Only the Windows account that created the VM can reach it: that works for a VM that SYSTEM deployed",
            "If the VM lets nobody in, run this as the account that deployed it.");
    return ok("host.account", "Runs as", user.name);
}

}  // namespace

Findings judge_host(const Options& options, const HostFacts& facts) {
    Findings findings;
    findings.push_back(judge_elevation(facts));
    findings.push_back(judge_windows(facts));
    findings.push_back(judge_policy(facts));
    // Without elevation the rest cannot be seen, and would only drown what matters.
    if (findings.front().severity == Severity::failed) return findings;
    findings.push_back(judge_module(facts));
    if (facts.installed.empty()) return findings;
    findings.push_back(judge_service(facts));
    if (!facts.module) return findings;
    findings.push_back(judge_vm(options, facts));
    findings.push_back(judge_account(facts));
    return findings;
}

void note_support(Findings& findings, const HostFacts& facts, std::chrono::system_clock::time_point now) {
    if (facts.module) findings.push_back(judge_eflow_support(std::chrono::time_point_cast<std::chrono::seconds>(now)));
}

ExitCode exit_code_before_changes(const Findings& findings) {
    ExitCode code = ExitCode::done;
    for (const auto& finding : findings) {
        if (finding.severity != Severity::failed) continue;
        if (!finding.id.starts_with("host.") || finding.id == "host.deployment") return ExitCode::refused;
        code = ExitCode::machine_lacks;
    }
    return code;
}

}  // namespace eflow
