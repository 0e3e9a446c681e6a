#pragma once

#include "host-shim/host.hpp"
#include "host-shim/options.hpp"
#include "shared/report.hpp"

namespace eflow {

/// Is this host ready, is the VM there, and does its agent find nothing wrong? Changes nothing.
Report verify(const Options& options, Host& host);

/// Where the device is: the agent's status, as its report. Changes nothing.
Report status(const Options& options, Host& host);

/// Takes the agent, and what it placed, out of the VM: deprovision, then install-self --uninstall.
Report uninstall(const Options& options, Host& host);

/// Get-EflowLogs, and the agent's support bundle copied to this host.
Report collect_logs(const Options& options, Host& host);

}  // namespace eflow
