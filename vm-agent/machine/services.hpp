#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace eflow {

/// How one unit came out of an apply.
struct UnitOutcome {
    std::string unit;  ///< "aziot-edged.service"
    std::string
        job;  ///< the job's result as systemd says it: done, failed, timeout, dependency, canceled; "" when no job ran
    std::string active;                   ///< ActiveState after it
    std::string sub;                      ///< SubState
    std::string result;                   ///< Service Result: success, exit-code, signal, …
    int exit_status = 0;                  ///< ExecMainStatus
    unsigned restarts = 0;                ///< NRestarts

    [[nodiscard]] bool failed() const;
};

/// How an apply ended. `ok()` needs the command's exit code and every unit.
struct ApplyOutcome {
    int exit_code = 0;  ///< of `iotedge config apply`
    bool timed_out = false;
    std::string output;  ///< standard output and error, as captured, at most 64 KiB
    std::vector<UnitOutcome> units;
    std::map<std::string, std::vector<std::string>> journals;  ///< by unit, since the apply began; when one has failed

    [[nodiscard]] bool ok() const;
    /// What went wrong in words, for the report; empty when ok.
    [[nodiscard]] std::string why() const;
};

/// The aziot services, as the agent changes them.
class Services {
public:
    virtual ~Services() = default;
    /// `iotedge` is there to be run.
    [[nodiscard]] virtual bool can_apply() const = 0;
    /// Runs `iotedge config apply` and watches the units' jobs. Throws Failure(machine_lacks) when it cannot even
    /// start.
    virtual ApplyOutcome apply(std::chrono::seconds timeout) = 0;
    /// Stops the five services (deprovision, undo on a device that had no configuration).
    virtual void stop() = 0;
};

}  // namespace eflow
