#pragma once

#include <string>
#include <string_view>

namespace eflow {

/// SHA-256 of `bytes` as 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);

/// Keeps OpenSSL from reading openssl.cnf, where a file or OPENSSL_CONF could make this process load code. Before all
/// else.
void ignore_openssl_config();

}  // namespace eflow
