#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include <unistd.h>
#include <spdlog/logger.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/machine/journal.hpp"
#include "vm-agent/machine/places.hpp"
#include "vm-agent/machine/watch_lock.hpp"
#include "vm-agent/watch/watcher.hpp"

namespace eflow {

namespace {

struct WatchFlags {
    std::string metrics_listen;
    std::string metrics_textfile;
};

/// A folder of the watcher's own. systemd makes them for the unit; by hand, the watcher does.
void make_folder(const std::string& path) {
    if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
        throw Failure(ExitCode::machine_lacks, path + " cannot be made: " + std::strerror(errno),
                      "Run the watcher as its unit: sudo systemctl start eflow-agent; or as root.");
    chmod(path.c_str(), 0755);
}

WatchSettings settings_of(const Tree& tree, const WatchFlags& flags) {
    constexpr std::size_t largest = 64 * 1024;
    WatchSettings settings;
    if (const auto text = tree.read(places::watch_settings, largest)) settings = parse_watch_settings(text->reveal());
    if (!flags.metrics_listen.empty()) {
        parse_metrics_address(flags.metrics_listen);
        settings.metrics_listen = flags.metrics_listen;
    }
    if (!flags.metrics_textfile.empty()) settings.metrics_textfile = flags.metrics_textfile;
    return settings;
}

Outcome watch(const Context& context, const WatchFlags& flags) {
    const Tree tree = tree_of(context);
    if (!tree.live())
        throw Failure(ExitCode::usage, "watch follows the running machine; --root is none",
                      "eflow-agent --root DIR status looks at a folder once.");
    settings_of(tree, flags);  // refused now, rather than when nobody reads it
    make_folder(places::runtime_folder);
    make_folder("/var/lib/eflow-agent");
    make_folder(places::watch_folder);
    const Descriptor lock = take_watch_lock(places::runtime_folder);
    // What an earlier watcher left is no word of this one, which the lock would make it.
    unlink(places::status_file);

    boost::asio::io_context loop(1);
    WatchOptions options;
    options.status_file = places::status_file;
    options.state_folder = places::watch_folder;
    options.version = context.version;
    options.settings = [&] { return settings_of(tree, flags); };
    // systemd says so when standard error goes to the journal: then the entries get their fields.
    const bool to_journal = std::getenv("JOURNAL_STREAM") != nullptr;
    options.log = [&](const LogLine& line) {
        if (to_journal && log_to_journal(line.priority, line.text, line.fields)) return;
        context.log.warn("{}", plain(line.text));
    };
    options.notifies = std::getenv("NOTIFY_SOCKET") != nullptr;

    Watcher watcher(loop, tree, std::move(options));
    boost::asio::signal_set ends(loop, SIGTERM, SIGINT);
    ends.async_wait([&](const boost::system::error_code& fault, int) {
        if (!fault) watcher.stop();
    });
    boost::asio::signal_set reloads(loop, SIGHUP);
    std::function<void()> on_reload = [&] {
        reloads.async_wait([&](const boost::system::error_code& fault, int) {
            if (fault) return;
            watcher.reload();
            on_reload();
        });
    };
    on_reload();
    watcher.start();
    loop.run();
    Outcome nothing_more;
    nothing_more.streamed = true;
    return nothing_more;
}

}  // namespace

Handler declare_watch(CLI::App& app) {
    auto flags = std::make_shared<WatchFlags>();
    app.add_option("--metrics-listen", flags->metrics_listen,
                   "Serve metrics on 127.0.0.1:PORT, [::1]:PORT or unix:PATH (over watch.toml)")
        ->type_name("ADDRESS");
    app.add_option("--metrics-textfile", flags->metrics_textfile,
                   "Write metrics to this .prom file for node_exporter (over watch.toml)")
        ->type_name("FILE");
    return [flags](const Context& context) { return watch(context, *flags); };
}

}  // namespace eflow
