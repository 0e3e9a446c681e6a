#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "vm-agent/health/observations.hpp"
#include "vm-agent/identity/certificate.hpp"
#include "vm-agent/machine/services.hpp"
#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// What a run of the program is given from outside, so that a test can run the whole CLI in-process.
struct World {
    std::ostream* out = nullptr;
    std::ostream* err = nullptr;
    bool out_is_terminal = false;
    Instant now{};
    /// Where the running machine's files are, when no --root is given.
    std::string machine_root = "/";
    /// The aziot services; empty means systemd's.
    std::function<std::unique_ptr<Services>()> services;
    /// What is seen of the machine; empty means observe() of vm-agent/machine.
    std::function<Observations(const Tree&, Instant)> observe;
    /// How far a host (and port) can be reached through a proxy; empty means reach() of vm-agent/cloud.
    std::function<ReachSeen(const std::string&, const std::string&, const std::string&)> reach;
    /// Replaces the check that a change to "/" is made by root; empty means geteuid() == 0.
    std::function<bool()> is_root;
};

/// Runs one command line (without the program's name) and returns its exit code. The one place that prints and that
/// turns an outcome or a Failure into an exit code.
int run(const std::vector<std::string>& arguments, const World& world);

}  // namespace eflow
