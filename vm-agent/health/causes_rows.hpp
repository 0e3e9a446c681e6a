#pragma once

#include <span>

#include "vm-agent/health/causes.hpp"

namespace eflow {

/// The table of causes in the parts that its files hold, each in the order in which its rows are tried.
std::span<const Cause> causes_of_services();
std::span<const Cause> causes_of_cloud();
std::span<const Cause> causes_of_network();

}  // namespace eflow
