#pragma once

#include <string>

namespace eflow {

/// One entry in the Application log, source eflow-shim: success as information, failure as error. Best effort: a log
/// that takes nothing must not turn a success into a failure.
void write_event(bool success, const std::string& text);

}  // namespace eflow
