#pragma once

#include <string>

namespace eflow {

/// The version with the commit it was built from, as in reports: "0.1.0+0820e49de70a".
std::string version_text();
/// What `--version` prints: the version, and the libraries that it was built with and how they are linked.
std::string version_details();

}  // namespace eflow
