#pragma once

#include <optional>
#include <string>

#include "host-shim/host.hpp"
#include "host-shim/options.hpp"
#include "host-shim/request.hpp"
#include "host-shim/vm_session.hpp"
#include "shared/report.hpp"

namespace eflow {

/// The agent to bring along, by what `prepared` says of the one in the VM: none is needed where it is as new as this
/// program or was baked into the image. Throws Failure(machine_lacks) when one is needed and there is none that fits.
std::optional<SecretBytes> agent_to_bring(Host& host, const Options& options, const VmAnswer& prepared);

/// The agent's status, when it says that the device is up with the identity that `request` wants.
std::optional<Report> status_with_identity(const VmAnswer& prepared, const Request& request);

/// The report that the agent sent as file `name`. Throws Failure(internal) when there is none, when it is no report, or
/// when the program ended with another exit code than it says.
Report agent_report(const VmAnswer& answer, const std::string& name, const std::string& code_key);

}  // namespace eflow
