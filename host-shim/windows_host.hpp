#pragma once

#include <memory>

#include "host-shim/host.hpp"

namespace eflow {

/// The real host: PowerShell by its full system path, files and state below %ProgramData%\eflow-shim. `quiet`: no
/// progress on standard error.
std::unique_ptr<Host> make_windows_host(bool quiet);

}  // namespace eflow
