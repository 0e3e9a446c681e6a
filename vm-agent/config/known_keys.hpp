#pragma once

#include "shared/finding.hpp"
#include "shared/toml_reader.hpp"

namespace eflow {

/// config.known-keys: keys that upstream's types do not have where they stand, and which it ignores in silence; one
/// warning each in the order of the file, with the place where upstream wants that key or the name that was meant. Also
/// for names of IoT Edge 1.1, and for keys that the chosen source or method does not use. A single ok when there is
/// none.
Findings judge_keys(const Toml& root);

}  // namespace eflow
