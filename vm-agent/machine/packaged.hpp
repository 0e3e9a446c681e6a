#pragma once

#include <string_view>

namespace eflow::packaged {

/// The texts of packaging/units that install-self puts on a machine; the build carries them in. "@AGENT@" in a unit
/// stands for the program's path.
extern const std::string_view watcher_unit;
extern const std::string_view sysusers;

}  // namespace eflow::packaged
