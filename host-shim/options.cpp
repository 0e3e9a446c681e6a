#include "host-shim/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "shared/exit_code.hpp"
#include "shared/failure.hpp"
#include "shared/manifest.hpp"

namespace eflow {

namespace {

using Text = std::optional<std::string> Options::*;
using Path = std::string Options::*;
using Flag = bool Options::*;

/// One option: its name here, what Provision-EflowVm calls it, where its value goes, and the verbs that take it.
struct Row {
    std::string_view name;
    std::vector<std::string_view> cmdlet_names;
    Text text = nullptr;
    Path path = nullptr;
    Flag flag = nullptr;
    std::vector<ShimVerb> verbs;  ///< empty: every verb
    std::string_view value;
    std::string_view help;
};

const std::vector<Row>& rows() {
    using enum ShimVerb;
    static const std::vector<Row> table{
        {"--scope-id",
         {"-scopeId"},
         &Options::scope_id,
         nullptr,
         nullptr,
         {provision},
         "S",
         "ID Scope of the DPS instance"},
        {"--registration-id",
         {"-registrationId"},
         &Options::registration_id,
         nullptr,
         nullptr,
         {provision},
         "R",
         "registration ID; equals the certificate's CN"},
        {"--identity-cert",
         {"-identityCertPath"},
         &Options::certificate,
         nullptr,
         nullptr,
         {provision},
         "PATH",
         "full-chain certificate, PEM, the leaf first"},
        {"--identity-key",
         {"-identityPrivateKey", "-identityPrivKeyPath", "-identityPrivKey"},
         &Options::private_key,
         nullptr,
         nullptr,
         {provision},
         "PATH",
         "private key of the leaf, PEM, unencrypted"},
        {"--global-endpoint",
         {"-globalEndpoint"},
         &Options::global_endpoint,
         nullptr,
         nullptr,
         {provision},
         "URL",
         "DPS endpoint, if not the global one"},
        {"--enrollment",
         {},
         &Options::enrollment,
         nullptr,
         nullptr,
         {provision},
         "KIND",
         "group (default) or individual"},
        {"--manifest",
         {},
         nullptr,
         &Options::manifest,
         nullptr,
         {provision},
         "FILE",
         "read everything from this device.toml; options win"},
        {"--autodeploy-config",
         {},
         nullptr,
         &Options::autodeploy_config,
         nullptr,
         {provision},
         "FILE",
         "read it from an eflow-userconfig.json instead"},
        {"--agent",
         {},
         nullptr,
         &Options::agent,
         nullptr,
         {provision},
         "PATH",
         "the Linux eflow-agent to put in (default: beside this program)"},
        {"--deploy", {}, nullptr, nullptr, &Options::deploy, {provision}, "", "deploy the VM when there is none"},
        {"--accept-eula",
         {},
         nullptr,
         nullptr,
         &Options::accept_eula,
         {provision},
         "",
         "accept Microsoft's licence for --deploy"},
        {"--dry-run",
         {},
         nullptr,
         nullptr,
         &Options::dry_run,
         {provision},
         "",
         "look and print the steps; change nothing"},
        {"--restart",
         {},
         nullptr,
         nullptr,
         &Options::restart,
         {provision},
         "",
         "start over, whatever an earlier run did"},
        {"--pace-ssh",
         {},
         nullptr,
         nullptr,
         &Options::pace_ssh,
         {},
         "",
         "three SSH connections a minute at most, on any module"},
        {"--force",
         {},
         nullptr,
         nullptr,
         &Options::force,
         {provision},
         "",
         "replace another provisioning method in config.toml"},
        {"--allow-after-2038",
         {},
         nullptr,
         nullptr,
         &Options::allow_after_2038,
         {provision},
         "",
         "accept certificates that expire on or after 2038-01-01"},
        {"--yes", {}, nullptr, nullptr, &Options::yes, {uninstall}, "", "do not ask"},
        {"--output",
         {},
         nullptr,
         &Options::output,
         nullptr,
         {collect_logs},
         "FOLDER",
         "where to put them (default: here)"},
        {"--json", {}, nullptr, nullptr, &Options::json, {}, "", "one JSON report on standard output"},
        {"--quiet", {}, nullptr, nullptr, &Options::quiet, {}, "", "no progress"},
    };
    return table;
}

struct VerbRow {
    ShimVerb verb;
    std::string_view name;
    std::string_view help;
};

constexpr std::array<VerbRow, 5> verbs{{
    {ShimVerb::provision, "provision", "import the identity into the VM, provision it, and see that it comes up"},
    {ShimVerb::verify, "verify", "is this host ready, is the VM there, and does its agent find nothing wrong?"},
    {ShimVerb::status, "status", "where the device is and what is expected next"},
    {ShimVerb::uninstall, "uninstall", "take the agent and what it placed out of the VM"},
    {ShimVerb::collect_logs, "collect-logs", "Get-EflowLogs and the agent's support bundle"},
}};

constexpr std::array<std::string_view, 1> swallowed{"-provisioningType"};

std::string lowered(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// An argument as it may be shown again: hostile bytes must not drive a terminal.
std::string shown(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 80)) out += (static_cast<unsigned char>(c) < ' ' || c == 0x7f) ? '?' : c;
    return out;
}

[[noreturn]] void wrong(const std::string& message) {
    throw Failure(ExitCode::usage, message, "See eflow-shim --help.");
}

bool takes(const Row& row, ShimVerb verb) {
    return row.verbs.empty() || std::find(row.verbs.begin(), row.verbs.end(), verb) != row.verbs.end();
}

/// The option's row and the value that stands in the same argument, if one does.
struct Match {
    const Row* row = nullptr;
    bool swallow = false;
    std::optional<std::string> value;
};

Match find(const std::string& argument) {
    Match match;
    if (argument.starts_with("--")) {
        const auto equals = argument.find('=');
        const std::string name = argument.substr(0, equals);
        for (const auto& row : rows())
            if (row.name == name) match.row = &row;
        if (equals != std::string::npos) match.value = argument.substr(equals + 1);
        return match;
    }
    const auto colon = argument.find(':');
    const std::string name = lowered(argument.substr(0, colon));
    for (const auto& row : rows())
        for (const auto& candidate : row.cmdlet_names)
            if (lowered(candidate) == name) match.row = &row;
    for (const auto& candidate : swallowed)
        if (lowered(candidate) == name) match.swallow = true;
    if (colon != std::string::npos) match.value = argument.substr(colon + 1);
    return match;
}

[[noreturn]] void unknown(const std::string& argument) {
    std::vector<std::string> known{"--timeout"};
    for (const auto& row : rows()) {
        known.emplace_back(row.name);
        for (const auto& name : row.cmdlet_names) known.emplace_back(name);
    }
    const auto near = nearest(std::string_view(argument).substr(0, 64), known);
    wrong("'" + shown(argument) + "' is not an option" + (near ? "; did you mean " + *near + "?" : ""));
}

std::string help_text(std::optional<ShimVerb> verb) {
    std::string text = "Usage: eflow-shim ";
    if (!verb) {
        text +=
            "VERB [options]\n\nBrings the EFLOW VM of this Windows host into the cloud with an X.509 certificate.\n"
            "Runs in an elevated console of the account that deployed the VM.\n\nVerbs:\n";
        for (const auto& row : verbs)
            text +=
                "  " + std::string(row.name) + std::string(14 - row.name.size(), ' ') + std::string(row.help) + "\n";
        text += "\neflow-shim VERB --help shows a verb's options. --version prints the version.\n";
    } else {
        const auto* row =
            std::find_if(verbs.begin(), verbs.end(), [&](const auto& entry) { return entry.verb == *verb; });
        text += std::string(row->name) + " [options]\n\n" + std::string(row->help) + "\n\nOptions:\n";
        for (const auto& option : rows()) {
            if (!takes(option, *verb)) continue;
            const std::string left =
                std::string(option.name) + (option.value.empty() ? "" : " " + std::string(option.value));
            text += "  " + left + std::string(left.size() < 28 ? 28 - left.size() : 1, ' ') + std::string(option.help) +
                    "\n";
        }
        text += "  --timeout TIME              for everything together (default 15min; 60min with --deploy)\n";
        if (*verb == ShimVerb::provision)
            text +=
                "\nThe parameters of Provision-EflowVm (-scopeId, -registrationId, -identityCertPath, "
                "-identityPrivateKey,\n"
                "-globalEndpoint) are taken as they are.\n\nExamples:\n"
                "  eflow-shim provision --manifest C:\\identity\\device.toml\n"
                "  eflow-shim provision --scope-id 0ne00A1B2C3 --registration-id plant7-gw-03\n"
                "      --identity-cert C:\\identity\\full-chain.cert.pem --identity-key C:\\identity\\device.key.pem\n"
                "  eflow-shim provision --manifest device.toml --deploy --accept-eula --json\n";
    }
    text += "\nExit codes:\n";
    for (const ExitCode code : {ExitCode::done, ExitCode::something_failed, ExitCode::usage, ExitCode::refused,
                                ExitCode::machine_lacks, ExitCode::apply_failed, ExitCode::not_restored,
                                ExitCode::timed_out, ExitCode::cloud_refused, ExitCode::internal}) {
        const std::string number = std::to_string(static_cast<int>(code));
        text += "  " + number + std::string(4 - number.size(), ' ') + meaning(code) + "\n";
    }
    return text;
}

}  // namespace

const char* to_text(ShimVerb verb) {
    for (const auto& row : verbs)
        if (row.verb == verb) return row.name.data();
    return "provision";
}

std::chrono::seconds parse_timeout(const std::string& text) {
    constexpr std::array<std::pair<std::string_view, long>, 6> units{
        {{"", 1}, {"s", 1}, {"sec", 1}, {"m", 60}, {"min", 60}, {"h", 3600}}};
    constexpr long day = 86400;
    long number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && number > 0 && number <= day)
        for (const auto& [unit, factor] : units)
            if (std::string_view(end, static_cast<std::size_t>(text.data() + text.size() - end)) == unit &&
                number * factor <= day)
                return std::chrono::seconds(number * factor);
    wrong("--timeout: '" + shown(text) + "' is no time; 90s, 15min or 2h are, up to a day");
}

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
    if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "/?" ||
        arguments[0] == "help")
        return {std::nullopt, help_text(std::nullopt)};
    if (arguments[0] == "--version") return {std::nullopt, "eflow-shim " EFLOW_VERSION "\n"};
    const auto* verb =
        std::find_if(verbs.begin(), verbs.end(), [&](const auto& row) { return row.name == arguments[0]; });
    if (verb == verbs.end()) {
        std::vector<std::string> names;
        for (const auto& row : verbs) names.emplace_back(row.name);
        const auto near = nearest(std::string_view(arguments[0]).substr(0, 64), names);
        wrong("'" + shown(arguments[0]) + "' is not a verb" + (near ? "; did you mean " + *near + "?" : ""));
    }

    Options options;
    options.verb = verb->verb;
    bool timeout_given = false;
    std::vector<std::string_view> seen;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        if (argument == "--help" || argument == "-h" || argument == "/?") return {std::nullopt, help_text(verb->verb)};
        if (argument.find('\0') != std::string::npos) wrong("an argument holds a NUL character");
        const bool timeout = argument == "--timeout" || argument.starts_with("--timeout=");
        Match match;
        if (timeout) {
            if (argument.size() > 9) match.value = argument.substr(10);
        } else {
            match = find(argument);
            if (match.row == nullptr && !match.swallow) unknown(argument);
            if (match.row != nullptr && !takes(*match.row, verb->verb))
                wrong(std::string(match.row->name) + " means nothing to " + std::string(verb->name));
        }
        if (match.row != nullptr && match.row->flag != nullptr) {
            if (match.value) wrong(std::string(match.row->name) + " takes no value");
            options.*(match.row->flag) = true;
            continue;
        }
        if (!match.value) {
            if (i + 1 >= arguments.size()) wrong(shown(argument) + " needs a value");
            match.value = arguments[++i];
        }
        if (match.value->empty()) wrong(shown(argument) + " has an empty value");
        if (match.value->find('\0') != std::string::npos) wrong("an argument holds a NUL character");
        if (timeout) {
            options.timeout = parse_timeout(*match.value);
            timeout_given = true;
            continue;
        }
        if (match.swallow) {
            if (lowered(*match.value) != "dpsx509")
                wrong("-provisioningType " + shown(*match.value) + ": this program provisions with DpsX509 only");
            continue;
        }
        if (std::find(seen.begin(), seen.end(), match.row->name) != seen.end())
            wrong(std::string(match.row->name) + " is given twice");
        seen.push_back(match.row->name);
        if (match.row->text != nullptr)
            options.*(match.row->text) = *match.value;
        else
            options.*(match.row->path) = *match.value;
    }
    if (options.enrollment && *options.enrollment != "group" && *options.enrollment != "individual")
        wrong("--enrollment must be group or individual");
    if (!options.manifest.empty() && !options.autodeploy_config.empty())
        wrong("--manifest and --autodeploy-config exclude each other");
    if (options.deploy && !timeout_given) options.timeout = std::chrono::hours(1);
    return {options, {}};
}

}  // namespace eflow
