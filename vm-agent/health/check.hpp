#pragma once

#include <string_view>
#include <vector>

#include "shared/finding.hpp"
#include "vm-agent/health/dps_answer.hpp"
#include "vm-agent/health/observations.hpp"

namespace eflow {

/// A row of the table of checks: the stable id that a finding bears, and what is checked in one line.
struct Check {
    const char* id;
    const char* description;
    bool needs_network = false;
};

/// Every check, in the order in which they are told.
const std::vector<Check>& checks();

/// The judgements by area; all pure. Each gives at least one finding for each of its rows that applies.
Findings judge_identity_area(const Observations& seen);
Findings judge_config_area(const Observations& seen);
Findings judge_services_area(const Observations& seen, const DpsAnswer& answer);
Findings judge_modules_area(const Observations& seen);
Findings judge_host_area(const Observations& seen);
Findings judge_cloud_area(const Observations& seen, const DpsAnswer& answer);

/// config.toml asks for a provisioning.
bool is_provisioned(const Observations& seen);

/// How long the modules may take to come back after aziot-edged was started: it stops them all, its watchdog looks once a
/// minute, and edgeAgent needs some seconds to bring up the others.
inline constexpr std::chrono::seconds grace{90};

/// aziot-edged started so lately that its modules may still be on their way: it stops them all at its start
/// (aziot-edged/src/main.rs), and its watchdog brings edgeAgent back.
bool in_grace(const Observations& seen);

/// identityd is fine and the cloud is not there: systemd starts it again until it is.
bool tries_again(const DpsAnswer& answer);

/// What a process's end means in words: "137: killed (SIGKILL), often for want of memory".
std::string explain_exit(int code);

const ContainerSeen* container(const Observations& seen, std::string_view name);
const UnitSeen* unit(const Observations& seen, std::string_view name);

}  // namespace eflow
