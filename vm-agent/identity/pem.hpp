#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "shared/finding.hpp"
#include "shared/identity.hpp"
#include "vm-agent/identity/certificate.hpp"

namespace eflow {

/// Limits that are checked before any parsing cost.
struct InputLimits {
    static constexpr std::size_t file_bytes = 1024 * 1024;
    static constexpr std::size_t certificates = 16;
    static constexpr int key_bits = 16384;
};

/// Certificates of a PEM file in the order of the file; CRLF, text around them and other PEM blocks are tolerated.
/// Else the finding identity.cert-readable: `name` is the file as the user gave it.
Judged<std::vector<Certificate>> read_certificates(std::string_view bytes, std::string_view name);

/// The one private key of a PEM file (PKCS#1, SEC1 or PKCS#8). Else the finding identity.key-readable; an encrypted key
/// is refused with the openssl command that decrypts it.
Judged<PrivateKey> read_private_key(std::string_view bytes, std::string_view name);

}  // namespace eflow
