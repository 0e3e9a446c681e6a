#pragma once

#include <string>
#include <variant>

#include "host-shim/host.hpp"

namespace eflow {

/// The first certificate of a PEM text, read by Windows' own crypt32.
std::variant<LeafFacts, std::string> read_leaf(const std::string& pem);

}  // namespace eflow
