#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace eflow {

/// A URL as Rust's crate url 2.5.8 reads it (src/parser.rs, src/host.rs), which upstream's types hold.
struct Url {
    std::string scheme;  ///< in small letters
    std::string host;    ///< "" when there is none; of a file URL also for localhost
    std::string path;    ///< of a file URL: with its dot segments resolved, still percent-encoded

    /// Whether certd could open it: a file URL without a host.
    [[nodiscard]] bool is_local_file() const { return scheme == "file" && host.empty(); }
};

/// Nothing when upstream would refuse the text as a URL: no scheme, a host or port that is none.
std::optional<Url> parse_url(std::string_view text);

/// The bytes behind percent escapes.
std::string percent_decoded(std::string_view text);

}  // namespace eflow
