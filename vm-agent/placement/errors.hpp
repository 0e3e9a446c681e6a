#pragma once

#include <string>
#include <string_view>

#include "shared/failure.hpp"

namespace eflow {

/// The Failure for a system call that failed with `error` (errno) on `path` while `doing`: the cause in plain words and
/// what to do about it. The one place that turns errno into words.
Failure system_failure(std::string_view doing, std::string_view path, int error,
                       ExitCode code = ExitCode::machine_lacks);

}  // namespace eflow
