#include "host-shim/workflow.hpp"

#include <algorithm>
#include <utility>

#include "host-shim/agent.hpp"
#include "host-shim/module.hpp"
#include "host-shim/preflight.hpp"
#include "host-shim/state.hpp"
#include "host-shim/tar.hpp"
#include "host-shim/vm_session.hpp"
#include "shared/eflow_support.hpp"
#include "shared/failure.hpp"
#include "shared/json_text.hpp"

namespace eflow {

namespace {

using std::chrono::seconds;

constexpr seconds for_facts{180};
constexpr seconds for_a_copy{300};
constexpr seconds for_a_command{180};
constexpr seconds for_cleaning{120};
constexpr seconds for_provisioning{600};
constexpr seconds for_deployment{3600};
constexpr seconds for_the_agents_own{60};  // what the agent's verb takes beside its waiting
// Provision-EflowVm copies two files and runs commands: it is given a window of its own.
constexpr int connections_of_provisioning = 3;

/// A step could not be done: what the report says of it.
struct StepFailed {
    Finding finding;
    ExitCode code;
    const char* outcome;  ///< "failed", "timed out" or "cancelled"
};

std::string last_of(const std::vector<std::string>& lines) {
    for (auto line = lines.rbegin(); line != lines.rend(); ++line)
        if (line->find_first_not_of(" \r\n\t") != std::string::npos) return *line;
    return {};
}

bool says(const Called& called, std::string_view word) {
    const std::string text = last_of(called.output);
    const auto begin = text.find_first_not_of(" \r\n\t");
    if (begin == std::string::npos) return false;
    const auto end = text.find_last_not_of(" \r\n\t");
    const std::string_view trimmed = std::string_view(text).substr(begin, end - begin + 1);
    return trimmed.size() == word.size() && std::equal(trimmed.begin(), trimmed.end(), word.begin(),
                                                       [](char a, char b) { return (a | 32) == (b | 32); });
}

class Provisioning {
public:
    Provisioning(const Options& options, Host& host)
        : options_(options), host_(host), deadline_(host.now() + options.timeout) {
        report_.program = "eflow-shim";
        report_.version = EFLOW_VERSION;
        report_.verb = "provision";
        report_.data = {{"steps", nlohmann::json::array()}, {"notes", nlohmann::json::array()}};
    }

    Report run() {
        host_.progress("looking at this host");
        facts_ = host_.facts(for_facts);
        request_ = make_request(options_, host_);
        report_.findings = judge_host(options_, facts_);
        note_support(report_.findings, facts_, host_.now());
        append(report_.findings, request_.findings);
        if (facts_.user && facts_.user->elevated) judge_state();
        describe_host();
        report_.exit_code = exit_code_before_changes(report_.findings);
        if (report_.exit_code != ExitCode::done) {
            note("Nothing was changed.");
            return std::move(report_);
        }
        steps_ = plan_provision(options_, request_, facts_);
        if (options_.dry_run) {
            for (const auto& step : steps_) record(step, "planned");
            note("Dry run: nothing was changed.");
            return std::move(report_);
        }
        host_.begin_changes();
        work();
        if (!cleaned_) clean_up();
        report_.data["ssh"] = {{"connections", session_ ? session_->connections() : 0},
                               {"waited_seconds", session_ ? session_->waited().count() : 0},
                               {"paced", paced_}};
        return std::move(report_);
    }

private:
    void work() {
        try {
            for (const auto& step : steps_) {
                if (step.kind == StepKind::clean) {
                    clean_up();
                    continue;
                }
                if (done_early_ && step.kind != StepKind::verify) {
                    record(step, "skipped");
                    continue;
                }
                // The device is up and the report is in hand: nothing of that is lost for want of a confirmation.
                if (step.kind == StepKind::verify && (host_.cancelled() || remaining() <= seconds(0))) {
                    record(step, "skipped");
                    continue;
                }
                stop_if_late(step);
                host_.progress(step.title);
                perform(step);
                if (current_ != nullptr) record(step, "done");
                current_ = nullptr;
            }
        } catch (const StepFailed& stop) {
            record(*current_, stop.outcome);
            report_.findings.push_back(stop.finding);
            report_.exit_code = stop.code;
        } catch (const Failure& failure) {
            if (current_ != nullptr) record(*current_, "failed");
            report_.findings.push_back(failed("shim." + (current_ != nullptr ? current_->id : std::string("run")),
                                              failure.what(), "", failure.remedy()));
            report_.exit_code = failure.code();
        } catch (const std::exception& error) {
            // A fault of ours must not leave a key behind either.
            if (current_ != nullptr) record(*current_, "failed");
            report_.findings.push_back(failed("shim.run", std::string("a fault of eflow-shim: ") + error.what(), "",
                                              "Please report it, with the log in %ProgramData%\\eflow-shim\\log."));
            report_.exit_code = ExitCode::internal;
        }
    }

    void perform(const Step& step) {
        switch (step.kind) {
            case StepKind::deploy: return deploy();
            case StepKind::dns: return set_dns();
            case StepKind::start: return start();
            case StepKind::prepare: return prepare();
            case StepKind::copy: return copy();
            case StepKind::judge: return judge();
            case StepKind::provision: return provision_vm();
            case StepKind::finish: return finish();
            case StepKind::clean: return;
            case StepKind::verify: return verify();
        }
    }

    // --- the steps ---------------------------------------------------------------------------------------------------

    void deploy() {
        const Called called =
            host_.call("Deploy-Eflow", deploy_parameters(facts_, *request_.deployment), budget(for_deployment), false);
        if (called.timed_out || called.cancelled) {
            touched_ = true;
            require(called, "Deploy-Eflow did not come to its end", ExitCode::timed_out);
        }
        facts_ = host_.facts(budget(for_facts));
        describe_host();
        const bool there = facts_.exists.value_or(false);
        // It says OK when it is through; a VM that is there proves nothing of its address and its runtime.
        if (called.failed() || !there || !says(called, "OK")) {
            Finding finding =
                explain("shim.deploy", there ? "Deploy-Eflow failed half way" : "Deploy-Eflow made no VM", called);
            if (there && trouble_of(called) != Trouble::earlier_deployment)
                finding.remedy += " Before that, remove the half-made VM: uninstall and install EFLOW.";
            fail(std::move(finding), there ? ExitCode::not_restored : ExitCode::apply_failed);
        }
        state_.deployed_by = facts_.user ? facts_.user->sid : "";
        save_state();
        note("The VM was deployed.");
    }

    void set_dns() {
        enter();
        session_->expect(1);
        const nlohmann::json servers = request_.deployment->dns_servers;
        require(host_.call("Set-EflowVmDNSServers", {{"dnsServers", servers}}, budget(for_a_command), false),
                "The DNS servers could not be set", ExitCode::apply_failed);
    }

    void start() {
        if (facts_.vm && facts_.vm->power == "Running") return skip();
        require(host_.call("Start-EflowVm", nlohmann::json::object(), budget(for_provisioning), false),
                "The VM could not be started", ExitCode::machine_lacks);
    }

    void prepare() {
        enter();
        // Judged here and not later, where something would have been changed already.
        provision_parameters(facts_, request_, "certificate", "key", true);
        id_ = host_.random_hex();
        prepared_ = true;
        const VmAnswer answer = session_->run("prepare", {id_}, budget(for_a_command));
        if (!answer.finished("prepare"))
            fail(explain("shim.prepare", "The VM cannot be entered", answer.called),
                 code_of(answer.called, ExitCode::machine_lacks));
        if (answer.values.count("stage") == 0)
            fail(failed("shim.prepare", "No folder could be made in the VM", "mkdir /run/eflow-shim-" + id_,
                        "Is /run full? Invoke-EflowVmCommand 'df -h /run' tells."),
                 ExitCode::machine_lacks);
        if (answer.values.count("tar") == 0)
            fail(failed("shim.prepare", "The VM has no tar", "it is needed to unpack what is copied",
                        "Use an EFLOW image that has it."),
                 ExitCode::machine_lacks);
        if (answer.values.count("leftover") > 0)
            note("What an interrupted earlier run had staged in the VM was removed.");
        agent_ = agent_to_bring(host_, options_, answer);
        if (const auto status = options_.restart ? std::nullopt : status_with_identity(answer, request_)) {
            done_early_ = true;
            report_.phase = status->phase;
            report_.data["agent"] = nlohmann::json::parse(to_json(*status));
            report_.exit_code = ExitCode::done;
            note("The VM is provisioned with this identity already: it was left alone.");
        }
    }

    void copy() {
        const SecretBytes certificate{std::string_view(request_.certificate_pem)};
        const SecretBytes manifest{std::string_view(bundle_manifest(request_.device))};
        std::vector<TarEntry> entries{{"bundle/", 0700, nullptr},
                                      {"bundle/device.toml", 0600, &manifest},
                                      {"bundle/identity.cert.pem", 0600, &certificate},
                                      {"bundle/identity.key.pem", 0600, &request_.key_pem}};
        if (agent_) entries.push_back({"eflow-agent", 0700, &*agent_});
        staged_certificate_ = host_.stage("identity-" + id_.substr(0, 8) + ".cert.pem", certificate);
        staged_key_ = host_.stage("identity-" + id_.substr(0, 8) + ".key.pem", request_.key_pem);
        const std::string archive = host_.stage("bundle.tar", make_tar(entries));
        const Called called = session_->copy_in(archive, "/run/eflow-shim-" + id_ + "/bundle.tar", budget(for_a_copy));
        require(called, "The identity could not be copied into the VM", ExitCode::machine_lacks);
    }

    void judge() {
        const VmAnswer answer = session_->run("judge", words(budget(for_a_command)), budget(for_a_command));
        if (!answer.finished("judge"))
            fail(explain("shim.judge", "The agent in the VM could not judge the identity", answer.called),
                 code_of(answer.called, ExitCode::machine_lacks));
        if (answer.values.count("unpacked") == 0)
            fail(failed("shim.judge", "What was copied could not be unpacked in the VM",
                        "tar failed in /run/eflow-shim-" + id_,
                        "Is /run full? Invoke-EflowVmCommand 'df -h /run' tells."),
                 ExitCode::machine_lacks);
        const Report judged = agent_report(answer, "report", "code");
        if (judged.exit_code == ExitCode::done) return;
        take_over(judged, answer);
        fail(
            failed("shim.judge", "The agent refuses this identity before anything was changed",
                   "Exit code " + std::to_string(static_cast<int>(judged.exit_code)) + ": " + meaning(judged.exit_code),
                   "See the agent's findings."),
            judged.exit_code);
    }

    void provision_vm() {
        if (!options_.restart && state_.covers(request_) && state_.module_provisioned) {
            note("Provision-EflowVm succeeded in an earlier run and was not repeated.");
            return skip();
        }
        touched_ = true;
        Called called = call_provision(true);
        if (trouble_of(called) == Trouble::registration_id_refused) {
            note("This module takes no registration ID with DpsX509; the certificate's CN, which is equal, decides.");
            called = call_provision(false);
        }
        const Trouble trouble = trouble_of(called);
        if (!called.failed() && says(called, "OK")) {
            state_.module_provisioned = true;
            save_state();
            return;
        }
        const bool outside = trouble != Trouble::none && trouble != Trouble::other && !agent_completes(trouble);
        if (called.failed() && outside)
            fail(explain("shim.provision", "Provision-EflowVm failed", called), code_of(called, ExitCode::machine_lacks));
        if (called.cancelled)
            fail(explain("shim.provision", "Provision-EflowVm was cancelled", called), ExitCode::timed_out);
        // Half done or not at all: the agent completes it, and its word is what counts.
        module_trouble_ = explain("shim.provision", "Provision-EflowVm did not say OK", called);
        module_failed_ = called.failed() && !agent_completes(trouble);
        record(*current_, "failed");
        current_ = nullptr;
    }

    Called call_provision(bool with_registration_id) {
        session_->expect(connections_of_provisioning);
        return host_.call(
            "Provision-EflowVm",
            provision_parameters(facts_, request_, staged_certificate_, staged_key_, with_registration_id),
            budget(for_provisioning), false);
    }

    void finish() {
        touched_ = true;
        const seconds time = budget(seconds(86400));
        const VmAnswer answer = session_->run("finish", words(time), time + for_the_agents_own);
        if (answer.values.count("removed") > 0) prepared_ = false;
        if (!answer.finished("finish"))
            fail(explain("shim.finish", "The agent's post-install was not heard to the end", answer.called),
                 code_of(answer.called, ExitCode::timed_out));
        if (const auto code = answer.values.find("install-code"); code != answer.values.end() && code->second != "0") {
            const Report installed = agent_report(answer, "install", "install-code");
            take_over(installed, answer);
            fail(failed("shim.finish", "The agent could not be installed in the VM",
                        "install-self ended with exit code " + code->second, "See the agent's findings."),
                 installed.exit_code);
        }
        const Report outcome = agent_report(answer, "report", "code");
        take_over(outcome, answer);
        if (module_trouble_) {
            if (outcome.exit_code == ExitCode::done && !module_failed_) module_trouble_->severity = Severity::warning;
            report_.findings.push_back(*module_trouble_);
            // The device is up by the agent's word; that a cmdlet failed for a reason nobody knows is not done either.
            if (report_.exit_code == ExitCode::done && module_failed_) report_.exit_code = ExitCode::something_failed;
        }
        if (outcome.exit_code != ExitCode::done)
            fail(failed("shim.finish", "The agent in the VM did not bring the device up",
                        "Exit code " + std::to_string(static_cast<int>(outcome.exit_code)) + ": " +
                            meaning(outcome.exit_code),
                        "See the agent's findings."),
                 outcome.exit_code);
        state_.finished = true;
        save_state();
    }

    void verify() {
        const Called called = host_.call("Verify-EflowVm", nlohmann::json::object(), budget(for_a_command), false);
        if (called.failed() || !says(called, "True")) {
            Finding finding = explain("shim.verify", "Verify-EflowVm does not confirm the VM", called);
            // The device is up: that nobody waited for a confirmation takes nothing from it.
            if (called.timed_out || called.cancelled)
                finding.severity = Severity::warning;
            else if (report_.exit_code == ExitCode::done)
                report_.exit_code = ExitCode::something_failed;
            report_.findings.push_back(finding);
        }
    }

    // --- cleaning up
    // --------------------------------------------------------------------------------------------------

    void clean_up() {
        const auto step =
            std::find_if(steps_.begin(), steps_.end(), [](const Step& entry) { return entry.kind == StepKind::clean; });
        bool clean = true;
        cleaned_ = true;
        current_ = &*step;
        if (prepared_) {
            host_.progress(step->title);
            Called called;
            try {
                const VmAnswer answer = session_->run("clean", {id_}, for_cleaning, true);
                called = answer.called;
                clean = answer.finished("clean") && answer.values.count("removed") > 0;
            } catch (const std::exception& error) {
                clean = false;
                called.error = PowerShellError{"powershell", "", error.what(), ""};
            }
            if (!clean) {
                Finding finding = explain("shim.clean", "What was staged in the VM could not be removed", called);
                finding.remedy = "Run this again: it is removed first. Or restart the VM: /run is memory.";
                report_.findings.push_back(std::move(finding));
            }
        }
        bool unstaged = false;
        try {
            unstaged = host_.unstage();
        } catch (const std::exception&) {
            unstaged = false;
        }
        if (!unstaged) {
            clean = false;
            report_.findings.push_back(
                failed("shim.clean", "A staged copy of the key could not be removed from this host",
                       "%ProgramData%\\eflow-shim\\stage-*", "Run this again: it is removed first."));
        }
        if (!clean && report_.exit_code == ExitCode::done) report_.exit_code = ExitCode::something_failed;
        record(*step, clean ? "done" : "failed");
        current_ = nullptr;
    }

    /// Knows from now on how this module's VM wants to be spoken to.
    void enter() {
        if (session_) return;
        paced_ = options_.pace_ssh || bans_busy_hosts(facts_.module->version);
        session_.emplace(host_, paced_, parameter_name(facts_, "Invoke-EflowVmCommand", {"ignoreError"}).has_value());
    }

    // --- what the steps share
    // -----------------------------------------------------------------------------------------

    [[noreturn]] void fail(Finding finding, ExitCode code) const {
        if (host_.cancelled()) {
            finding.detail += (finding.detail.empty() ? "" : "\n") + std::string("Cancelled by Ctrl-C.");
            finding.remedy =
                touched_ ? "Run this again: it picks up where it stopped." : "Nothing was changed; run this again.";
        }
        throw StepFailed{std::move(finding), code, host_.cancelled() ? "cancelled" : late_ ? "timed out" : "failed"};
    }

    void require(const Called& called, const char* what, ExitCode code) {
        if (called.failed()) fail(explain("shim." + current_->id, what, called), code_of(called, code));
    }

    [[nodiscard]] ExitCode code_of(const Called& called, ExitCode otherwise) {
        late_ = called.timed_out;
        if (called.cancelled) return touched_ ? ExitCode::timed_out : ExitCode::machine_lacks;
        return called.timed_out ? ExitCode::timed_out : otherwise;
    }

    [[nodiscard]] seconds remaining() const { return std::chrono::duration_cast<seconds>(deadline_ - host_.now()); }

    /// At most `most`, and no more than is left; a second at least, so that a call can say that it was too late.
    [[nodiscard]] seconds budget(seconds most) const { return std::max(seconds(1), std::min(most, remaining())); }

    void stop_if_late(const Step& step) {
        current_ = &step;
        if (host_.cancelled())
            fail(failed("shim." + step.id, "Cancelled before: " + step.title, "", ""),
                 touched_ ? ExitCode::timed_out : ExitCode::machine_lacks);
        late_ = remaining() <= seconds(0);
        if (late_)
            fail(failed("shim." + step.id, "Time ran out before: " + step.title,
                        std::to_string(options_.timeout.count()) + " s were given for everything",
                        "Run this again with a longer --timeout."),
                 ExitCode::timed_out);
    }

    [[nodiscard]] std::vector<std::string> words(seconds time) const {
        std::vector<std::string> out{id_, "--timeout",
                                     std::to_string(std::max(seconds(1), time - for_the_agents_own).count()) + "s"};
        if (options_.force) out.emplace_back("--force");
        if (options_.allow_after_2038) out.emplace_back("--allow-after-2038");
        return out;
    }

    /// The agent's report becomes ours: phase, findings, changes, and the whole of it as data.agent.
    void take_over(const Report& agent, const VmAnswer& answer) {
        report_.phase = agent.phase;
        append(report_.findings, agent.findings);
        keep_one_support_note(report_.findings);
        report_.changes = agent.changes;
        report_.exit_code = agent.exit_code;
        const auto file = answer.files.find("report");
        if (file != answer.files.end())
            if (auto status = parse_json(file->second); !status.is_discarded()) report_.data["agent"] = std::move(status);
    }

    void describe_host() {
        report_.data["host"] = {
            {"account", facts_.user ? facts_.user->name : ""},
            {"windows", facts_.windows ? facts_.windows->product + " " + facts_.windows->build : ""},
            {"module", facts_.module ? facts_.module->version : ""},
            {"vm", facts_.vm ? facts_.vm->name : ""}};
    }

    /// What an earlier run left: where to go on, and which account deployed the VM.
    void judge_state() {
        if (const auto text = host_.load_state(); text && !options_.restart) state_ = state_from(*text);
        if (!state_.deployed_by.empty() && state_.deployed_by != facts_.user->sid && facts_.exists.value_or(false))
            report_.findings.push_back(failed(
                "host.account", "Another Windows account deployed this VM, and only that one can reach it",
                "It was deployed by " + state_.deployed_by + "; this is " + facts_.user->name + ", " + facts_.user->sid,
                "Run this as that account. If the VM was deployed again since, give --restart."));
        if (!state_.covers(request_)) {
            const std::string deployed_by = state_.deployed_by;
            state_ = state_for(request_);
            state_.deployed_by = deployed_by;
        }
        if (state_.finished) state_.module_provisioned = false;
    }

    void save_state() { host_.save_state(to_json(state_)); }

    void record(const Step& step, const char* outcome) {
        report_.data["steps"].push_back({{"id", step.id}, {"title", step.title}, {"outcome", outcome}});
    }

    void skip() {
        record(*current_, "skipped");
        current_ = nullptr;
    }

    void note(const std::string& text) { report_.data["notes"].push_back(text); }

    const Options& options_;
    Host& host_;
    std::chrono::system_clock::time_point deadline_;
    HostFacts facts_;
    Request request_;
    std::vector<Step> steps_;
    const Step* current_ = nullptr;
    std::optional<VmSession> session_;
    bool paced_ = false;
    std::string id_;
    bool prepared_ = false;    ///< there may be a staging folder in the VM
    bool touched_ = false;     ///< the device may have been changed
    bool done_early_ = false;  ///< nothing is left to be done
    bool cleaned_ = false;
    bool late_ = false;  ///< what stops this is that time ran out
    std::optional<SecretBytes> agent_;
    std::string staged_certificate_;
    std::string staged_key_;
    std::optional<Finding> module_trouble_;
    bool module_failed_ = false;  ///< in a way that the agent is not known to complete
    State state_;
    Report report_;
};

}  // namespace

std::vector<Step> plan_provision(const Options& options, const Request& request, const HostFacts& facts) {
    std::vector<Step> steps;
    const bool deploying = options.deploy && !facts.exists.value_or(false);
    if (deploying) steps.push_back({StepKind::deploy, "deploy", "deploying the VM (Deploy-Eflow)"});
    if (deploying || !facts.vm || facts.vm->power != "Running")
        steps.push_back({StepKind::start, "start", "starting the VM (Start-EflowVm)"});
    if (deploying && request.deployment && !request.deployment->dns_servers.empty())
        steps.push_back({StepKind::dns, "dns", "giving the VM its DNS servers (Set-EflowVmDNSServers)"});
    steps.push_back({StepKind::prepare, "prepare", "entering the VM"});
    steps.push_back({StepKind::copy, "copy", "copying the identity into the VM (Copy-EflowVmFile)"});
    steps.push_back({StepKind::judge, "judge", "having the agent judge the identity"});
    steps.push_back({StepKind::provision, "provision", "provisioning the VM (Provision-EflowVm)"});
    steps.push_back({StepKind::finish, "finish", "running the agent's post-install, and waiting for the device"});
    steps.push_back({StepKind::clean, "clean", "removing what was staged, the key first"});
    steps.push_back({StepKind::verify, "verify", "confirming the VM (Verify-EflowVm)"});
    return steps;
}

Report provision(const Options& options, Host& host) {
    return Provisioning(options, host).run();
}

}  // namespace eflow
