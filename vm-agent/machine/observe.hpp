#pragma once

#include <string>

#include "vm-agent/health/observations.hpp"
#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// Where the services and containers are asked; the defaults are a live machine's.
struct ObservationPoints {
    std::string bus_address;
    std::string docker_socket = "/run/docker.sock";
};

/// Everything that can be seen of the machine in `tree` at `now`. Nothing that cannot be seen is an error: it is a
/// reason.
Observations observe(const Tree& tree, Instant now, const ObservationPoints& points = {});

}  // namespace eflow
