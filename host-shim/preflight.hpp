#pragma once

#include "host-shim/host.hpp"
#include "host-shim/options.hpp"
#include "shared/exit_code.hpp"
#include "shared/finding.hpp"

namespace eflow {

/// Judges the host for `options`: all of it, before anything is done. Pure.
Findings judge_host(const Options& options, const HostFacts& facts);

/// EFLOW's end of support, when EFLOW is installed here.
void note_support(Findings& findings, const HostFacts& facts, std::chrono::system_clock::time_point now);

/// The exit code that findings amount to before anything was changed: refused when the input is at fault, machine_lacks
/// when only this host is, done otherwise.
ExitCode exit_code_before_changes(const Findings& findings);

}  // namespace eflow
