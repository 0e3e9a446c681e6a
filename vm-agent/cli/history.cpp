#include <charconv>
#include <csignal>
#include <cstdio>
#include <memory>
#include <ostream>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/duration.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/health/summary.hpp"
#include "vm-agent/machine/places.hpp"
#include "vm-agent/watch/file_source.hpp"
#include "vm-agent/watch/history.hpp"

namespace eflow {

namespace {

struct HistoryOptions {
    std::string since = "24h";
    bool follow = false;
};

/// "2026-01-31" or "2026-01-31T12:00:00Z"; nothing for another text.
std::optional<Stamp> parse_date(const std::string& text) {
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    const int fields = std::sscanf(text.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second);
    if (fields != 3 && fields != 6) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    if (!date.ok() || year < 1970) return std::nullopt;
    return Stamp(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           std::chrono::seconds(second);
}

/// A date, or how long ago: "90min", "24h", "7d".
Stamp parse_since(const std::string& text, Instant now) {
    if (const auto date = parse_date(text)) return *date;
    int days = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), days);
    if (fault == std::errc() && end == text.data() + text.size() - 1 && *end == 'd' && days >= 0 && days < 10000)
        return Stamp(now) - std::chrono::days(days);
    try {
        return Stamp(now) - parse_duration(text, "--since");
    } catch (const Failure&) {
        throw Failure(ExitCode::usage, "--since must be a date such as 2026-01-31, or a time such as 90min, 24h or 7d",
                      "'" + text.substr(0, 40) + "' is neither.");
    }
}

std::string line_of(const HistoryEntry& entry, const Style& style) {
    std::string text = style.faint(to_text(std::chrono::floor<std::chrono::seconds>(entry.at))) + "  ";
    std::string what = entry.kind == entry.what ? entry.kind : entry.kind + " " + entry.what;
    if (what.size() < 38) what.append(38 - what.size(), ' ');
    const bool bad = entry.to == "failed" || entry.to == "degraded" || entry.to == "exited";
    const bool good = entry.to == "ok" || entry.to == "running" || entry.to == "awaiting-deployment";
    const std::string to = plain(entry.to);
    text += plain(what) + "  " + (entry.from.empty() ? "" : plain(entry.from) + " -> ") +
            (bad ? style.bad(to) : good ? style.good(to) : to);
    if (!entry.text.empty()) text += "  " + plain(entry.text);
    return text + "\n";
}

nlohmann::json json_of(const HistoryEntry& entry) {
    return {{"at", to_text(std::chrono::floor<std::chrono::seconds>(entry.at))},
            {"at_us", entry.at.time_since_epoch().count()},
            {"kind", entry.kind},
            {"what", entry.what},
            {"from", entry.from},
            {"to", entry.to},
            {"text", entry.text}};
}

/// Prints what comes, as it comes, until the user ends it.
void follow(const Context& context, const History& history, const std::string& folder, Stamp last) {
    boost::asio::io_context loop(1);
    boost::asio::signal_set ends(loop, SIGTERM, SIGINT);
    ends.async_wait([&](const boost::system::error_code&, int) { loop.stop(); });
    FileSource files(loop, {folder}, [&] {
        for (const auto& entry : history.read(last + std::chrono::microseconds(1))) {
            last = std::max(last, entry.at);
            *context.world.out << (context.options.json ? json_of(entry).dump() + "\n" : line_of(entry, context.style));
        }
        context.world.out->flush();
    });
    files.start();
    loop.run();
}

Outcome history(const Context& context, const HistoryOptions& options) {
    const Tree tree = tree_of(context);
    const Stamp since = parse_since(options.since, context.world.now);
    const std::string folder = (tree.root() == "/" ? "" : tree.root()) + places::watch_folder;
    if (!tree.directory(places::watch_folder))
        throw Failure(ExitCode::machine_lacks, "there is no history: " + folder + " does not exist",
                      "The watcher writes it: sudo systemctl enable --now eflow-agent");
    const History history(folder);
    if (const auto obstacle = history.obstacle())
        throw Failure(ExitCode::machine_lacks, "the history may not be read by this user: " + *obstacle,
                      "sudo eflow-agent history");
    const auto entries = history.read(since);
    Report report;
    report.data["history"] = nlohmann::json::array();
    std::string text;
    for (const auto& entry : entries) {
        report.data["history"].push_back(json_of(entry));
        text += line_of(entry, context.style);
    }
    if (!options.follow) {
        if (entries.empty()) text = "Nothing has changed since " + to_text(std::chrono::floor<std::chrono::seconds>(since)) + ".\n";
        return {report, text};
    }
    if (context.options.json)
        for (const auto& entry : entries) *context.world.out << json_of(entry).dump() << "\n";
    else
        *context.world.out << text;
    context.world.out->flush();
    follow(context, history, folder, entries.empty() ? since : entries.back().at);
    Outcome nothing_more;
    nothing_more.streamed = true;
    return nothing_more;
}

}  // namespace

Handler declare_history(CLI::App& app) {
    auto options = std::make_shared<HistoryOptions>();
    app.add_option("--since", options->since, "From when on: 90min, 24h (the default), 7d, or a date")->type_name("T");
    app.add_flag("--follow", options->follow, "Go on with what comes, until interrupted; with --json a line each");
    return [options](const Context& context) { return history(context, *options); };
}

}  // namespace eflow
