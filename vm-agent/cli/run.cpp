#include "vm-agent/cli/run.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <ostream>
#include <utility>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "shared/manifest.hpp"
#include "vm-agent/cli/style.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/cli/version.hpp"
#include "vm-agent/cloud/reach.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/material.hpp"
#include "vm-agent/health/summary.hpp"
#include "vm-agent/identity/digest.hpp"
#include "vm-agent/machine/observe.hpp"
#include "vm-agent/machine/systemd_services.hpp"

namespace eflow {

namespace {

constexpr const char* program_summary =
    "Brings an Azure IoT Edge device into the cloud with an X.509 certificate, and says what is wrong when it is not.";

/// The verbs, in the order of the help. A name of two words is a verb of a group.
constexpr std::array verbs{
    Verb{"provision", "Judge an identity, place it, write config.toml for DPS X.509 and apply it",
         "eflow-agent provision --scope-id 0ne00A1B2C3 --registration-id plant7-gw-03 \\\n"
         "      --cert plant7-gw-03-full-chain.cert.pem --key plant7-gw-03.key.pem\n"
         "  eflow-agent provision --manifest device.toml --dry-run\n"
         "  eflow-agent --root /mnt/image provision --manifest device.toml --no-apply",
         declare_provision},
    Verb{"post-install", "After Provision-EflowVm: adopt what it wrote, or complete it from the staged folder",
         "eflow-agent --json post-install --bundle /home/iotedge-user/eflow-4f1c\n"
         "  eflow-agent post-install                  # the material is where config.toml points",
         declare_post_install},
    Verb{"status", "Where the device is and what is expected next; fast; needs no root",
         "eflow-agent status\n  eflow-agent --json status\n  eflow-agent status --watch", declare_status},
    Verb{"check", "Look at everything, and say what to do about each thing that is wrong",
         "sudo eflow-agent check\n  sudo eflow-agent check --only identity,files --offline\n  eflow-agent check --list",
         declare_check},
    Verb{"watch", "The service: follow systemd, containers, files and clock, and say what changes",
         "sudo systemctl enable --now eflow-agent     (the unit runs it)\n"
         "  sudo eflow-agent watch --metrics-listen 127.0.0.1:9619",
         declare_watch},
    Verb{"history", "What changed on this device, and when",
         "eflow-agent history --since 2h\n  eflow-agent history --since 2026-01-31 --follow", declare_history},
    Verb{"support-bundle", "Everything that support needs, in one archive without a secret in it",
         "sudo eflow-agent support-bundle\n  sudo eflow-agent support-bundle --output /home/device.tar.gz",
         declare_support_bundle},
    Verb{"cert inspect", "Show what certificate files hold",
         "eflow-agent cert inspect plant7-gw-03-full-chain.cert.pem", declare_cert_inspect},
    Verb{"cert verify", "Judge a certificate (and key) by every identity check, without changing anything",
         "eflow-agent cert verify --cert full-chain.pem --key key.pem --registration-id plant7-gw-03\n"
         "  eflow-agent cert verify --cert full-chain.pem --ca root.pem",
         declare_cert_verify},
    Verb{"cert create-test", "Make a test root, intermediate and device identity; not for production",
         "eflow-agent cert create-test --name plant7-gw-03 --out ./pki", declare_cert_create_test},
    Verb{"undo", "Take the last change back, or one that was interrupted, while what it replaced is kept",
         "sudo eflow-agent undo --dry-run\n  sudo eflow-agent undo", declare_undo},
    Verb{"deprovision", "Take the identity off this device again",
         "eflow-agent deprovision --dry-run\n  eflow-agent deprovision --purge", declare_deprovision},
    Verb{"firstboot", "Apply the identity that was baked into this image, once; the service of that name runs it",
         "eflow-agent firstboot", declare_firstboot},
    Verb{"install-self", "Put this one file to work on a VM that came without it: no package manager, read-only root",
         "sudo ./eflow-agent install-self\n  eflow-agent install-self --dry-run\n"
         "  sudo /var/lib/eflow-agent/bin/eflow-agent install-self --uninstall",
         declare_install_self},
};

std::string footer(const Verb& verb) {
    std::string text =
        "With every verb: --root DIR, --json, --verbose, --quiet, --color WHEN (see eflow-agent --help)\n\nExamples:\n "
        " " +
        std::string(verb.examples) + "\n\nExit codes:\n";
    for (const int code : {0, 1, 2, 3, 4, 5, 6, 7, 8, 70}) {
        const std::string number = std::to_string(code);
        text += "  " + number + std::string(4 - number.size(), ' ') + meaning(static_cast<ExitCode>(code)) + "\n";
    }
    return text;
}

/// What was wrong with the command line, in better words than the parser has where a verb was mistyped.
std::string usage_fault(const std::vector<std::string>& arguments, const std::string& parser_says) {
    std::vector<std::string> known;
    for (const auto& verb : verbs) known.push_back(verb.name);
    std::string typed;
    bool is_value = false;
    for (const auto& argument : arguments) {
        const bool takes_value = argument == "--root" || argument == "--color";
        if (!is_value && !argument.starts_with('-')) typed += (typed.empty() ? "" : " ") + argument;
        is_value = takes_value;
        if (typed.find(' ') != std::string::npos || (!typed.empty() && typed != "cert")) break;
    }
    if (typed.empty() || std::find(known.begin(), known.end(), typed) != known.end()) return parser_says;
    if (typed == "cert") return "cert needs one of inspect, verify, create-test";
    const auto near = nearest(typed.substr(0, 64), known);
    return "'" + typed.substr(0, 64) + "' is no verb" + (near ? "; did you mean " + *near + "?" : "");
}

struct Chosen {
    const Verb* verb = nullptr;
    Handler handler;
};

/// Fills `app` with the global options and every verb; `chosen` is set when the command line names one.
void declare(CLI::App& app, GlobalOptions& options, Chosen& chosen) {
    app.add_option("--root", options.root, "Work below this folder as if it were /; no service is touched")
        ->type_name("DIR");
    app.add_flag("--json", options.json, "Print one JSON report on standard output");
    auto* verbose = app.add_flag("-v,--verbose", options.verbose, "Show every finding, not only what needs attention");
    app.add_flag("-q,--quiet", options.quiet, "Show nothing but what has failed")->excludes(verbose);
    app.add_option("--color", options.color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->type_name("WHEN");
    app.set_version_flag("--version", [] { return version_details(); });
    app.require_subcommand(1);
    app.fallthrough();
    app.get_formatter()->column_width(34);

    for (const auto& verb : verbs) {
        const std::string_view name = verb.name;
        const auto space = name.find(' ');
        CLI::App* parent = &app;
        if (space != std::string_view::npos) {
            const std::string group(name.substr(0, space));
            const auto groups = app.get_subcommands([&](const CLI::App* one) { return one->get_name() == group; });
            parent = groups.empty() ? app.add_subcommand(group, "Certificates: inspect, verify, create-test")
                                    : groups.front();
            parent->require_subcommand(1);
            parent->fallthrough();
        }
        auto* command = parent->add_subcommand(
            std::string(space == std::string_view::npos ? name : name.substr(space + 1)), verb.summary);
        command->fallthrough();
        command->footer(footer(verb));
        command->callback([&chosen, &verb, handler = verb.declare(*command)] { chosen = {&verb, handler}; });
    }
}

spdlog::logger logger_for(const World& world, const GlobalOptions& options) {
    spdlog::logger log("eflow-agent", std::make_shared<spdlog::sinks::ostream_sink_st>(*world.err, true));
    log.set_pattern("%v");
    log.set_level(options.verbose                                           ? spdlog::level::debug
                  : options.quiet || options.json || !world.out_is_terminal ? spdlog::level::warn
                                                                            : spdlog::level::info);
    return log;
}

/// What the verb did may stand while its report is lost: that is no success, and neither is "nothing was changed" where
/// something was.
int report_lost(const World& world, const Report& report) {
    *world.err << "eflow-agent: the report could not be written to standard output\n";
    world.err->flush();
    if (report.exit_code != ExitCode::done) return static_cast<int>(report.exit_code);
    const bool changed = std::any_of(report.changes.begin(), report.changes.end(),
                                     [](const Change& change) { return change.action != Action::kept; });
    return static_cast<int>(changed ? ExitCode::something_failed : ExitCode::machine_lacks);
}

void print(const World& world, const GlobalOptions& options, const Outcome& outcome) {
    if (options.json)
        *world.out << to_json(outcome.report) << "\n";
    else if (!options.quiet)
        *world.out << outcome.text;
    else
        for (const auto& finding : outcome.report.findings)
            if (finding.severity == Severity::failed) *world.err << Style(false).finding(finding);
    world.out->flush();
}

int print_failure(const World& world, const GlobalOptions& options, std::string verb, const Failure& failure) {
    if (options.json) {
        Report report;
        report.program = "eflow-agent";
        report.version = version_text();
        report.verb = std::move(verb);
        report.exit_code = failure.code();
        report.data["error"] = {{"message", failure.what()}, {"remedy", failure.remedy()}};
        *world.out << to_json(report) << "\n";
        world.out->flush();
        // Nothing beside it: what a command says on standard error is an exception to Invoke-EflowVmCommand.
        return static_cast<int>(failure.code());
    }
    *world.err << "eflow-agent: " << plain(failure.what()) << "\n";
    if (!failure.remedy().empty()) *world.err << "  -> " << plain(failure.remedy()) << "\n";
    world.err->flush();
    return static_cast<int>(failure.code());
}

}  // namespace

int run(const std::vector<std::string>& arguments, const World& world) {
    ignore_openssl_config();
    GlobalOptions options;
    Chosen chosen;
    try {
        CLI::App app{program_summary, "eflow-agent"};
        declare(app, options, chosen);
        try {
            std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
            app.parse(std::move(reversed));
        } catch (const CLI::ParseError& error) {
            if (error.get_exit_code() == 0) {
                app.exit(error, *world.out, *world.err);
                world.out->flush();
                return world.out->good() ? 0 : report_lost(world, {});
            }
            options.json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
            throw Failure(ExitCode::usage, usage_fault(arguments, error.what()),
                          "eflow-agent --help, or eflow-agent VERB --help, shows what is known.");
        }
        const bool colors =
            options.color == "always" || (options.color == "auto" && world.out_is_terminal && !options.json);
        spdlog::logger log = logger_for(world, options);
        const Context context{world, options, Style(colors), version_text(), log};
        Outcome outcome = chosen.handler(context);
        outcome.report.program = "eflow-agent";
        outcome.report.version = version_text();
        outcome.report.verb = chosen.verb->name;
        if (!outcome.streamed) print(world, options, outcome);
        if (!world.out->good()) return report_lost(world, outcome.report);
        return static_cast<int>(outcome.report.exit_code);
    } catch (const Failure& failure) {
        return print_failure(world, options, chosen.verb != nullptr ? chosen.verb->name : "", failure);
    } catch (const std::exception& error) {
        return print_failure(world, options, chosen.verb != nullptr ? chosen.verb->name : "",
                             Failure(ExitCode::internal, std::string("a fault of ours: ") + error.what(),
                                     "Please report it, with the command line and the version."));
    }
}

Tree tree_of(const Context& context) {
    const std::string& root = context.options.root;
    std::error_code ignored;
    // --root / is the machine itself, whatever way it is spelt.
    if (root.empty() || std::filesystem::equivalent(root, context.world.machine_root, ignored))
        return Tree(context.world.machine_root, Tree::Kind::machine);
    return Tree(root, Tree::Kind::offline);
}

Observations observations_of(const Context& context, const Tree& tree, std::chrono::seconds later) {
    const Instant now = context.world.now + later;
    return context.world.observe ? context.world.observe(tree, now) : observe(tree, now);
}

namespace {

/// How edgeAgent may come to its hub, by UpstreamProtocol of [agent.env]; without it over AMQP, and over WebSockets where
/// that fails. Its proxy serves WebSockets alone (edge-agent IoTHub/ModuleClientProvider.cs:100-215).
struct Transport {
    std::string_view protocol;
    const char* port;
    bool proxied;
};
constexpr std::array transports{
    Transport{"amqp", "5671", false}, Transport{"mqtt", "8883", false},    Transport{"amqpws", "443", true},
    Transport{"mqttws", "443", true}, Transport{"", "5671", false},        Transport{"", "443", true},
};

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char one) { return std::tolower(one); });
    return text;
}

}  // namespace

void reach_cloud(const Context& context, Observations& seen) {
    constexpr std::chrono::seconds patience{10};
    const auto try_host = [&](const std::string& host, const std::string& port, const std::string& proxy) {
        return context.world.reach ? context.world.reach(host, port, proxy) : reach(host, port, proxy, patience);
    };
    if (!seen.config.value || !seen.config.value->present) {
        seen.no_reach = "config.toml names no endpoint";
        return;
    }
    const auto provisioning = read_provisioning(seen.config.value->text);
    const auto judged = DpsEndpoint::parse(provisioning ? provisioning->global_endpoint.value_or("") : "");
    const auto* endpoint = std::get_if<DpsEndpoint>(&judged);
    if (endpoint == nullptr) {
        seen.no_reach = "config.toml names no endpoint";
        return;
    }
    std::string proxy;
    if (const auto variables = seen.unit_proxies.find("aziot-identityd.service"); variables != seen.unit_proxies.end())
        for (const char* name : {"https_proxy", "HTTPS_PROXY"})
            if (const auto found = variables->second.find(name); found != variables->second.end()) proxy = found->second;
    seen.dps = try_host(endpoint->host(), endpoint->port(), proxy);
    if (!seen.device_info.value || !*seen.device_info.value) return;
    // identityd speaks HTTPS with the hub; edgeAgent has a way of its own, whose port may be shut where 443 is open.
    const std::string& hub = (*seen.device_info.value)->hub_name;
    seen.hub = try_host(hub, "443", proxy);
    if (!seen.hub->trusted) return;
    std::string protocol;
    for (const auto& [name, value] : read_material(seen.config.value->text).agent_env)
        if (lower(name) == "upstreamprotocol") protocol = lower(value);
    const bool known = std::any_of(transports.begin(), transports.end(), [&](auto& one) { return one.protocol == protocol; });
    std::optional<ReachSeen> failure;
    for (const auto& transport : transports) {
        if (transport.protocol != (known ? protocol : "")) continue;
        const std::string via = transport.proxied ? provisioning->agent_proxy : "";
        if (transport.proxied && via == proxy) return;  // as above
        ReachSeen reached = try_host(hub, transport.port, via);
        reached.host += std::string(":") + transport.port;
        if (reached.trusted) {
            seen.hub = std::move(reached);
            return;
        }
        if (!failure) failure = std::move(reached);
    }
    seen.hub = std::move(failure);
}

std::span<const Verb> known_verbs() {
    return verbs;
}

void visit_command_line(const std::function<void(const CLI::App&)>& visit) {
    GlobalOptions options;
    Chosen chosen;
    CLI::App app{program_summary, "eflow-agent"};
    declare(app, options, chosen);
    visit(app);
}

std::unique_ptr<Services> services_of(const Context& context) {
    if (context.world.services) return context.world.services();
    SystemdServices::Options options;
    options.progress = [&log = context.log](const std::string& text) { log.info("applying: {}", plain(text)); };
    return std::make_unique<SystemdServices>(std::move(options));
}

LockAsked lock_asked(const Context& context, const char* verb, bool wait) {
    const auto waits = [&context](const std::string& holder) {
        const std::string text = "waiting for " + plain(holder) + ", which is changing this device";
        if (context.options.json || context.options.quiet)
            context.log.info("{}", text);
        else
            context.log.warn("{}", text);
    };
    return {verb, to_text(context.world.now), wait, waits};
}

void require_root(const Context& context, const Tree& tree, const char* verb) {
    if (!tree.live()) return;
    const bool is_root = context.world.is_root ? context.world.is_root() : geteuid() == 0;
    if (!is_root)
        throw Failure(ExitCode::machine_lacks, std::string(verb) + " changes files of the system and needs root",
                      "Run it again with sudo, or below a folder of your own with --root.");
}

}  // namespace eflow
