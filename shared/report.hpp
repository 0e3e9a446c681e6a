#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "shared/exit_code.hpp"
#include "shared/finding.hpp"

namespace eflow {

/// Where the device is. `awaiting_deployment` is what a new device looks like, and expected.
enum class Phase {
    not_provisioned,
    provisioning,
    awaiting_deployment,
    deploying,
    running,
    degraded,
    failed,
    unknown,
};

std::string_view to_text(Phase phase);

enum class Action { created, replaced, kept, removed };

std::string_view to_text(Action action);

/// What was, or would be, done to one path. `mode` is four octal digits, as in "0440".
struct Change {
    std::string path;
    Action action = Action::kept;
    std::string owner;
    std::string group;
    std::string mode;

    bool operator==(const Change&) const = default;
};

/// What a verb did and found. Crosses from the VM to the host as JSON, schema 1.
struct Report {
    static constexpr int schema = 1;

    std::string program;
    std::string version;
    std::string verb;
    ExitCode exit_code = ExitCode::done;
    Phase phase = Phase::unknown;
    Findings findings;
    std::vector<Change> changes;
    nlohmann::json data = nlohmann::json::object();
};

/// The contract's JSON object; bytes that are not UTF-8 are replaced, never an error.
std::string to_json(const Report& report);

/// Reads what to_json wrote. Throws Failure(internal) on anything else, naming the field.
Report report_from_json(std::string_view text);

}  // namespace eflow
