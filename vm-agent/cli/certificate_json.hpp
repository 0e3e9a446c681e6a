#pragma once

#include <nlohmann/json.hpp>

#include "vm-agent/identity/inspect.hpp"

namespace eflow {

/// What one certificate says, for reports.
nlohmann::json to_json(const CertificateFacts& facts);

}  // namespace eflow
