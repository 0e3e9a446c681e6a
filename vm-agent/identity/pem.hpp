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
    static constexpr std::size_t bundle_certificates = 1024;  ///< a bundle of all public authorities has some 150
    static constexpr int key_bits = 16384;
};

/// Whether the services read the file as it stands on the device, or whether it is input that is written in our form first.
enum class Reading { input, in_place };

/// How a file of certificates is read: how many are taken, and what to give instead of more.
struct CertificateFile {
    std::size_t most = InputLimits::certificates;
    Reading reading = Reading::input;

    static CertificateFile bundle() { return {InputLimits::bundle_certificates, Reading::input}; }
};

/// Certificates of a PEM file in the order of the file, each of which OpenSSL can read whole, dates included. CRLF, a byte
/// order mark, text around blocks and blocks of other kinds are tolerated; a BEGIN or END line that OpenSSL would pass over is
/// not, so that no block is lost in silence. Else the finding identity.cert-readable: `name` is the file as the user gave it.
[[nodiscard]] Judged<std::vector<Certificate>> read_certificates(std::string_view bytes, std::string_view name,
                                                                 const CertificateFile& file = {});

/// The one private key of a PEM file (PKCS#1, SEC1 or PKCS#8), likewise. Else the finding identity.key-readable; an encrypted
/// key is refused with the openssl command that decrypts it.
[[nodiscard]] Judged<PrivateKey> read_private_key(std::string_view bytes, std::string_view name, Reading reading = Reading::input);

}  // namespace eflow
