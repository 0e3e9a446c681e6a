#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace eflow {

/// What upstream takes for a text of some form, each with the place upstream where that is decided.

/// A key's place: a `file:` URL of a path, or a `pkcs11:` URI that names a slot or token
/// (aziot-keys-common lib.rs:39, pkcs11 lib.rs:91). The scheme must be written in small letters.
[[nodiscard]] bool is_key_uri(std::string_view text);

/// "80%" of 1 to 99, "10min" or "3day" (cert-renewal policy.rs:57).
[[nodiscard]] bool is_renewal_policy(std::string_view text);

/// "1d 12h", "90 min", "1.5days": crate humantime 2.3.0 (duration.rs:110). The length in nanoseconds beyond whole days
/// is what is asked of a recurrence, so that is what it gives: 0 for a multiple of days.
[[nodiscard]] std::optional<unsigned long long> duration_beyond_days(std::string_view text);

/// "HH:MM" as chrono's %H:%M reads it: one or two digits, blanks before each number (edgelet-settings image.rs:95).
[[nodiscard]] bool is_time_of_day(std::string_view text);

/// Base64 with or without its padding (aziotctl-common config/mod.rs:172).
[[nodiscard]] bool is_base64(std::string_view text);

/// Why a device's connection string is none (aziotctl-common config/mod.rs:184); nothing when it is one.
[[nodiscard]] std::optional<std::string> fault_of_connection_string(std::string_view text);

}  // namespace eflow
