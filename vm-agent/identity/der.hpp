#pragma once

#include <optional>
#include <string_view>

#include "shared/secret.hpp"

namespace eflow {

/// What a DER (or BER) file is, as far as it can be told without a passphrase.
enum class DerKind {
    certificate,
    key,
    encrypted_key,
    encrypted_key_old,  ///< with a cipher that OpenSSL 3 has in its legacy provider only
    pkcs7,
    pfx,
    pfx_old,
    request,
    revocation_list,
    public_key,
    unknown,
};

/// Nothing when `bytes` is no ASN.1 sequence of about its own length.
[[nodiscard]] std::optional<DerKind> der_kind(std::string_view bytes);

/// Base64 in lines of any length; nothing when `text` has anything else in it than that and white space, or is shorter than 64
/// characters.
[[nodiscard]] std::optional<SecretBytes> decoded_base64(std::string_view text);

}  // namespace eflow
