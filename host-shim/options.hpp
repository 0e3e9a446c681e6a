#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace eflow {

enum class ShimVerb { provision, verify, status, uninstall, collect_logs };

const char* to_text(ShimVerb verb);

/// What the command line said; nothing is judged beyond its form. Texts are UTF-8.
struct Options {
    ShimVerb verb = ShimVerb::provision;
    std::optional<std::string> scope_id;
    std::optional<std::string> registration_id;
    std::optional<std::string> certificate;
    std::optional<std::string> private_key;
    std::optional<std::string> global_endpoint;
    std::optional<std::string> enrollment;
    std::string manifest;           ///< path, empty: none
    std::string autodeploy_config;  ///< path, empty: none
    std::string agent;              ///< path of the Linux agent; empty: eflow-agent beside the exe
    std::string output;             ///< collect-logs: folder for what is collected; empty: the current one
    bool deploy = false;
    bool accept_eula = false;
    bool dry_run = false;
    bool restart = false;
    bool yes = false;
    bool json = false;
    bool quiet = false;
    bool pace_ssh = false;
    bool force = false;
    bool allow_after_2038 = false;
    std::chrono::seconds timeout{900};
};

/// Either what to do, or a text to print (help, version) and leave with 0.
struct CommandLine {
    std::optional<Options> options;
    std::string text;
};

/// Reads the arguments after the program's name. Provision-EflowVm's own names are taken as they are, whatever their
/// case: `-scopeId V`, `-identityPrivateKey:V`. Throws Failure(usage) that names the argument and the nearest known
/// one.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

/// "90", "90s", "5min", "2h"; at most a day. Throws Failure(usage).
std::chrono::seconds parse_timeout(const std::string& text);

}  // namespace eflow
