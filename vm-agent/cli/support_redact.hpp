#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "vm-agent/config/scrub.hpp"

namespace eflow {

/// Every string of `document` cleaned, and whatever stands behind a key whose name means a secret replaced.
nlohmann::json scrubbed(const nlohmann::json& document, const Scrubber& scrubber);

/// What a container's inspection (Engine API, /containers/ID/json) says without create options: state, image, mounts,
/// ports, restart policy. Of the environment and the labels the names stay, values only of those known to hold no
/// secret; the others are told to `scrubber`. Of the command only the number of its words stays.
nlohmann::json redacted_inspection(const nlohmann::json& inspection, Scrubber& scrubber);

/// What `systemctl show` printed, values of the environment treated likewise.
std::string redacted_properties(std::string_view text, Scrubber& scrubber);

}  // namespace eflow
