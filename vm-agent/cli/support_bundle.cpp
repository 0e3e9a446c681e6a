#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include <spdlog/logger.h>
#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/support_redact.hpp"
#include "vm-agent/cli/support_sources.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/health/summary.hpp"
#include "vm-agent/health/verdict.hpp"
#include "vm-agent/machine/host.hpp"
#include "vm-agent/machine/output.hpp"
#include "vm-agent/machine/tar_gz.hpp"

namespace eflow {

namespace {

using nlohmann::json;

constexpr std::size_t largest_entry = 1024 * 1024;
constexpr std::size_t largest_bundle = 18 * 1024 * 1024;  // beside the page and the lists
constexpr std::size_t longest_line = 4 * 1024;
constexpr std::size_t most_history = 5000;
constexpr std::chrono::seconds cleaning_time{60};

constexpr auto read_me =
    "A support bundle of EFLOW Companion. Open report.html first: it shows everything at a glance.\n\n"
    "report.html    phase, findings and what to do, certificate chain, timeline, services, modules\n"
    "missing.txt    what could not be had, and why\n"
    "reports/       what `eflow-agent status` and `eflow-agent check` say\n"
    "watcher/       the watcher's last status and what changed when\n"
    "config/        config.toml and the files rendered of it, daemon.json, device_info\n"
    "identity/      what the certificates say\n"
    "units/         systemd's properties of the services\n"
    "journals/      the last lines of each service\n"
    "modules/       the containers: inspection and log\n"
    "files.txt      owners, modes, sizes and times; no contents\n"
    "host.txt       operating system, kernel, memory, disks, clock\n\n"
    "Secrets were taken out: *** stands for keys, passwords, connection strings, tokens, and every value of an "
    "environment\n"
    "that is not known to be harmless. Private keys were not read. Look through it all the same before you send it.\n";

/// A name for files: what is no letter, digit, dot or dash becomes a dash.
std::string plain_name(std::string_view text) {
    constexpr std::size_t longest = 40;
    std::string name;
    for (const char c : text.substr(0, longest)) {
        const bool plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-';
        name += plain && !(name.empty() && (c == '.' || c == '-')) ? c : '-';
    }
    const auto first = name.find_first_not_of('-');
    return first == std::string::npos ? "unknown" : name.substr(first);
}

std::string host_of(const Tree& tree) {
    if (tree.live()) return observe_host().name;
    constexpr std::size_t largest = 4096;
    try {
        if (const auto bytes = tree.read("/etc/hostname", largest)) {
            const auto text = bytes->reveal();
            return std::string(text.substr(0, text.find_first_of(" \t\r\n")));
        }
    } catch (const Failure&) {
        // The name of a file is no reason to give no bundle.
    }
    return {};
}

/// No line longer than `longest_line`, no text longer than `largest_entry`: of a log the end stays, of others the
/// beginning; cut between lines.
std::string bounded(const std::string& text, bool is_log) {
    std::string out;
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        out += line.size() <= longest_line ? line : line.substr(0, longest_line);
        out += line.size() <= longest_line ? "\n" : " [cut]\n";
    }
    if (out.size() <= largest_entry) return out;
    if (is_log) {
        const auto cut = out.find('\n', out.size() - largest_entry);
        return "[what came before is left out]\n" + out.substr(cut + 1);
    }
    return out.substr(0, out.rfind('\n', largest_entry) + 1) + "[the rest is left out]\n";
}

std::string pretty(const json& document) {
    return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

/// A report as its JSON, secrets taken out of every string of it.
json cleaned(Report report, const Context& context, const char* verb, const Scrubber& scrubber) {
    report.program = "eflow-agent";
    report.version = context.version;
    report.verb = verb;
    return scrubbed(json::parse(to_json(report)), scrubber);
}

/// A log's last lines, before they are looked through: more of them than fit, since lines may become shorter.
void keep_end(std::string& text) {
    constexpr std::size_t kept = 2 * largest_entry;
    if (text.size() > kept) text.erase(0, text.find('\n', text.size() - kept) + 1);
}

/// Cleans and bounds what was gathered, as far as it fits into the bundle.
std::vector<ArchiveEntry> entries_of(Gathered& bundle) {
    std::vector<ArchiveEntry> entries;
    std::size_t total = 0;
    const auto end = std::chrono::steady_clock::now() + cleaning_time;
    for (auto& one : bundle.texts) {
        if (one.is_log && bundle.scrubber.is_full()) {
            bundle.miss(one.name, "there are more secrets on this device than it could be searched for");
            continue;
        }
        if (std::chrono::steady_clock::now() > end) {
            bundle.miss(one.name, "taking the secrets out took too long");
            continue;
        }
        if (one.is_log) keep_end(one.text);
        std::string text = bounded(bundle.scrubber.clean(one.text), one.is_log);
        one.text = {};
        if (total + text.size() > largest_bundle) {
            bundle.miss(one.name, "the bundle is full");
            continue;
        }
        total += text.size();
        entries.push_back({one.name, std::move(text)});
    }
    return entries;
}

std::string missing_text(const Gathered& bundle) {
    if (bundle.missing.empty()) return "Nothing: all was had.\n";
    std::string text;
    for (const auto& [what, why] : bundle.missing) text += plain(what) + ": " + plain(why) + "\n";
    return text;
}

void clean_page(Gathered& bundle) {
    const auto clean = [&](std::string& text) { text = bundle.scrubber.clean(text); };
    SupportPage& page = bundle.page;
    if (page.history.size() > most_history)
        page.history.erase(page.history.begin(), page.history.end() - static_cast<std::ptrdiff_t>(most_history));
    for (auto& [what, why] : bundle.missing) {
        clean(what);
        clean(why);
    }
    for (auto& [name, value] : page.facts) clean(value);
    clean(page.units.why);
    clean(page.containers.why);
    clean(page.no_chain);
    if (page.containers.value)
        for (auto& one : *page.containers.value)
            for (std::string* text : {&one.name, &one.image, &one.status}) clean(*text);
}

void gather(const Context& context, const Tree& tree, Observations& seen, Gathered& bundle) {
    const auto step = [&](const char* what) { context.log.info("{} …", what); };
    spare_names(seen, bundle);
    step("Files");
    gather_files(tree, bundle);
    if (tree.live()) {
        step("Services");
        gather_units(seen, bundle);
        step("Containers");
        gather_containers(seen, bundle);
        step("Journals");
        gather_journals(bundle);
    } else {
        for (const char* what : {"units", "journals", "modules"})
            bundle.miss(what, "below --root no service is looked at");
    }
    // Last, when every secret is known that other sources gave away.
    gather_certificates(tree, seen, bundle);
    gather_listing(tree, bundle);
    gather_history(tree, bundle);
    gather_host(tree, seen, bundle);
}

Outcome support_bundle(const Context& context, const std::string& output) {
    const Tree tree = tree_of(context);
    Observations seen = observations_of(context, tree);
    Gathered bundle;
    if (tree.live()) {
        const bool is_root = context.world.is_root ? context.world.is_root() : geteuid() == 0;
        if (!is_root) bundle.miss("what only root may see", "run it again with sudo for the whole of it");
        context.log.info("The cloud …");
        reach_cloud(context, seen);
    } else {
        seen.no_reach = "below --root nothing is connected to";
    }
    gather(context, tree, seen, bundle);

    const Report summary = summarize(seen, judge(seen));
    const json status = cleaned(summary, context, "status", bundle.scrubber);
    Report findings = summary;
    findings.data = {{"because", summary.data.at("because")}, {"next", summary.data.at("next")}};
    bundle.texts.insert(bundle.texts.begin(),
                        {{"reports/status.json", pretty(status), false},
                         {"reports/check.json", pretty(cleaned(findings, context, "check", bundle.scrubber)), false}});
    std::vector<ArchiveEntry> entries = entries_of(bundle);

    const std::string host = host_of(tree);
    SupportPage& page = bundle.page;
    page.host = bundle.scrubber.clean(host.empty() ? "unknown host" : host);
    page.version = context.version;
    page.now = seen.now;
    page.report = report_from_json(status.dump());
    page.units = seen.units;
    page.containers = seen.containers;
    clean_page(bundle);
    for (const auto& entry : entries) page.entries.emplace_back(entry.name, entry.text.size());
    page.missing = bundle.missing;
    std::vector<ArchiveEntry> first{{"report.html", bundle.scrubber.clean(support_page(page))},
                                    {"missing.txt", bundle.scrubber.clean(missing_text(bundle))},
                                    {"README.txt", read_me}};
    entries.insert(entries.begin(), std::make_move_iterator(first.begin()), std::make_move_iterator(first.end()));

    std::string time = to_text(seen.now);
    std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
    const std::string name = "eflow-support-" + plain_name(host) + "-" + time;
    const std::string path = output.empty() ? name + ".tar.gz" : output;
    Outcome outcome;
    json& data = outcome.report.data;
    data["path"] = path;
    data["entries"] = json::array();
    std::string list;
    for (auto& entry : entries) {
        data["entries"].push_back({{"name", entry.name}, {"bytes", entry.text.size()}});
        list += "  " + entry.name + std::string(34 - std::min<std::size_t>(33, entry.name.size()), ' ') +
                std::to_string((entry.text.size() + 1023) / 1024) + " KiB\n";
        entry.name = name + "/" + entry.name;
    }
    const std::string archive = gzip(tar(entries, seen.now));
    write_new({{path, SecretBytes(archive), 0600}});

    data["bytes"] = archive.size();
    data["missing"] = json::array();
    outcome.report.phase = summary.phase;
    outcome.text = "Wrote " + context.style.strong(plain(path)) + ": " + std::to_string(entries.size()) + " files, " +
                   std::to_string((archive.size() + 1023) / 1024) + " KiB\n" + plain(list);
    if (!bundle.missing.empty()) outcome.text += "Not in it:\n";
    for (const auto& [what, why] : bundle.missing) {
        data["missing"].push_back({{"what", what}, {"why", why}});
        outcome.text += "  " + context.style.caution(plain(what)) + ": " + plain(why) + "\n";
    }
    outcome.text +=
        "Secrets were taken out; look through it before you send it. report.html shows everything at a glance.\n";
    return outcome;
}

}  // namespace

Handler declare_support_bundle(CLI::App& app) {
    auto output = std::make_shared<std::string>();
    app.add_option("-o,--output", *output,
                   "The file to make; it must not be there yet (default: eflow-support-HOST-TIME.tar.gz here)")
        ->type_name("FILE");
    return [output](const Context& context) { return support_bundle(context, *output); };
}

}  // namespace eflow
