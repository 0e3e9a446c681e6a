#pragma once

#include <string_view>
#include <vector>

#include "shared/finding.hpp"
#include "shared/identity.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/health/observations.hpp"
#include "vm-agent/health/reasons.hpp"

namespace eflow {

/// A row of the table of checks: the stable id that a finding bears, and what is checked in one line.
struct Check {
    const char* id;
    const char* description;
    bool needs_network = false;
};

/// Every check, in the order in which they are told.
const std::vector<Check>& checks();

/// Whether IoT Edge is installed at all: services.installed, which comes before everything that follows from it.
Finding judge_installation(const Observations& seen);

/// The judgements by area; all pure. Each gives at least one finding for each of its rows that applies.
Findings judge_identity_area(const Observations& seen);
Findings judge_config_area(const Observations& seen);
Findings judge_services_area(const Observations& seen, const Reasons& reasons);
/// services.restarts alone. `seen` has the units.
Finding judge_restarts(const Observations& seen, const Reasons& reasons);
Findings judge_modules_area(const Observations& seen, const Reasons& reasons);
Findings judge_host_area(const Observations& seen);
Findings judge_cloud_area(const Observations& seen, const Reasons& reasons);

/// config.matches-manifest: whether config.toml, which provisions so, says what seen.manifest says.
Finding judge_manifest(const Observations& seen, const ProvisioningSeen& provisioning);

/// config.scope-applied: whether identityd runs with the registration that config.toml asks for.
Finding judge_scope_applied(const Observations& seen, const ProvisioningSeen& provisioning);

/// config.unfinished-change: whether a change of ours was begun and is not over.
Finding judge_unfinished(const Observations& seen);

/// What config.toml says of the provisioning; nothing when it may not be read or says nothing.
const std::optional<ProvisioningSeen>& provisioning_in(const Observations& seen);

/// The certificates of the identity in use, leaf first as the file has them; none when it is absent or cannot be used.
const std::vector<Certificate>& certificates_in(const Observations& seen);

/// The same, or the finding that says why the file cannot be used. `seen` has the file.
const Judged<std::vector<Certificate>>& certificate_file_in(const Observations& seen);

/// config.toml asks for a provisioning; where it may not be read, there are signs of one.
bool is_provisioned(const Observations& seen);

/// identityd has the device's identity from IoT Hub.
bool is_registered(const Observations& seen);

/// `stamp` lies within `span` before the time of judging. A stamp far in the future, left by a clock that has been set
/// back, does not.
bool is_lately(const Observations& seen, Stamp stamp, std::chrono::seconds span);

/// The device has its identity, and edgeAgent runs as far as that can be seen.
bool is_up(const Observations& seen);

/// The IoT Edge services that do not do their work: failing, or running and answering with an error while the device is
/// not up.
std::vector<std::string> troubled_units(const Observations& seen, const Reasons& reasons);

/// How long the modules may take to come back after aziot-edged was started: it stops them all, its watchdog looks once
/// a minute, and edgeAgent needs some seconds to bring up the others.
inline constexpr std::chrono::seconds grace{90};

/// How long aziot-edged may be stopped before that is a fault: a restart of all services passes through it.
inline constexpr std::chrono::seconds restart_gap{5};

/// How long iotedge config apply may take from the files it writes to the restart of aziot-edged, which comes last.
inline constexpr std::chrono::seconds apply_gap{30};

/// When config.toml was applied; the epoch when that is not known.
Stamp applied_at(const Observations& seen);

/// How long images may take to be fetched: of edgeAgent by aziot-edged, of modules by edgeAgent.
inline constexpr std::chrono::minutes fetch_patience{30};

/// aziot-edged is being restarted, or started so lately that its modules may still be on their way: it stops them all
/// when it ends and when it starts (aziot-edged/src/main.rs), and its watchdog brings edgeAgent back.
bool in_grace(const Observations& seen);

/// What people are told who look at a device that has no deployment yet.
inline constexpr auto not_deployed_words =
    "The portal shows 417 -- The device's deployment configuration is not set, and iotedge check says Could not check "
    "current state of edgeHub container; both are normal until a deployment exists.";

/// edgeAgent has said that it carries out a deployment, and not so long ago that it must be stuck.
bool is_deploying(const Observations& seen);

/// What the end of a container or of aziot-edged means: "137, killed (SIGKILL): out of memory, or ...".
std::string explain_exit(int code);

/// The same for a service: systemd has codes of its own for what it could not set up (systemd.exec(5)).
std::string explain_service_exit(int code);

/// The socket that would start a service on demand, when it is not listening; nullptr when there is none. A restart of all
/// services stops the sockets for a moment. `seen` has the units.
const UnitSeen* dead_socket(const Observations& seen, const UnitSeen& service);

/// Systemd starts the service when somebody asks for it: each of its sockets listens, and it has one.
bool is_on_demand(const Observations& seen, const UnitSeen& service);

const ContainerSeen* container(const Observations& seen, std::string_view name);
const UnitSeen* unit(const Observations& seen, std::string_view name);

}  // namespace eflow
