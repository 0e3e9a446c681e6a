#include "host-shim/verbs.hpp"

#include "host-shim/module.hpp"
#include "host-shim/preflight.hpp"
#include "host-shim/vm_session.hpp"
#include "shared/eflow_support.hpp"
#include "shared/failure.hpp"

namespace eflow {

namespace {

using std::chrono::seconds;

constexpr seconds for_facts{180};
constexpr seconds for_a_command{300};
constexpr seconds for_logs{1800};

/// What these verbs have in common: a host that was looked at, and the way into the VM.
class Visit {
public:
    Visit(const Options& options, Host& host) : options_(options), host_(host) {
        report.program = "eflow-shim";
        report.version = EFLOW_VERSION;
        report.verb = to_text(options.verb);
        host.progress("looking at this host");
        facts_ = host.facts(for_facts);
        report.findings = judge_host(options, facts_);
        note_support(report.findings, facts_, host.now());
        report.exit_code = exit_code_before_changes(report.findings);
    }

    [[nodiscard]] bool ready() {
        if (report.exit_code != ExitCode::done) return false;
        if (facts_.vm && facts_.vm->power == "Running") return true;
        report.findings.push_back(
            failed("host.vm", "The VM does not run", facts_.vm ? facts_.vm->power : "", "Start-EflowVm"));
        report.exit_code = ExitCode::machine_lacks;
        return false;
    }

    VmSession& session() {
        if (!session_)
            session_.emplace(host_, options_.pace_ssh || bans_busy_hosts(facts_.module->version),
                             parameter_name(facts_, "Invoke-EflowVmCommand", {"ignoreError"}).has_value());
        return *session_;
    }

    /// Runs a command in the VM; nothing, with a finding, when it was not heard to the end.
    std::optional<VmAnswer> run(const std::string& command, const std::vector<std::string>& words, const char* what,
                                seconds timeout) {
        host_.progress(what);
        VmAnswer answer = session().run(command, words, std::min(timeout, options_.timeout));
        report.data["ssh"] = {{"connections", session().connections()}, {"waited_seconds", session().waited().count()}};
        if (answer.finished(command)) return answer;
        report.findings.push_back(explain("shim." + command, std::string("This failed: ") + what, answer.called));
        report.exit_code = answer.called.timed_out ? ExitCode::timed_out : ExitCode::machine_lacks;
        return std::nullopt;
    }

    /// The agent's report that came as file `name` becomes ours.
    void take_over(const VmAnswer& answer, const std::string& name) {
        const auto file = answer.files.find(name);
        if (file == answer.files.end() || file->second.empty()) {
            report.findings.push_back(failed("shim.agent", "The agent in the VM gave no report", "",
                                             "Put in a newer one: eflow-shim provision"));
            report.exit_code = ExitCode::something_failed;
            return;
        }
        const Report agent = report_from_json(file->second);
        report.phase = agent.phase;
        append(report.findings, agent.findings);
        keep_one_support_note(report.findings);
        report.changes.insert(report.changes.end(), agent.changes.begin(), agent.changes.end());
        report.data["agent"] = nlohmann::json::parse(file->second, nullptr, false);
        report.exit_code = agent.exit_code;
    }

    bool has_agent(const VmAnswer& answer) {
        if (answer.values.count("agent") > 0) return true;
        report.findings.push_back(failed("shim.agent", "There is no agent in the VM",
                                         "Neither /usr/bin nor /var/lib/eflow-agent/bin has it",
                                         "eflow-shim provision puts it in."));
        report.exit_code = ExitCode::machine_lacks;
        return false;
    }

    Report report;

private:
    const Options& options_;
    Host& host_;
    HostFacts facts_;
    std::optional<VmSession> session_;
};

Report ask_agent(const Options& options, Host& host, const char* verb, const char* what) {
    Visit visit(options, host);
    if (!visit.ready()) return visit.report;
    if (const auto answer = visit.run("ask", {verb}, what, for_a_command); answer && visit.has_agent(*answer))
        visit.take_over(*answer, "report");
    return visit.report;
}

}  // namespace

Report verify(const Options& options, Host& host) {
    return ask_agent(options, host, "check", "asking the agent to check everything");
}

Report status(const Options& options, Host& host) {
    return ask_agent(options, host, "status", "asking the agent where the device is");
}

Report uninstall(const Options& options, Host& host) {
    Visit visit(options, host);
    if (!visit.ready()) return visit.report;
    const auto answer =
        visit.run("uninstall", {"none"}, "taking the identity and the agent out of the VM", for_a_command);
    if (!answer || !visit.has_agent(*answer)) return visit.report;
    visit.take_over(*answer, "report");
    if (visit.report.exit_code == ExitCode::done && answer->files.count("uninstalled") > 0)
        visit.take_over(*answer, "uninstalled");
    return visit.report;
}

Report collect_logs(const Options& options, Host& host) {
    Visit visit(options, host);
    Report& report = visit.report;
    if (report.exit_code != ExitCode::done) return report;
    report.data["files"] = nlohmann::json::array();
    host.progress("collecting the host's logs (Get-EflowLogs)");
    const Called logs =
        host.call("Get-EflowLogs", nlohmann::json::object(), std::min(for_logs, options.timeout), false);
    if (logs.failed()) {
        report.findings.push_back(explain("shim.logs", "Get-EflowLogs failed", logs));
        report.exit_code = ExitCode::something_failed;
    } else {
        report.findings.push_back(
            ok("shim.logs", "Get-EflowLogs wrote its archive", "eflowlogs.zip in the installation folder of EFLOW"));
    }
    if (!visit.ready()) return report;
    const std::string id = host.random_hex();
    const auto answer = visit.run("collect", {id}, "making the agent's support bundle", for_logs);
    if (!answer || !visit.has_agent(*answer)) return report;
    const auto bundle = answer->values.find("bundle");
    if (bundle == answer->values.end()) {
        report.findings.push_back(failed(
            "shim.support-bundle", "The agent made no support bundle",
            "exit code " + (answer->values.count("code") > 0 ? answer->values.at("code") : std::string("unknown")),
            "Invoke-EflowVmCommand 'sudo eflow-agent support-bundle' shows why."));
        report.exit_code = ExitCode::something_failed;
    } else {
        const std::string target = options.output.empty()
                                       ? "eflow-support-" + id.substr(0, 8) + ".tar.gz"
                                       : options.output + "\\eflow-support-" + id.substr(0, 8) + ".tar.gz";
        const Called copied = visit.session().copy_out(bundle->second, target, for_a_command);
        if (copied.failed()) {
            report.findings.push_back(explain("shim.support-bundle", "The support bundle could not be copied", copied));
            report.exit_code = ExitCode::something_failed;
        } else {
            report.data["files"].push_back(target);
            report.findings.push_back(ok("shim.support-bundle", "The agent's support bundle", target));
        }
    }
    visit.run("clean", {id}, "removing it from the VM", for_a_command);
    return report;
}

}  // namespace eflow
