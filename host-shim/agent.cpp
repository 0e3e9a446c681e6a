#include "host-shim/agent.hpp"

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "shared/failure.hpp"
#include "shared/identity.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_agent = 64 * 1024 * 1024;

/// "eflow-agent 0.1.0" as numbers; nothing for what is no version.
std::optional<std::array<int, 3>> version_in(const std::string& text) {
    std::array<int, 3> parts{};
    const auto begin = text.find_first_of("0123456789");
    if (begin == std::string::npos) return std::nullopt;
    const char* at = text.data() + begin;
    const char* const end = text.data() + text.size();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto [stop, error] = std::from_chars(at, end, parts[i]);
        if (error != std::errc{}) return std::nullopt;
        if (i + 1 < parts.size() && (stop == end || *stop != '.')) return std::nullopt;
        at = stop + 1;
    }
    return parts;
}

/// The machine an ELF file is for, as `uname -m` names it; empty when it is none of ours.
std::string machine_of(std::string_view file) {
    if (file.size() < 20 || !file.starts_with("\x7f"
                                              "ELF"))
        return {};
    const unsigned machine =
        static_cast<unsigned char>(file[18]) | static_cast<unsigned>(static_cast<unsigned char>(file[19])) << 8;
    return machine == 0x3e ? "x86_64" : machine == 0xb7 ? "aarch64" : "";
}

std::string value_of(const VmAnswer& answer, const char* key) {
    const auto found = answer.values.find(key);
    return found != answer.values.end() ? found->second : std::string();
}

bool same_endpoint(const std::string& wanted, const std::string& there) {
    const auto one = DpsEndpoint::parse(wanted);
    const auto other = DpsEndpoint::parse(there);
    const auto* first = std::get_if<DpsEndpoint>(&one);
    const auto* second = std::get_if<DpsEndpoint>(&other);
    return first != nullptr && second != nullptr && first->url() == second->url();
}

}  // namespace

std::optional<SecretBytes> agent_to_bring(Host& host, const Options& options, const VmAnswer& prepared) {
    const std::string path = value_of(prepared, "agent");
    const auto theirs = version_in(value_of(prepared, "agent-version"));
    const auto ours = version_in(EFLOW_VERSION);
    // An agent that an image was baked with is the image builder's to replace.
    if (!path.empty() && (path.starts_with("/usr/") || (theirs && *theirs >= *ours))) return std::nullopt;
    const std::string file = options.agent.empty() ? host.program_folder() + "eflow-agent" : options.agent;
    auto content = host.read(file, largest_agent);
    if (const auto* why = std::get_if<std::string>(&content)) {
        if (!path.empty() && options.agent.empty()) return std::nullopt;
        throw Failure(ExitCode::machine_lacks, "there is no agent for the VM: " + file + ": " + *why,
                      "Put the Linux program eflow-agent beside eflow-shim.exe, or give its path with --agent.");
    }
    auto& agent = std::get<SecretBytes>(content);
    const std::string machine = machine_of(agent.reveal());
    const std::string wanted = value_of(prepared, "arch");
    if (machine.empty() || machine != wanted)
        throw Failure(ExitCode::machine_lacks,
                      "the agent is for another machine: " + file + " is " +
                          (machine.empty() ? "no Linux program" : "for " + machine) + ", the VM is " +
                          (wanted.empty() ? "unknown" : wanted),
                      "Use the eflow-agent that was built for the VM.");
    return std::move(agent);
}

std::optional<Report> status_with_identity(const VmAnswer& prepared, const Request& request) {
    const auto file = prepared.files.find("status");
    if (file == prepared.files.end()) return std::nullopt;
    try {
        Report status = report_from_json(file->second);
        const auto text = [&](const char* table, const char* key) {
            return status.data.contains(table) ? status.data[table].value(key, std::string()) : std::string();
        };
        const bool up = status.phase == Phase::awaiting_deployment || status.phase == Phase::deploying ||
                        status.phase == Phase::running;
        if (!up || text("identity", "sha256") != request.leaf->sha256 ||
            text("provisioning", "id_scope") != request.device.scope_id)
            return std::nullopt;
        if (request.device.global_endpoint &&
            !same_endpoint(*request.device.global_endpoint, text("provisioning", "global_endpoint")))
            return std::nullopt;
        return status;
    } catch (const std::exception&) {
        return std::nullopt;  // An agent that cannot say what it is gets the whole treatment.
    }
}

Report agent_report(const VmAnswer& answer, const std::string& name, const std::string& code_key) {
    const auto file = answer.files.find(name);
    const std::string code = value_of(answer, code_key.c_str());
    if (file == answer.files.end() || file->second.empty())
        throw Failure(
            ExitCode::internal,
            "the agent in the VM gave no report; its exit code was " + (code.empty() ? "unknown" : code),
            "Is it too old? Invoke-EflowVmCommand 'sudo eflow-agent --version' tells; --agent puts in another.");
    Report report = report_from_json(file->second);
    if (std::to_string(static_cast<int>(report.exit_code)) != code)
        throw Failure(ExitCode::internal,
                      "the agent in the VM ended with exit code " + code + ", and its report says " +
                          std::to_string(static_cast<int>(report.exit_code)),
                      "Use the same version of eflow-agent and eflow-shim.");
    return report;
}

}  // namespace eflow
