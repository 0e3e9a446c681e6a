#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "shared/report.hpp"
#include "vm-agent/cli/run.hpp"
#include "vm-agent/cli/style.hpp"
#include "vm-agent/placement/change_lock.hpp"
#include "vm-agent/placement/tree.hpp"

namespace spdlog {
class logger;
}
namespace CLI {
class App;
}

namespace eflow {

/// The options that every verb has.
struct GlobalOptions {
    std::string root;  ///< empty: the running machine
    bool json = false;
    bool verbose = false;
    bool quiet = false;
    std::string color = "auto";
};

/// What a verb works with.
struct Context {
    const World& world;
    const GlobalOptions& options;
    Style style;
    std::string version;  ///< of this program, with its commit
    spdlog::logger& log;  ///< progress, to standard error: steps with --verbose, what is waited for on a terminal
};

/// What a verb gives back: the report (JSON) and its form for people.
struct Outcome {
    Report report;
    std::string text;
    bool streamed = false;  ///< it has printed all there is, as it came
};

/// What `declare` returns: run after the command line was parsed.
using Handler = std::function<Outcome(const Context&)>;

/// A row of the table of verbs: what the user types, one line of help, examples, and the options it declares.
struct Verb {
    const char* name;
    const char* summary;
    const char* examples;
    Handler (*declare)(CLI::App&);
};

Handler declare_provision(CLI::App& app);
Handler declare_post_install(CLI::App& app);
Handler declare_undo(CLI::App& app);
Handler declare_deprovision(CLI::App& app);
Handler declare_install_self(CLI::App& app);
Handler declare_firstboot(CLI::App& app);
Handler declare_status(CLI::App& app);
Handler declare_check(CLI::App& app);
Handler declare_watch(CLI::App& app);
Handler declare_history(CLI::App& app);
Handler declare_support_bundle(CLI::App& app);
Handler declare_cert_inspect(CLI::App& app);
Handler declare_cert_verify(CLI::App& app);
Handler declare_cert_create_test(CLI::App& app);

/// Every verb, in the order of the help.
std::span<const Verb> known_verbs();
/// Hands over the parser as the program itself declares it, for what is written from it: man pages and completion.
void visit_command_line(const std::function<void(const CLI::App&)>& visit);

/// The tree to work on: the folder given with --root, or the running machine's.
Tree tree_of(const Context& context);
/// The services to use: the world's, or systemd's, which say on a terminal how far an apply has come.
std::unique_ptr<Services> services_of(const Context& context);
/// Tries DPS and the hub that config.toml and device_info name, for the checks that need the network.
void reach_cloud(const Context& context, Observations& seen);
/// What is seen now, `later` than the start of the run.
Observations observations_of(const Context& context, const Tree& tree, std::chrono::seconds later = {});

/// How this run asks for the lock: whoever holds it is named at once, where a person looks on.
LockAsked lock_asked(const Context& context, const char* verb, bool wait);

/// Throws Failure(machine_lacks) when `tree` is the running machine's and the caller is not root: `verb` cannot work
/// then.
void require_root(const Context& context, const Tree& tree, const char* verb);

}  // namespace eflow
