#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shared/pem_text.hpp"

namespace eflow {

enum class Wanted { certificate, key };

/// What a file is instead of the PEM that is wanted, as the end of a sentence, and the command that makes PEM of it. Commands
/// write beside the current directory under a name of their own, never over the file itself, and private keys with umask 077.
struct Form {
    std::string what;
    std::string remedy;
};

/// A file without any PEM block: empty, DER of some kind, PFX, gzip, a page, a key of PuTTY, bare base64 and so on.
[[nodiscard]] Form form_of_file(std::string_view bytes, std::string_view name, Wanted wanted);

/// A PEM block of another kind than is wanted; nothing for labels that OpenSSL reads as it.
[[nodiscard]] std::optional<Form> form_of_block(const PemBlock& block, std::string_view name, Wanted wanted);

/// A block of the right label that OpenSSL cannot read: what is in it instead, where that can be told.
[[nodiscard]] std::optional<Form> form_of_contents(const PemBlock& block, std::string_view name, Wanted wanted);

/// A file in which a BEGIN or END line is not one to OpenSSL.
[[nodiscard]] Form form_of_fault(const PemFault& fault, std::string_view name, Wanted wanted);

/// Labels under which OpenSSL's readers look for a certificate (pem_lib.c check_pem).
[[nodiscard]] bool is_certificate_label(std::string_view label);
[[nodiscard]] bool is_key_label(std::string_view label);

/// An encrypted key, by its label or its headers.
[[nodiscard]] bool is_encrypted(const PemBlock& block);

}  // namespace eflow
