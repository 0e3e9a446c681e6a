#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/pem_text.hpp"
#include "shared/secret.hpp"

namespace eflow {

/// `bytes` as the services in the VM read them: UTF-8 without a byte order mark, also where a Windows editor or PowerShell
/// saved UTF-16.
[[nodiscard]] SecretBytes plain_pem(std::string_view bytes);

/// The blocks of `text`, which is plain, in order, or nothing when a BEGIN or END line in it is broken or has no partner. What
/// stands between them is skipped.
std::optional<std::vector<PemBlock>> pem_blocks(std::string_view text);

/// Why `text` is not a PEM file with certificates alone; nothing when it is. The agent judges what is in them.
std::optional<std::string> certificate_fault(std::string_view text);

/// Why `text` is not a PEM file with exactly one unencrypted private key; nothing when it is.
std::optional<std::string> key_fault(std::string_view text);

}  // namespace eflow
