#include "host-shim/workflow.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "host-shim/run.hpp"
#include "shared/failure.hpp"
#include "tests/unit/host-shim/fake_host.hpp"

namespace eflow {
namespace {

struct Ran {
    int code;
    Report report;
};

Ran run(FakeHost& host, std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    const int code = run_shim(arguments, host, in, out, err);
    Ran ran{code, {}};
    if (!out.str().empty()) ran.report = report_from_json(out.str());
    EXPECT_EQ(host.staged.size(), 0U) << "something stayed staged on the host";
    return ran;
}

std::string outcome(const Report& report, const std::string& id) {
    for (const auto& step : report.data["steps"])
        if (step["id"] == id) return step["outcome"];
    return "none";
}

const Finding* find(const Report& report, const std::string& id, Severity severity = Severity::failed) {
    for (const auto& finding : report.findings)
        if (finding.id == id && finding.severity == severity) return &finding;
    return nullptr;
}

Report agent_says(ExitCode code, Phase phase) {
    Report report;
    report.program = "eflow-agent";
    report.version = "0.1.0";
    report.verb = "post-install";
    report.exit_code = code;
    report.phase = phase;
    return report;
}

Report status_of(const std::string& sha256, Phase phase) {
    Report report = agent_says(ExitCode::done, phase);
    report.data = {{"identity", {{"sha256", sha256}}},
                   {"provisioning", {{"id_scope", "0ne00A1B2C3"}, {"global_endpoint", "https://g/"}}}};
    return report;
}

TEST(Workflow, FromNothingToAwaitingDeployment) {
    FakeHost host;
    host.agent["finish"] = agent_says(ExitCode::done, Phase::awaiting_deployment);
    const Ran ran = run(host, provision_arguments());
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.report.phase, Phase::awaiting_deployment);
    EXPECT_EQ(host.names(), (std::vector<std::string>{"prepare", "Copy-EflowVmFile", "judge", "Provision-EflowVm",
                                                      "finish", "Verify-EflowVm"}));
    EXPECT_EQ(ran.report.data["ssh"]["connections"], 4);
    EXPECT_EQ(ran.report.data["agent"]["verb"], "post-install");
    EXPECT_EQ(host.concluded, 1);
}

TEST(Workflow, PlanFollowsWhatIsThere) {
    const auto ids = [](const Options& options, const Request& request, const HostFacts& facts) {
        std::string text;
        for (const auto& step : plan_provision(options, request, facts)) text += step.id + " ";
        return text;
    };
    FakeHost host;
    Options options;
    Request request;
    EXPECT_EQ(ids(options, request, host.seen), "prepare copy judge provision finish clean verify ");
    host.seen.vm->power = "Off";
    EXPECT_EQ(ids(options, request, host.seen), "start prepare copy judge provision finish clean verify ");
    host.seen.exists = false;
    host.seen.vm.reset();
    options.deploy = true;
    request.deployment = Deployment{};
    request.deployment->dns_servers = {"10.0.0.1"};
    EXPECT_EQ(ids(options, request, host.seen), "deploy start dns prepare copy judge provision finish clean verify ");
}

TEST(Workflow, DryRunCallsNothing) {
    FakeHost host;
    const Ran ran = run(host, provision_arguments({"--dry-run"}));
    EXPECT_EQ(ran.code, 0);
    EXPECT_TRUE(host.calls.empty());
    EXPECT_EQ(outcome(ran.report, "provision"), "planned");
}

TEST(Workflow, EveryFailingStepIsNamedAndCleanedUpAfter) {
    const std::vector<std::pair<std::string, int>> steps{
        {"prepare", 4}, {"Copy-EflowVmFile", 4}, {"judge", 4}, {"finish", 7}};
    for (const auto& [what, code] : steps) {
        FakeHost host;
        host.replies[what] = [](auto) { return FakeHost::error("no luck"); };
        const Ran ran = run(host, provision_arguments());
        EXPECT_EQ(ran.code, code) << what;
        const std::string id = what == "Copy-EflowVmFile" ? "copy" : what;
        ASSERT_NE(find(ran.report, "shim." + id), nullptr) << what;
        EXPECT_NE(find(ran.report, "shim." + id)->detail.find("no luck [TestError]"), std::string::npos);
        EXPECT_EQ(outcome(ran.report, id), "failed");
        EXPECT_FALSE(host.staged_in_vm) << what;
        EXPECT_EQ(host.names().back(), "clean") << what;
    }
}

TEST(Workflow, CancelledInEveryStep) {
    for (const std::string what : {"prepare", "Copy-EflowVmFile", "judge", "Provision-EflowVm", "finish"}) {
        FakeHost host;
        host.cancel_in = what;
        const Ran ran = run(host, provision_arguments());
        const bool touched = what == "Provision-EflowVm" || what == "finish";
        EXPECT_EQ(ran.code, touched ? 7 : 4) << what;
        EXPECT_FALSE(host.staged_in_vm) << what;
        EXPECT_EQ(host.names().back(), "clean") << what;
        EXPECT_NE(
            std::find_if(ran.report.findings.begin(), ran.report.findings.end(),
                         [](const Finding& finding) { return finding.detail.find("Ctrl-C") != std::string::npos; }),
            ran.report.findings.end());
    }
}

TEST(Workflow, TimeRunsOut) {
    FakeHost host;
    host.seconds_per_call = std::chrono::seconds(40);
    const Ran ran = run(host, provision_arguments({"--timeout", "100s"}));
    EXPECT_EQ(ran.code, 7);
    EXPECT_EQ(outcome(ran.report, "provision"), "timed out");
    EXPECT_FALSE(host.staged_in_vm);
}

TEST(Workflow, CallsGetNoMoreTimeThanIsLeft) {
    FakeHost host;
    std::chrono::seconds given{0};
    host.replies["Copy-EflowVmFile"] = [&](std::chrono::seconds timeout) {
        given = timeout;
        return FakeHost::lines_of({"OK"});
    };
    run(host, provision_arguments({"--timeout", "30s"}));
    EXPECT_EQ(given, std::chrono::seconds(29));
}

TEST(Workflow, OkIsNoProofAndFailureIsNoEnd) {
    FakeHost host;
    host.agent["finish"] = agent_says(ExitCode::cloud_refused, Phase::failed);
    const Ran refused = run(host, provision_arguments());
    EXPECT_EQ(refused.code, 8);
    EXPECT_EQ(refused.report.phase, Phase::failed);

    FakeHost other;
    other.replies["Provision-EflowVm"] = [](auto) { return FakeHost::error("Failed to provision"); };
    const Ran completed = run(other, provision_arguments());
    EXPECT_EQ(completed.code, 0);
    EXPECT_EQ(outcome(completed.report, "provision"), "failed");
    EXPECT_NE(find(completed.report, "shim.provision", Severity::warning), nullptr);
    EXPECT_EQ(outcome(completed.report, "finish"), "done");
}

TEST(Workflow, ACmdletThatFailedForAnUnknownReasonIsNeverDone) {
    FakeHost host;
    host.replies["Provision-EflowVm"] = [](auto) { return FakeHost::error("something nobody has met"); };
    const Ran ran = run(host, provision_arguments());
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(outcome(ran.report, "finish"), "done");
    EXPECT_NE(find(ran.report, "shim.provision", Severity::failed), nullptr);

    FakeHost unconfirmed;
    unconfirmed.replies["Verify-EflowVm"] = [](auto) { return FakeHost::error("no"); };
    EXPECT_EQ(run(unconfirmed, provision_arguments()).code, 1);
}

TEST(Workflow, DeployIsDoneWhenItSaysOk) {
    const auto deploy = [](FakeHost& host, bool leaves_a_vm, Called called) {
        host.seen.exists = false;
        host.seen.vm.reset();
        host.replies["Deploy-Eflow"] = [&host, leaves_a_vm, called = std::move(called)](auto) {
            host.seen.exists = leaves_a_vm;
            if (leaves_a_vm) host.seen.vm = HostFacts::Vm{"PLANT7-EFLOW", "Running", ""};
            return called;
        };
        return run(host, provision_arguments({"--deploy", "--accept-eula"}));
    };
    FakeHost well;
    EXPECT_EQ(deploy(well, true, FakeHost::lines_of({"...", "OK"})).code, 0);
    FakeHost half;
    Called without_address;
    without_address.said = {"Querying IP and MAC addresses", " - Failed to acquire IP address for virtual machine"};
    const Ran half_made = deploy(half, true, without_address);
    EXPECT_EQ(half_made.code, 6);
    const Finding* finding = find(half_made.report, "shim.deploy");
    ASSERT_NE(finding, nullptr);
    EXPECT_NE(finding->summary.find("DHCP"), std::string::npos);
    EXPECT_NE(finding->remedy.find("half-made"), std::string::npos);
    FakeHost none;
    EXPECT_EQ(deploy(none, false, FakeHost::error("Signer is not trusted")).code, 5);
}

TEST(Workflow, ProvisioningTroublesThatEndIt) {
    for (const char* words :
         {"wssdagent is unreachable, please retry...", "Not enough memory in the system to start the virtual machine",
          "Cannot process request, EFLOW VM is OFF!", "x509: certificate has expired", "Permission denied (publickey).",
          "Unable to connect virtual machine with SSH. Aborting.."}) {
        FakeHost host;
        host.replies["Provision-EflowVm"] = [&](auto) { return FakeHost::error(words); };
        const Ran ran = run(host, provision_arguments());
        EXPECT_EQ(ran.code, 4) << words;
        EXPECT_FALSE(find(ran.report, "shim.provision")->remedy.empty());
        EXPECT_FALSE(host.staged_in_vm);
    }
}

TEST(Workflow, WithoutRegistrationIdWhenTheModuleRefusesIt) {
    FakeHost host;
    int tries = 0;
    host.replies["Provision-EflowVm"] = [&](auto) {
        return ++tries == 1 ? FakeHost::error(
                                  "Device connection string, scope ID, registration ID, and symmetric key may not be "
                                  "specified for "
                                  "DpsX509 provisioning")
                            : FakeHost::lines_of({"chatter", "OK"});
    };
    const Ran ran = run(host, provision_arguments());
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(tries, 2);
    EXPECT_EQ(host.calls[3].second["registrationId"], "plant7-gw-03");
    EXPECT_FALSE(host.calls[4].second.contains("registrationId"));
}

TEST(Workflow, TheSameIdentityIsLeftAlone) {
    FakeHost host;
    host.agent_version = "9.9.9";
    host.agent["status"] = status_of(std::string(64, 'a'), Phase::running);
    const Ran ran = run(host, provision_arguments());
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.report.phase, Phase::running);
    EXPECT_EQ(host.names(), (std::vector<std::string>{"prepare", "clean", "Verify-EflowVm"}));
    for (const auto& [sha, phase] :
         {std::pair{std::string(64, 'b'), Phase::running}, std::pair{std::string(64, 'a'), Phase::failed}}) {
        FakeHost other;
        other.agent_version = "9.9.9";
        other.agent["status"] = status_of(sha, phase);
        run(other, provision_arguments());
        EXPECT_NE(other.parameters_of("Provision-EflowVm"), nlohmann::json());
    }
    FakeHost elsewhere;
    elsewhere.agent_version = "9.9.9";
    elsewhere.agent["status"] = status_of(std::string(64, 'a'), Phase::running);
    run(elsewhere, provision_arguments({"--global-endpoint", "https://other.example/"}));
    EXPECT_NE(elsewhere.parameters_of("Provision-EflowVm"), nlohmann::json());
}

TEST(Workflow, StateLetsASecondRunContinue) {
    FakeHost host;
    host.replies["finish"] = [](auto) { return FakeHost::error("ssh"); };
    EXPECT_EQ(run(host, provision_arguments()).code, 7);
    host.replies.clear();
    host.calls.clear();
    const Ran again = run(host, provision_arguments());
    EXPECT_EQ(again.code, 0);
    EXPECT_EQ(outcome(again.report, "provision"), "skipped");

    // A finished run, --restart and another identity all begin anew.
    for (const auto& more : {std::vector<std::string>{}, {"--restart"}, {"--scope-id", "0ne0FFFFFFF"}}) {
        auto arguments = provision_arguments();
        if (more.size() == 2)
            arguments[2] = more[1];
        else
            arguments.insert(arguments.end(), more.begin(), more.end());
        host.calls.clear();
        EXPECT_EQ(outcome(run(host, arguments).report, "provision"), "done");
    }
}

TEST(Workflow, ThreeConnectionsAMinuteOnModulesThatBan) {
    FakeHost host;
    host.seen.module->version = "1.3.1.2092";
    host.agent["finish"] = agent_says(ExitCode::done, Phase::running);
    const Ran ran = run(host, provision_arguments());
    EXPECT_EQ(ran.code, 0);
    EXPECT_TRUE(ran.report.data["ssh"]["paced"]);
    // prepare, copy, judge; a minute; Provision-EflowVm with three of its own; a minute; finish.
    ASSERT_EQ(host.connections.size(), 7U);
    for (std::size_t i = 3; i < host.connections.size(); ++i)
        EXPECT_GT(host.connections[i] - host.connections[i - 3], std::chrono::seconds(60)) << i;
    EXPECT_GE(ran.report.data["ssh"]["waited_seconds"].get<int>(), 110);
}

TEST(Workflow, CleaningUpIsPacedTooEvenWhenCancelled) {
    FakeHost host;
    host.seen.module->version = "not a version";
    host.cancel_in = "judge";
    EXPECT_EQ(run(host, provision_arguments()).code, 4);
    ASSERT_EQ(host.connections.size(), 4U);
    EXPECT_GT(host.connections[3] - host.connections[0], std::chrono::seconds(60));
    EXPECT_FALSE(host.staged_in_vm);
}

TEST(Workflow, KeyOnTheHostThatCannotBeRemovedIsSaid) {
    FakeHost host;
    host.unstage_fails = true;
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(run_shim(provision_arguments({"--json"}), host, in, out, err), 1);
    EXPECT_NE(find(report_from_json(out.str()), "shim.clean"), nullptr);
}

TEST(Workflow, AgentIsChosen) {
    FakeHost other_machine;
    other_machine.files["C:\\tools\\eflow-agent"][18] = static_cast<char>(0xb7);
    EXPECT_EQ(run(other_machine, provision_arguments()).code, 4);
    FakeHost none;
    none.files.erase("C:\\tools\\eflow-agent");
    EXPECT_EQ(run(none, provision_arguments()).code, 4);
    FakeHost script;
    script.files["C:\\tools\\eflow-agent"] = "#!/bin/sh\n";
    EXPECT_EQ(run(script, provision_arguments()).code, 4);
    FakeHost there;
    there.agent_version = "9.9.9";
    there.files.erase("C:\\tools\\eflow-agent");
    EXPECT_EQ(run(there, provision_arguments()).code, 0);
}

TEST(Workflow, DeployThenProvision) {
    FakeHost host;
    host.seen.exists = false;
    host.seen.vm.reset();
    EXPECT_EQ(run(host, provision_arguments({"--deploy"})).code, 3) << "nobody accepted the licence";
    EXPECT_TRUE(host.calls.empty());
    const Ran ran = run(host, provision_arguments({"--deploy", "--accept-eula"}));
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(host.names().front(), "Deploy-Eflow");
    EXPECT_NE(host.state->find("S-1-5-21-1-2-3-1001"), std::string::npos);
}

TEST(Workflow, ADeploymentThatFailsSaysWhetherAVmIsThere) {
    FakeHost none;
    none.seen.exists = false;
    none.seen.vm.reset();
    none.replies["Deploy-Eflow"] = [](auto) { return FakeHost::error("no"); };
    EXPECT_EQ(run(none, provision_arguments({"--deploy", "--accept-eula"})).code, 5);
    FakeHost half;
    half.seen.exists = false;
    half.seen.vm.reset();
    half.replies["Deploy-Eflow"] = [&](auto) {
        half.seen.exists = true;
        return FakeHost::error("no");
    };
    EXPECT_EQ(run(half, provision_arguments({"--deploy", "--accept-eula"})).code, 6);
}

TEST(Workflow, AnotherAccountsVmIsRecognisedBeforeAnythingIsDone) {
    FakeHost host;
    host.seen.exists = false;
    host.seen.vm.reset();
    EXPECT_EQ(run(host, provision_arguments({"--deploy", "--accept-eula"})).code, 0);
    host.calls.clear();
    host.seen.user->sid = "S-1-5-18";
    const Ran ran = run(host, provision_arguments());
    EXPECT_EQ(ran.code, 4);
    EXPECT_NE(find(ran.report, "host.account"), nullptr);
    EXPECT_TRUE(host.calls.empty());
    EXPECT_EQ(run(host, provision_arguments({"--restart"})).code, 0);
}

TEST(Workflow, AFaultOfOursLeavesNothingStaged) {
    FakeHost host;
    host.replies["judge"] = [](auto) -> Called { throw std::logic_error("a bug"); };
    const Ran ran = run(host, provision_arguments());
    EXPECT_EQ(ran.code, 70);
    EXPECT_FALSE(host.staged_in_vm);
    FakeHost worse;
    worse.replies["judge"] = [](auto) -> Called { throw std::logic_error("a bug"); };
    worse.replies["clean"] = [](auto) -> Called { throw std::logic_error("another"); };
    const Ran both = run(worse, provision_arguments());
    EXPECT_EQ(both.code, 70);
    EXPECT_NE(find(both.report, "shim.clean"), nullptr);
}

TEST(Run, UninstallAsksAndTakesNoForNo) {
    FakeHost host;
    for (const char* answer : {"", "n\n", "x\n"}) {
        std::istringstream in(answer);
        std::ostringstream out;
        std::ostringstream err;
        EXPECT_EQ(run_shim({"uninstall"}, host, in, out, err), 4);
    }
    EXPECT_TRUE(host.calls.empty());
}

TEST(Run, StatusRelaysTheAgent) {
    FakeHost host;
    host.agent["status"] = agent_says(ExitCode::something_failed, Phase::degraded);
    const Ran ran = run(host, {"status"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.report.phase, Phase::degraded);
    host.seen.vm->power = "Off";
    EXPECT_EQ(run(host, {"verify"}).code, 4);
}

TEST(Run, HostileTextFromTheAgentDrivesNoConsole) {
    FakeHost host;
    Report hostile = agent_says(ExitCode::something_failed, Phase::failed);
    hostile.findings.push_back(failed("a\x1b[2J", "b\x07\r", "c\x1b]0;x\x07", "d\xc2\x9b"));
    host.agent["finish"] = hostile;
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    run_shim(provision_arguments(), host, in, out, err);
    for (const char c : out.str()) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= ' ');
    EXPECT_EQ(out.str().find("\xc2\x9b"), std::string::npos);
}

}  // namespace
}  // namespace eflow
