#include "vm-agent/identity/openssl.hpp"

#include <array>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include "shared/failure.hpp"

namespace eflow {

std::string drain_errors() {
    std::string text;
    while (const unsigned long code = ERR_get_error()) {
        std::array<char, 256> line{};
        ERR_error_string_n(code, line.data(), line.size());
        text += (text.empty() ? "" : "; ") + std::string(line.data());
    }
    return text;
}

void openssl_failed(const char* doing) {
    throw Failure(ExitCode::internal, std::string(doing) + " failed in OpenSSL: " + drain_errors(),
                  "Please report it with the version of eflow-agent.");
}

void must(int result, const char* doing) {
    if (result <= 0) openssl_failed(doing);
}

std::string hex(const unsigned char* bytes, std::size_t size) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

int curve_of(EVP_PKEY* key) {
    if (EVP_PKEY_base_id(key) != EVP_PKEY_EC) return NID_undef;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    std::array<char, 80> name{};
    std::size_t size = 0;
    if (EVP_PKEY_get_utf8_string_param(key, "group", name.data(), name.size(), &size) != 1) {
        drain_errors();
        return NID_undef;
    }
    // keyd knows a curve by its name alone, so explicit parameters are not P-256 to it even when they are its numbers.
    std::array<char, 32> encoding{};
    if (EVP_PKEY_get_utf8_string_param(key, "encoding", encoding.data(), encoding.size(), &size) == 1 &&
        std::string(encoding.data()) == "explicit")
        return NID_undef;
    drain_errors();
    const int nid = OBJ_sn2nid(name.data());
    return nid != NID_undef ? nid : EC_curve_nist2nid(name.data());
#else
    const EC_GROUP* group = EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key));
    return EC_GROUP_get_asn1_flag(group) == OPENSSL_EC_NAMED_CURVE ? EC_GROUP_get_curve_name(group) : NID_undef;
#endif
}

std::string describe(EVP_PKEY* key) {
    if (key == nullptr) return "a key of an unknown kind";
    const int kind = EVP_PKEY_base_id(key);
    if (kind == EVP_PKEY_RSA) return "RSA " + std::to_string(EVP_PKEY_bits(key));
    if (kind == EVP_PKEY_RSA_PSS) return "RSA-PSS " + std::to_string(EVP_PKEY_bits(key));
    if (kind == EVP_PKEY_EC) {
        const int curve = curve_of(key);
        if (curve == NID_undef) return "EC with explicit parameters";
        const char* nist = EC_curve_nid2nist(curve);
        return std::string("EC ") + (nist != nullptr ? nist : OBJ_nid2sn(curve));
    }
    if (kind == EVP_PKEY_ED25519) return "Ed25519";
    const char* name = OBJ_nid2sn(kind);
    return name != nullptr ? name : "a key of an unknown kind";
}

}  // namespace eflow
