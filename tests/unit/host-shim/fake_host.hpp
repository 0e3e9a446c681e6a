#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host-shim/host.hpp"
#include "host-shim/vm_session.hpp"

namespace eflow {

/// A certificate for the fake, which reads the CN out of the block's text.
inline std::string pem_with_cn(const std::string& name) {
    return "-----BEGIN CERTIFICATE-----\nCN=" + name + "\n-----END CERTIFICATE-----\n";
}
inline const std::string key_pem = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";

/// A Windows host with EFLOW that behaves: files, a clock, a VM whose staging folder exists or not, an agent with
/// answers.
class FakeHost : public Host {
public:
    FakeHost() {
        seen.user = HostFacts::User{"PLANT7\\operator", "S-1-5-21-1-2-3-1001", true};
        seen.windows = HostFacts::Windows{"Windows 10 IoT Enterprise", "IoTEnterprise", "Client", "19044"};
        seen.powershell = HostFacts::PowerShell{"5.1.19041.1", "FullLanguage", "AllSigned"};
        seen.installed = {"1.5.6.8025"};
        seen.service = HostFacts::Service{"Running", "Automatic"};
        seen.module = HostFacts::Module{"1.5.6.8025", "C:\\Program Files\\WindowsPowerShell\\Modules\\AzureEFLOW"};
        seen.exists = true;
        seen.vm = HostFacts::Vm{"PLANT7-EFLOW", "Running", "1.5.21"};
        seen.parameters = {{"Provision-EflowVm",
                            {"provisioningType", "scopeId", "registrationId", "identityCertPath", "identityPrivKeyPath",
                             "globalEndpoint", "headless"}},
                           {"Copy-EflowVmFile", {"fromFile", "toFile", "pushFile"}},
                           {"Invoke-EflowVmCommand", {"command", "ignoreError"}},
                           {"Verify-EflowVm", {}},
                           {"Deploy-Eflow",
                            {"acceptEula", "acceptOptionalTelemetry", "cpuCount", "memoryInMB", "vmDataSize",
                             "vswitchName", "vswitchType", "ip4Address", "ip4PrefixLength", "ip4GatewayAddress"}}};
        files["C:\\id\\cert.pem"] = pem_with_cn("plant7-gw-03");
        files["C:\\id\\key.pem"] = key_pem;
        std::string program =
            "\x7f"
            "ELF";
        program.resize(64, '\0');
        program[18] = 0x3e;
        files["C:\\tools\\eflow-agent"] = program;
    }

    HostFacts facts(std::chrono::seconds) override { return seen; }

    Called call(const std::string& cmdlet, const nlohmann::json& parameters, std::chrono::seconds timeout,
                bool even_if_cancelled) override {
        calls.emplace_back(cmdlet, parameters);
        const int opened = cmdlet == "Provision-EflowVm"                                       ? 3
                           : cmdlet == "Copy-EflowVmFile" || cmdlet == "Invoke-EflowVmCommand" ? 1
                                                                                               : 0;
        for (int i = 0; i < opened; ++i) connections.push_back(clock);
        clock += seconds_per_call;
        if (is_cancelled && !even_if_cancelled) return cancelled_call();
        const std::string what = cmdlet == "Invoke-EflowVmCommand" ? command_in(parameters) : cmdlet;
        if (cancel_in == what) {
            is_cancelled = true;
            return cancelled_call();
        }
        if (const auto reply = replies.find(what); reply != replies.end()) return reply->second(timeout);
        return behave(what, parameters);
    }

    std::variant<SecretBytes, std::string> read(const std::string& path, std::size_t limit) override {
        const auto file = files.find(path);
        if (file == files.end()) return std::string("no such file");
        if (file->second.size() > limit) return std::string("too large");
        return SecretBytes(std::string_view(file->second));
    }
    std::variant<LeafFacts, std::string> leaf(const std::string& pem) override {
        const auto at = pem.find("CN=");
        if (at == std::string::npos) return std::string("it is no certificate");
        return LeafFacts{pem.substr(at + 3, pem.find('\n', at) - at - 3), std::string(64, 'a'), {}, {}};
    }
    std::string program_folder() override { return "C:\\tools\\"; }
    std::string random_hex() override { return std::string(32, '7'); }
    void begin_changes() override { ++began; }
    std::string stage(const std::string& name, const SecretBytes& content) override {
        staged[name] = std::string(content.reveal());
        return "C:\\ProgramData\\eflow-shim\\stage-1\\" + name;
    }
    bool unstage() override {
        if (unstage_fails) return false;
        staged.clear();
        return true;
    }
    std::optional<std::string> load_state() override { return state; }
    void save_state(const std::string& text) override { state = text; }
    std::chrono::system_clock::time_point now() override { return clock; }
    void sleep(std::chrono::seconds time, bool) override { clock += time; }
    bool cancelled() override { return is_cancelled; }
    void progress(const std::string& line) override { lines.push_back(line); }
    void conclude(const Report&) override { ++concluded; }

    // --- what a test says
    // ---------------------------------------------------------------------------------------------

    using Reply = std::function<Called(std::chrono::seconds)>;
    HostFacts seen;
    std::map<std::string, std::string> files;
    std::map<std::string, Reply> replies;  ///< instead of behaving; by cmdlet or by command in the VM
    std::map<std::string, Report> agent;   ///< by "judge", "finish", "status"
    std::string agent_version;             ///< empty: the VM has none
    std::string cancel_in;
    bool is_cancelled = false;
    bool unstage_fails = false;
    std::chrono::seconds seconds_per_call{1};

    // --- what a test sees
    // ---------------------------------------------------------------------------------------------

    std::vector<std::pair<std::string, nlohmann::json>> calls;
    std::vector<std::chrono::system_clock::time_point> connections;  ///< SSH, as the VM would see them
    std::map<std::string, std::string> staged;
    bool staged_in_vm = false;
    std::optional<std::string> state;
    std::vector<std::string> lines;
    int concluded = 0;
    int began = 0;
    std::chrono::system_clock::time_point clock{std::chrono::hours(24 * 20000)};

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> out;
        for (const auto& [cmdlet, parameters] : calls)
            out.push_back(cmdlet == "Invoke-EflowVmCommand" ? command_in(parameters) : cmdlet);
        return out;
    }
    [[nodiscard]] const nlohmann::json& parameters_of(const std::string& cmdlet) const {
        static const nlohmann::json none;
        for (const auto& call : calls)
            if (call.first == cmdlet) return call.second;
        return none;
    }

    static Called error(const std::string& message, const std::string& id = "TestError") {
        Called called;
        called.error = PowerShellError{"call", id, message, "At line:1 char:1"};
        return called;
    }
    static Called lines_of(std::vector<std::string> output) {
        Called called;
        called.output = std::move(output);
        return called;
    }

private:
    static Called cancelled_call() {
        Called called;
        called.cancelled = true;
        return called;
    }

    /// Which of the scripts a command is: its last line says "say finished NAME".
    static std::string command_in(const nlohmann::json& parameters) {
        const auto command = parameters.at("command").get<std::string>();
        const auto text = from_base64(command.substr(5, command.find(' ', 5) - 5)).value_or("");
        const auto at = text.rfind("say finished ");
        return at == std::string::npos ? "?" : text.substr(at + 13, text.find('\n', at) - at - 13);
    }

    static void send(std::vector<std::string>& out, const std::string& name, const std::string& content) {
        out.push_back("eflow-shim begin " + name);
        out.push_back(base64(content));
        out.push_back("eflow-shim end " + name);
    }

    Called behave(const std::string& what, const nlohmann::json& parameters) {
        std::vector<std::string> out;
        const auto say = [&](const std::string& line) { out.push_back("eflow-shim " + line); };
        if (what == "prepare") {
            staged_in_vm = true;
            say("stage /run/eflow-shim-" + random_hex());
            say("tar yes");
            say("arch x86_64");
            if (!agent_version.empty()) {
                say("agent /var/lib/eflow-agent/bin/eflow-agent");
                say("agent-version eflow-agent " + agent_version);
                if (agent.count("status") > 0) send(out, "status", to_json(agent["status"]));
            }
        } else if (what == "judge" || what == "finish") {
            if (what == "judge") say("unpacked yes");
            say("code " + std::to_string(static_cast<int>(agent[what].exit_code)));
            send(out, "report", to_json(agent[what]));
            if (what == "finish") {
                staged_in_vm = false;
                say("removed yes");
            }
        } else if (what == "clean") {
            staged_in_vm = false;
            say("removed yes");
        } else if (what == "ask") {
            say("agent /usr/bin/eflow-agent");
            send(out, "report", to_json(agent["status"]));
        } else if (what == "Verify-EflowVm") {
            return lines_of({"True"});
        } else if (what == "Deploy-Eflow") {
            seen.exists = true;
            seen.vm = HostFacts::Vm{"PLANT7-EFLOW", "Running", "1.5.21"};
            return lines_of({"OK"});
        } else {
            (void)parameters;
            return lines_of({"OK"});
        }
        say("finished " + what);
        return lines_of(std::move(out));
    }
};

/// The options of a plain run.
inline std::vector<std::string> provision_arguments(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"provision",         "--scope-id",     "0ne00A1B2C3",
                                       "--registration-id", "plant7-gw-03",   "--identity-cert",
                                       "C:\\id\\cert.pem",  "--identity-key", "C:\\id\\key.pem"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

}  // namespace eflow
