#pragma once

#include <string>
#include <string_view>

#include "shared/report.hpp"

namespace eflow {

/// The report for people: what is not ok with its evidence and remedy, the steps, where the device is.
std::string told(const Report& report);

/// `text` with every control character but the line feed replaced, so that nothing from outside drives a console.
std::string plain_text(std::string_view text);

}  // namespace eflow
