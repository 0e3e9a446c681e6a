#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// The URIs of certificates, never of keys, that a config.toml or a file rendered of it names: identity, trust bundle,
/// Edge CA, EST and content trust. Each once, in the order of their keys' names; none for a text that is no TOML.
std::vector<std::string> certificate_uris(std::string_view text);

}  // namespace eflow
