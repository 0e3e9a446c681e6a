#include "vm-agent/health/agent_log.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "vm-agent/health/agent_causes.hpp"

namespace eflow {

namespace {

constexpr std::size_t longest_line = 400;
constexpr std::size_t longest_reason = 300;
constexpr std::size_t most_steps = 20;
constexpr std::size_t most_commands = 1000;
/// Each is five seconds after the last at the earliest, so that this is a minute without a configuration.
constexpr unsigned long_without_config = 6;

enum What {
    begins, attempts, reaches, fails_to_connect, refreshes_in_vain, waits_for_config, is_empty, is_failed_refresh,
    bad_schema, bad_format, reconcile_failed, plan_failed, plan_started, plan_ended, step_failed, step_passed_over,
    step_given_up, executes, operation_failed, ends,
};

struct Phrase {
    std::string_view text;
    What what;
};

/// How edgeAgent's lines begin, with the place that writes them (edge-agent/src, 1.4 to 1.6 alike).
constexpr std::array phrases{
    Phrase{"Initializing Edge Agent.", begins},                                          // Service/Program.cs:87
    Phrase{"Edge agent attempting to connect to IoT Hub via ", attempts},                // ModuleClientProvider.cs:265
    Phrase{"Edge agent connected to IoT Hub via ", reaches},                             // :270
    Phrase{"Initialized new module client with subscriptions", reaches},                 // ModuleConnection.cs:186
    Phrase{"Obtained Edge agent twin from IoTHub", reaches},                             // EdgeAgentConnection.cs:522
    Phrase{"Updated reported properties", reaches},                                      // IoTHubReporter.cs:265
    Phrase{"Received direct method call", reaches},                                      // ModuleConnection.cs:191
    Phrase{"Error creating a device-to-cloud connection", fails_to_connect},             // ModuleClientProvider.cs:280
    Phrase{"Device client threw non-transient exception during setup", fails_to_connect},  // :292
    Phrase{"Error setting up new module client", fails_to_connect},                      // ModuleConnection.cs:172
    Phrase{"Error getting edge agent twin from IoTHub", refreshes_in_vain},              // EdgeAgentConnection.cs:557
    Phrase{"Empty edge agent config was received", waits_for_config},                    // BackupConfigSource.cs:139
    Phrase{"Deployment config in edge agent's desired properties is empty", is_empty},   // EdgeAgentConnection.cs:602
    Phrase{"Error refreshing edge agent configuration from twin", is_failed_refresh},    // :592
    Phrase{"Reconcile failed because of invalid schema", bad_schema},                    // Agent.cs:411
    Phrase{"Reconcile failed because of invalid configuration format", bad_format},      // :416
    Phrase{"Reconcile failed because of the an exception", reconcile_failed},            // :421
    Phrase{"Edge agent plan execution failed", plan_failed},                             // :401
    Phrase{"Plan execution started for deployment ", plan_started},                      // OrdererdRetryPlanRunner.cs:211
    Phrase{"Plan execution ended for deployment ", plan_ended},                          // :250
    Phrase{"Step failed in deployment ", step_failed},                                   // :246, :257
    Phrase{"Step previously failed in deployment ", step_passed_over},                   // :264
    Phrase{"Skipping command ", step_given_up},                                          // :232
    Phrase{"Executing command: ", executes},                                             // LoggingCommandFactory.cs:100
    Phrase{"Executing command for operation ", operation_failed},                        // :110
    Phrase{"Fatal error ", ends},                                                        // Program.cs:160, :270, :334
    Phrase{"Unhandled exception", ends},                                                 // .NET's own
};

/// Its start script's and its main's own words, after a time of their own form (agentStart.sh:26, Program.cs:43).
constexpr std::array starts{"Starting Edge Agent", "Edge Agent Main()"};

bool is_digit(char one) {
    return one >= '0' && one <= '9';
}

/// "<6> 2026-01-31 12:00:00.000 +00:00 [INF] - message"; the start script leaves the first out (Logger.cs:62).
bool has_header(std::string_view line) {
    const bool severity = line.size() > 3 && line[0] == '<' && is_digit(line[1]) && line[2] == '>';
    const bool date = line.size() > 10 && is_digit(line[0]) && is_digit(line[3]) && line[4] == '-' && line[7] == '-';
    return severity || date || (line.size() > 5 && line[0] == '[' && line.substr(4, 2) == "] ");
}

std::string_view message_of(std::string_view line) {
    if (!has_header(line)) return line;
    const auto dash = line.find("] - ");
    return dash == std::string_view::npos ? line : line.substr(dash + 4);
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '"')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '"' || text.back() == '.' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

std::int64_t number_in(std::string_view message) {
    constexpr std::string_view word = "deployment ";
    const auto at = message.find(word);
    std::int64_t number = 0;
    if (at != std::string_view::npos)
        std::from_chars(message.data() + at + word.size(), message.data() + message.size(), number);
    return number;
}

/// The command that a line of the plan runner names: up to what it says next. A group's ends with "(", and its members
/// stand on the lines below.
std::string_view command_in(std::string_view message, std::string_view word) {
    const auto at = message.find(word);
    if (at == std::string_view::npos) return {};
    message.remove_prefix(at + word.size());
    for (const char* next : {". Will retry", ". Skipping remaining", "\" in deployment", ". Giving up"})
        message = message.substr(0, message.find(next));
    return trimmed(message);
}

/// The words of an exception without its type where that says nothing, and without what follows them
/// (Edgelet/EdgeletCommunicationException.cs:16).
std::string reason_of(std::string_view line) {
    constexpr std::string_view mark = "- Message:";
    if (const auto at = line.find(mark); at != std::string_view::npos) {
        line.remove_prefix(at + mark.size());
        line = line.substr(0, line.find(", StatusCode:"));
    }
    return std::string(trimmed(line).substr(0, longest_reason));
}

bool is_frame(std::string_view line) {
    const auto text = trimmed(line);
    return text.starts_with("at ") || text.starts_with("--- End of");
}

}  // namespace

void AgentSaid::begin() {
    if (!link.fails()) link = {};
    link.was_reached = false;
    first_transport_.clear();
    without_config_ = 0;
    executed_.clear();
    failed_.clear();
    if (deployment && (deployment->code == 0 || deployment->code == 500)) deployment.reset();
}

Heard AgentSaid::hear(std::string_view line, Stamp at) {
    const std::string_view message = message_of(line);
    for (const auto& phrase : phrases)
        if (message.starts_with(phrase.text)) {
            waits_ = Waits::nothing;
            return take(phrase.what, message, line, at);
        }
    for (const std::string_view start : starts)
        if (line.find(start) != std::string_view::npos) {
            waits_ = Waits::nothing;
            return take(begins, message, line, at);
        }
    if (!has_header(line)) return take_below(line, at);
    waits_ = Waits::nothing;
    return Heard::nothing;
}

Heard AgentSaid::take(int what, std::string_view message, std::string_view line, Stamp at) {
    const auto below = [this](Waits waits, Heard heard) {
        waits_ = waits;
        first_below_ = true;
        return heard;
    };
    switch (static_cast<What>(what)) {
        case begins: begin(); return Heard::link;
        case attempts: return attempt(message, line, at);
        case reaches: return reach(line, at);
        case fails_to_connect: return below(Waits::link, fail_link(line, at));
        case refreshes_in_vain: return below(Waits::link, fail_link(line, at));
        case waits_for_config:
            if (link.state == HubLink::State::reached || ++without_config_ < long_without_config) return Heard::nothing;
            return link.fails() ? Heard::again : fail_link(line, at);
        case is_empty: reach(line, at); return settle(417, line, at);
        case is_failed_refresh: return below(Waits::refresh, Heard::nothing);
        case bad_schema: return settle(412, line, at);
        case bad_format: return settle(400, line, at);
        case reconcile_failed:
        case plan_failed: return below(Waits::reconcile, settle(500, line, at));
        case plan_started: return start_plan(message, line, at);
        case plan_ended: return number_in(message) < 0 ? Heard::nothing : end_plan(line, at);
        case step_failed: return fail_step(message, line, at, true);
        case step_passed_over:
        case step_given_up: return fail_step(message, line, at, false);
        case executes:
            if (executed_.size() < most_commands) executed_.emplace(trimmed(message.substr(message.find(": ") + 2)));
            return Heard::nothing;
        case operation_failed:
            operation_reason_.clear();
            return below(Waits::operation, Heard::nothing);
        case ends:
            ending = std::string(message.substr(0, longest_reason));
            return below(Waits::ending, Heard::ending);
    }
    return Heard::nothing;
}

/// A line below a message: of its exception, or of a group of commands.
Heard AgentSaid::take_below(std::string_view line, Stamp at) {
    if (waits_ == Waits::nothing || trimmed(line).empty()) return Heard::nothing;
    if (waits_ == Waits::step) {
        const auto text = trimmed(line);
        if (text.starts_with("[") && text.ends_with("]")) {
            open_command_ += (open_command_.empty() ? "" : ", ") + std::string(text.substr(1, text.size() - 2));
            return Heard::nothing;
        }
        waits_ = Waits::nothing;
        return fail_step("running command " + std::exchange(open_command_, {}), line, at, open_tried_);
    }
    const bool first = std::exchange(first_below_, false);
    switch (waits_) {
        case Waits::link: return explain_link(line, first);
        case Waits::operation:
            if (first) operation_reason_ = reason_of(line);
            return Heard::nothing;
        case Waits::reconcile:
            if (!first || !deployment || deployment->code != 500 || !deployment->steps.empty()) return Heard::nothing;
            if (deployment->reason == reason_of(line)) return Heard::again;
            deployment->reason = reason_of(line);
            return Heard::deployment;
        case Waits::refresh:
            if (!first || line.find("ConfigEmptyException") == std::string_view::npos) return Heard::nothing;
            // Where only errors are logged, this is the word that the twin is there and empty.
            reach(line, at);
            return settle(417, line, at);
        case Waits::ending:
            if (is_frame(line) || ending.size() > longest_line) return Heard::nothing;
            ending += ": " + reason_of(line);
            return Heard::ending;
        default: return Heard::nothing;
    }
}

/// The exception's first line, and the line below it that says most: the rows of causes go from special to general.
Heard AgentSaid::explain_link(std::string_view line, bool first) {
    const HubLink before = link;
    if (first) link.reason = reason_of(line);
    if (is_frame(line)) return Heard::nothing;
    const AgentCause* known = agent_cause_of(link.reason);
    const AgentCause* cause = agent_cause_of(line);
    if (cause != nullptr && cause->refused) link.state = HubLink::State::refused;
    if (!first && cause != nullptr && (known == nullptr || cause < known)) link.reason = reason_of(line);
    return before.reason == link.reason && before.state == link.state ? Heard::nothing : Heard::link;
}

Heard AgentSaid::reach(std::string_view line, Stamp at) {
    const bool known = link.state == HubLink::State::reached;
    link.state = HubLink::State::reached;
    link.was_reached = true;
    link.at = at;
    without_config_ = 0;
    first_transport_.clear();
    ending.clear();
    if (known) return Heard::again;
    link.text = std::string(line.substr(0, longest_line));
    link.reason.clear();
    link.failures = 0;
    return Heard::link;
}

/// With UpstreamProtocol set, an attempt that failed says nothing: the next one over the same transport does
/// (ModuleClientProvider.cs:180-215).
Heard AgentSaid::attempt(std::string_view message, std::string_view line, Stamp at) {
    link.transport = std::string(trimmed(message.substr(message.rfind(' ') + 1)));
    if (link.state == HubLink::State::silent || link.state == HubLink::State::reached) {
        link.state = HubLink::State::trying;
        link.text = std::string(line.substr(0, longest_line));
        link.at = at;
        first_transport_ = link.transport;
        return Heard::link;
    }
    if (std::exchange(first_transport_, link.transport) != link.transport) return Heard::again;
    const Heard heard = fail_link(line, at);
    first_transport_ = link.transport;
    return heard;
}

Heard AgentSaid::fail_link(std::string_view line, Stamp at) {
    const bool known = link.fails();
    ++link.failures;
    link.at = at;
    first_transport_.clear();
    if (!known) {
        link.state = HubLink::State::in_vain;
        link.reason.clear();
    }
    link.text = std::string(line.substr(0, longest_line));
    return known ? Heard::again : Heard::link;
}

/// A failure stays as it was first told, whatever edgeAgent says of it later on.
Heard AgentSaid::settle(int code, std::string_view line, Stamp at) {
    const bool fails = code != 200 && code != 417;
    if (deployment && deployment->code == code) {
        deployment->last = at;
        return Heard::again;
    }
    Deployment now{code, std::string(line.substr(0, longest_line)), at};
    now.last = at;
    now.number = deployment ? deployment->number : 0;
    if (fails && deployment)
        now.before = deployment->code == 200 || deployment->code == 417 ? deployment->code : deployment->before;
    deployment = std::move(now);
    return Heard::deployment;
}

Heard AgentSaid::start_plan(std::string_view message, std::string_view line, Stamp at) {
    const std::int64_t number = number_in(message);
    executed_.clear();
    failed_.clear();
    operation_reason_.clear();
    if (number < 0) return Heard::nothing;  // edgeAgent stops its modules as it ends (Agent.cs, ShutdownModules)
    const bool same = deployment && (deployment->number == number || deployment->number == 0);
    if (same && !deployment->steps.empty()) {
        deployment->last = at;
        return Heard::again;
    }
    if (same && deployment->code == 0) return Heard::again;
    const int before = !deployment ? 406 : deployment->code == 200 || deployment->code == 417 ? deployment->code : deployment->before;
    deployment = Deployment{0, std::string(line.substr(0, longest_line)), at};
    deployment->number = number;
    deployment->last = at;
    deployment->before = before;
    return Heard::deployment;
}

Heard AgentSaid::end_plan(std::string_view line, Stamp at) {
    const std::int64_t number = number_in(line);
    const bool another = deployment && deployment->number != 0 && number != 0 && deployment->number != number;
    if (deployment && !another) {
        auto& steps = deployment->steps;
        const auto went_through = [&](const FailedStep& step) {
            const std::string first = step.command.substr(0, step.command.find(", "));
            return executed_.count(first) > 0 && failed_.count(step.command) == 0;
        };
        std::erase_if(steps, went_through);
        deployment->last = at;
        if (!steps.empty()) return Heard::again;
    }
    if (deployment && deployment->code == 500 && !failed_.empty()) return Heard::again;
    const Heard heard = settle(200, line, at);
    deployment->number = number;
    return heard;
}

FailedStep* AgentSaid::find_step(std::string_view command) {
    if (!deployment) return nullptr;
    for (auto& step : deployment->steps)
        if (step.command == command) return &step;
    return nullptr;
}

Heard AgentSaid::fail_step(std::string_view message, std::string_view line, Stamp at, bool tried) {
    std::string_view command = command_in(message, "running command ");
    if (command.empty()) command = command_in(message, "Skipping command ");
    if (command.ends_with("(")) {
        waits_ = Waits::step;
        open_command_.clear();
        open_tried_ = tried;
        return Heard::nothing;
    }
    if (failed_.size() < most_commands) failed_.emplace(command);
    const bool known = deployment && deployment->code == 500;
    settle(500, line, at);
    if (const std::int64_t number = number_in(message); number != 0) deployment->number = number;
    deployment->last = at;
    if (FailedStep* step = find_step(command)) {
        if (tried) ++step->failures;
        if (tried && !operation_reason_.empty()) step->reason = operation_reason_;
        return known ? Heard::again : Heard::deployment;
    }
    if (deployment->steps.size() < most_steps)
        deployment->steps.push_back({std::string(command.substr(0, longest_reason)), operation_reason_, tried ? 1U : 0U});
    deployment->reason.clear();
    return Heard::deployment;
}

}  // namespace eflow
