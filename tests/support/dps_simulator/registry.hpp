#pragma once

#include <map>
#include <string>

#include "tests/support/dps_simulator/message.hpp"

namespace eflow::dps {

/// A container registry's pull side (Docker Registry HTTP API V2) for images of one layer each: `images` has a tar of a
/// root file system by repository name, whatever the tag. Their main program is /module, run by the layer's /bin/sh.
/// `target` is a path below /v2/. Never throws: a tar that cannot be read is an image that is not there.
[[nodiscard]] Response answer_pull(const std::map<std::string, std::string>& images, const std::string& target);

}  // namespace eflow::dps
