#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "shared/identity.hpp"

namespace eflow {

/// device.toml, as the host and the VM both read it. Paths are absolute: the manifest's own folder completes them.
/// Values are as written; IdScope, RegistrationId and DpsEndpoint judge them.
struct Manifest {
    struct EdgeCa {
        std::string certificate;
        std::string private_key;
    };

    std::string scope_id;
    std::string registration_id;
    std::optional<std::string> global_endpoint;
    std::optional<Enrollment> enrollment;
    std::optional<std::string> payload;
    std::string certificate;
    std::string private_key;
    std::optional<std::string> hostname;
    std::optional<std::string> trust_bundle;
    std::optional<EdgeCa> edge_ca;
    std::optional<std::string> agent_image;
    std::optional<std::string> proxy;
};

/// Reads device.toml, schema 1. Strict: every unknown key is named with the nearest known one, every missing or
/// mistyped one too, all in one Failure(refused). `folder` completes relative paths (Windows paths with a drive or `\\`
/// stay; an empty folder completes none). [host] is checked for being a table and left to the shim.
Manifest parse_manifest(std::string_view text, const std::filesystem::path& folder);

/// Edit distance of two names, a swap of neighbours counting once (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known name nearest to `name` (within a third of its length, two edits at least), or nothing.
template <class Names>
std::optional<std::string> nearest(std::string_view name, const Names& known) {
    std::optional<std::string> best;
    std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const auto& candidate : known) {
        const std::size_t distance = edit_distance(name, candidate);
        if (distance < least) {
            least = distance;
            best = std::string(candidate);
        }
    }
    return best;
}

}  // namespace eflow
