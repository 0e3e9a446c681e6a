#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "vm-agent/health/observations.hpp"

namespace eflow {

/// All containers of the Docker Engine behind `socket_path`. No socket, no permission, garbage, half an answer, silence
/// past the deadline or too much are a reason why nothing was seen, never an exception and never a hang.
Sight<std::vector<ContainerSeen>> list_containers(const std::string& socket_path, std::chrono::milliseconds deadline);

}  // namespace eflow
