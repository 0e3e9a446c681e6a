#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vm-agent/health/seen.hpp"

namespace eflow {

/// How far edgeAgent has come to its hub, by its own words (edge-agent IoTHub/ModuleClientProvider.cs,
/// EdgeAgentConnection.cs).
struct HubLink {
    enum class State {
        silent,   ///< it has said nothing of it since it was started
        trying,   ///< it connects, and neither succeeded nor failed yet
        reached,  ///< connected, or its twin fetched, or its report taken
        in_vain,  ///< an attempt over every transport that it may use has failed
        refused,  ///< the hub answered, and does not admit it
    };
    State state = State::silent;
    std::string text;       ///< the line that says so
    std::string reason;     ///< the exception below it; "" without one
    std::string transport;  ///< "Amqp_Tcp_Only", "Mqtt_WebSocket_Only", …: of the last attempt
    unsigned failures = 0;  ///< in a row
    Stamp at{};             ///< of the last line that bears it out
    bool was_reached = false;  ///< since edgeAgent was started

    /// edgeAgent has been with its hub since it was started, and has not failed to come back to it.
    [[nodiscard]] bool is_shown() const { return state == State::reached || (state == State::trying && was_reached); }
    /// It cannot come to it.
    [[nodiscard]] bool fails() const { return state == State::in_vain || state == State::refused; }

    bool operator==(const HubLink&) const = default;
};

/// A step of a deployment that edgeAgent could not do.
struct FailedStep {
    std::string command;  ///< as edgeAgent shows it: "Prepare module thermostat"
    std::string reason;   ///< what the command ended with; "" when that was not heard
    unsigned failures = 0;

    bool operator==(const FailedStep&) const = default;
};

/// What edgeAgent said last about its deployment, in the codes that the cloud shows (edge-agent
/// Core/DeploymentStatusCode.cs): 200, 400, 406, 412, 417, 500. 0 while it carries one out.
struct Deployment {
    int code = 406;
    std::string text;               ///< the line that first said so
    Stamp at{};                     ///< when that was, as far as known
    std::int64_t number = 0;        ///< the version of the desired properties, where it was said
    std::vector<FailedStep> steps{};  ///< that failed, and have not gone through since
    std::string reason{};           ///< the exception, where no step is known to have failed
    Stamp last{};                   ///< when it was said again; a failure is, each few seconds, while it lasts
    int before = 406;               ///< the code before a failure

    bool operator==(const Deployment&) const = default;
};

/// What a line of the log has changed.
enum class Heard {
    nothing,
    again,       ///< what was known, once more
    link,        ///< how far edgeAgent has come to its hub
    deployment,  ///< the status of the deployment
    ending,      ///< what edgeAgent ends with
};

/// edgeAgent's log, read line by line: what it says of its hub and of its deployment. It says most of it on a change and
/// at its twin's refresh only, once an hour, so a watcher remembers it.
///
/// A plan that has ended is no deployment carried out: steps that failed are passed over until they have rested, so that a
/// plan with nothing but them begins and ends without a word (Core/planrunner/OrdererdRetryPlanRunner.cs:70-130).
class AgentSaid {
public:
    HubLink link;
    std::optional<Deployment> deployment;
    std::string ending;  ///< the last fatal error, with its exception; "" once it has got past that

    /// Takes the next line, which was written at `at`.
    Heard hear(std::string_view line, Stamp at);
    /// edgeAgent is started: what it reached before is to be shown again, and what it carried out or failed to is to be
    /// tried again. A failure to reach the hub stands until the next attempt has ended.
    void begin();

    bool operator==(const AgentSaid&) const = default;

private:
    enum class Waits { nothing, link, operation, reconcile, refresh, ending, step };

    Heard take(int what, std::string_view message, std::string_view line, Stamp at);
    Heard take_below(std::string_view line, Stamp at);
    Heard explain_link(std::string_view line, bool first);
    Heard reach(std::string_view line, Stamp at);
    Heard attempt(std::string_view message, std::string_view line, Stamp at);
    Heard fail_link(std::string_view line, Stamp at);
    Heard settle(int code, std::string_view line, Stamp at);
    Heard start_plan(std::string_view message, std::string_view line, Stamp at);
    Heard end_plan(std::string_view line, Stamp at);
    Heard fail_step(std::string_view message, std::string_view line, Stamp at, bool tried);
    [[nodiscard]] FailedStep* find_step(std::string_view command);

    Waits waits_ = Waits::nothing;     ///< what the lines of the exception below belong to
    bool first_below_ = false;         ///< the next of them is its first
    std::string operation_reason_;     ///< of the command that failed last
    std::string open_command_;         ///< a group's names, which come on lines of their own
    bool open_tried_ = false;
    std::string first_transport_;      ///< of this round of attempts
    unsigned without_config_ = 0;      ///< reconciliations without a configuration
    std::set<std::string> executed_;   ///< commands of this plan
    std::set<std::string> failed_;     ///< those that failed in it
};

}  // namespace eflow
