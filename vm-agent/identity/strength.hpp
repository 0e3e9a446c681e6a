#pragma once

#include <optional>
#include <string>

#include "vm-agent/identity/certificate.hpp"

namespace eflow {

/// Why the public key is too weak to rely on: RSA under 2048 bits, an RSA exponent that is 1 or even, a curve under 224 bits,
/// or a key that cannot be read. `forgeable` is one with which anybody could sign at once.
struct KeyWeakness {
    std::string why;
    bool forgeable = false;
};
[[nodiscard]] std::optional<KeyWeakness> weakness_of_key(const Certificate& certificate);

/// The signature's algorithm in words when it rests on MD2, MD4, MD5 or SHA-1.
[[nodiscard]] std::optional<std::string> weak_signature(const Certificate& certificate);

}  // namespace eflow
