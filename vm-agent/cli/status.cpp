#include <csignal>
#include <memory>
#include <optional>
#include <ostream>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/health/summary.hpp"
#include "vm-agent/health/verdict.hpp"
#include "vm-agent/machine/places.hpp"
#include "vm-agent/machine/watch_lock.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/watch/file_source.hpp"
#include "vm-agent/watch/watcher.hpp"

namespace eflow {

namespace {

using nlohmann::json;

constexpr std::size_t largest_status = 4 * 1024 * 1024;

std::string row(const char* name, const std::string& value) {
    return std::string(name) + std::string(12 - std::string_view(name).size(), ' ') + value + "\n";
}

std::string text_in(const json& object, const char* key) {
    if (!object.is_object()) return {};
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? plain(found->get<std::string>()) : "";
}

std::string identity_row(const json& identity, const Style& style) {
    if (!identity.is_object()) return row("Identity", "none");
    if (identity.contains("unseen")) return row("Identity", "not seen: " + text_in(identity, "unseen"));
    const auto days = identity.find("days_left");
    std::string left;
    if (days != identity.end() && days->is_number_integer()) {
        const long count = days->get<long>();
        left = count < 0 ? "expired" : std::to_string(count) + (count == 1 ? " day left" : " days left");
        left = count < 7 ? style.bad(left) : count < 30 ? style.caution(left) : left;
    }
    return row("Identity", text_in(identity, "common_name") + ", " + text_in(identity, "key") + ", " + left);
}

std::string provisioning_row(const json& provisioning) {
    if (!provisioning.is_object()) return row("DPS", "not configured");
    if (provisioning.contains("unseen")) return row("DPS", "not seen: " + text_in(provisioning, "unseen"));
    const std::string source = text_in(provisioning, "source");
    if (source != "dps") return row("Source", source);
    return row("DPS", text_in(provisioning, "id_scope") + " at " + text_in(provisioning, "global_endpoint"));
}

std::string services_row(const json& services, const Style& style) {
    if (services.is_object() && services.contains("unseen"))
        return row("Services", "not seen: " + text_in(services, "unseen"));
    std::string text;
    if (services.is_object())
        for (const auto& [name, state] : services.items()) {
            if (!state.is_string()) continue;
            const auto word = plain(state.get<std::string>());
            const bool well = word == "running" || word == "ready";
            text += (text.empty() ? "" : ", ") + plain(name) + " " + (well ? word : style.bad(word));
        }
    return row("Services", text.empty() ? "none" : text);
}

/// The runtime's two, and how many others run.
std::string modules_row(const json& modules, const Style& style) {
    if (modules.is_object() && modules.contains("unseen"))
        return row("Modules", "not seen: " + text_in(modules, "unseen"));
    std::string text;
    std::size_t others = 0;
    std::size_t running = 0;
    constexpr std::size_t most_named = 6;
    if (modules.is_array()) {
        for (const auto& module : modules) {
            const std::string state = text_in(module, "state");
            const std::string name = text_in(module, "name");
            const bool runtime = name == "edgeAgent" || name == "edgeHub";
            if (!runtime && modules.size() > most_named) {
                ++others;
                if (state == "running") ++running;
                continue;
            }
            text += (text.empty() ? "" : ", ") + name + " " + (state == "running" ? state : style.bad(state));
        }
        if (others > 0)
            text += (text.empty() ? "" : ", ") + std::to_string(running) + " of " + std::to_string(others) + " others running";
    }
    return row("Modules", text.empty() ? "none yet" : text);
}

/// What the codes mean is edge-agent's own (Core/DeploymentStatusCode.cs).
std::string deployment_row(const json& data) {
    const auto found = data.find("deployment");
    if (found == data.end() || !found->is_number_integer()) return {};
    const int code = found->get<int>();
    const char* meaning = code == 0     ? "under way"
                          : code == 200 ? "200, carried out"
                          : code == 400 ? "400, the manifest is not valid"
                          : code == 406 ? "406, not known yet"
                          : code == 412 ? "412, schema version not supported"
                          : code == 417 ? "417, none has been made yet"
                          : code == 500 ? "500, edgeAgent could not carry it out"
                                        : "not known";
    return row("Deployment", meaning);
}

/// "12 s", "5 min", "3 h", "2 d"
std::string age_of(const std::string& observed_at, Instant now) {
    std::tm time{};
    if (strptime(observed_at.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time) == nullptr) return "some time";
    const long seconds = std::max(0L, static_cast<long>(now.time_since_epoch().count() - timegm(&time)));
    if (seconds < 120) return std::to_string(seconds) + " s";
    if (seconds < 7200) return std::to_string(seconds / 60) + " min";
    if (seconds < 172800) return std::to_string(seconds / 3600) + " h";
    return std::to_string(seconds / 86400) + " d";
}

std::string render(const Report& report, const Context& context) {
    const Style& style = context.style;
    const json& data = report.data;
    const auto part = [&](const char* name) { return data.contains(name) ? data[name] : json(); };
    std::string text = row("Phase", style.phase(report.phase) + "  " + text_in(data, "because"));
    text += identity_row(part("identity"), style) + provisioning_row(part("provisioning"));
    if (const json hub = part("hub"); hub.is_object())
        text += row("IoT Hub", text_in(hub, "device_id") + " at " + text_in(hub, "hub_name"));
    text += services_row(part("services"), style) + modules_row(part("modules"), style) + deployment_row(data);
    if (const auto next = text_in(data, "next"); !next.empty()) text += row("Next", next);
    if (const auto seen_by = text_in(data, "seen_by"); !seen_by.empty()) text += row("Seen by", style.faint(seen_by));
    const std::string findings = style.findings(report.findings, context.options.verbose);
    if (!findings.empty()) text += "\n" + findings;
    return text;
}

/// The watcher's last word; nothing when it has left none, or none that can be used.
std::optional<Report> watchers_report(const Tree& tree, Instant now) {
    try {
        const auto text = tree.read(places::status_file, largest_status);
        if (!text) return std::nullopt;
        Report report = report_from_json(text->reveal());
        const std::string at = text_in(report.data, "observed_at");
        report.data["seen_by"] = "the watcher; nothing has changed since " + at + " (" + age_of(at, now) + ")";
        return report;
    } catch (const Failure&) {
        return std::nullopt;
    }
}

/// Something that this caller is not allowed to look at.
bool is_blind(const Observations& seen) {
    const auto denied = [](const std::string& why) { return why.find("ermission denied") != std::string::npos; };
    return (!seen.config.value && denied(seen.config.why)) || (!seen.containers.value && denied(seen.containers.why));
}

/// The watcher follows both systemd and the engine: its last word is how things stand now.
bool follows_all(const Report& report) {
    const json watcher = report.data.value("watcher", json::object());
    return text_in(watcher, "systemd") == "followed" && text_in(watcher, "docker") == "followed";
}

/// A change that was begun and is not over. The watcher follows what runs, not the run that makes a change.
bool is_open(const Tree& tree) {
    try {
        return unfinished_change(tree).has_value();
    } catch (const Failure&) {
        return false;
    }
}

Report look(const Context& context, const Tree& tree) {
    if (tree.live() && !is_open(tree) && is_watch_lock_held(tree, places::runtime_folder))
        if (auto report = watchers_report(tree, context.world.now); report && follows_all(*report))
            return std::move(*report);
    const Observations seen = observations_of(context, tree);
    if (tree.live() && is_blind(seen))
        if (auto report = watchers_report(tree, context.world.now)) return std::move(*report);
    return summarize(seen, judge(seen));
}

void draw(const Context& context, const Report& report) {
    if (context.options.json)
        *context.world.out << json::parse(to_json(report)).dump() << "\n";  // a line each
    else
        *context.world.out << (context.world.out_is_terminal ? "\x1b[H\x1b[2J" : "") << render(report, context)
                           << (context.world.out_is_terminal ? "" : "\n");
    context.world.out->flush();
}

/// Draws again whenever something has changed: as the watcher sees it where there is one, as seen from here otherwise.
void keep_drawing(const Context& context, const Tree& tree) {
    boost::asio::io_context loop(1);
    boost::asio::signal_set ends(loop, SIGTERM, SIGINT);
    ends.async_wait([&](const boost::system::error_code&, int) { loop.stop(); });
    const auto watched = [&] {
        const Instant now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
        return watchers_report(tree, now);
    };
    std::optional<FileSource> file;
    std::optional<Watcher> watcher;
    std::string drawn;
    const auto redraw = [&] {
        const auto now = watched();
        if (!now) return;
        if (const auto text = text_in(now->data, "observed_at") + to_json(*now); text != std::exchange(drawn, text))
            draw(context, *now);
    };
    file.emplace(loop, std::vector<std::string>{places::runtime_folder}, redraw);
    file->start();  // first, so that no change falls between
    redraw();
    if (drawn.empty()) {
        file.reset();
        WatchOptions options;
        options.version = context.version;
        options.judged = [&](const Observations& seen, const Verdict& verdict) {
            Report now = summarize(seen, verdict);
            Report timeless = now;
            timeless.data.erase("observed_at");
            if (const auto text = to_json(timeless); text != std::exchange(drawn, text)) draw(context, now);
        };
        watcher.emplace(loop, tree, std::move(options));
        watcher->start();
    }
    loop.run();
}

Outcome status(const Context& context, bool watch) {
    const Tree tree = tree_of(context);
    if (watch) {
        if (!tree.live())
            throw Failure(ExitCode::usage, "--watch follows the running machine; --root is none", "Leave one of them out.");
        keep_drawing(context, tree);
        Outcome nothing_more;
        nothing_more.streamed = true;
        return nothing_more;
    }
    Report report = look(context, tree);
    std::string text = render(report, context);
    return {std::move(report), std::move(text)};
}

}  // namespace

Handler declare_status(CLI::App& app) {
    auto watch = std::make_shared<bool>(false);
    app.add_flag("--watch", *watch, "Draw it again whenever something changes, until interrupted");
    return [watch](const Context& context) { return status(context, *watch); };
}

}  // namespace eflow
