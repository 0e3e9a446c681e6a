#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "host-shim/host.hpp"

namespace eflow {

/// The whole program but for Windows: reads the arguments, does the verb, prints, and gives the exit code. `in` answers
/// what uninstall asks.
int run_shim(const std::vector<std::string>& arguments, Host& host, std::istream& in, std::ostream& out,
             std::ostream& err);

}  // namespace eflow
