#include "vm-agent/identity/digest.hpp"

#include <openssl/crypto.h>

#include "vm-agent/identity/openssl.hpp"

namespace eflow {

void ignore_openssl_config() {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
}

std::string sha256_hex(std::string_view bytes) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    must(EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr), "taking a digest");
    return hex(digest, size);
}

}  // namespace eflow
