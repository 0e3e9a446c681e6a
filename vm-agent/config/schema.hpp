#pragma once

#include "shared/finding.hpp"
#include "vm-agent/config/document.hpp"

namespace eflow {

/// Keys that upstream's types do not have (it ignores them silently), one warning each with the nearest known key; a
/// single ok when there is none. Also a warning each for pre-1.2 names that no longer do anything.
Findings judge_keys(const toml::value& root);

}  // namespace eflow
