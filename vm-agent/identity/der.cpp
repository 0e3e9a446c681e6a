#include "vm-agent/identity/der.hpp"

#include <algorithm>
#include <array>
#include <string>

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "vm-agent/identity/openssl.hpp"

namespace eflow {

namespace {

using namespace std::string_view_literals;

/// The contents of an ASN.1 sequence that is as long as it says, a line end behind it aside, or of indefinite length.
std::optional<std::string_view> sequence_contents(std::string_view bytes) {
    if (bytes.size() < 4 || bytes[0] != '\x30') return std::nullopt;
    const auto first = static_cast<unsigned char>(bytes[1]);
    if (first == 0x80) return bytes.substr(2);
    const std::size_t width = first < 0x80 ? 0 : first & 0x7fU;
    if (width > 4 || bytes.size() < 2 + width) return std::nullopt;
    std::size_t length = width == 0 ? first : 0;
    for (std::size_t i = 0; i < width; ++i) length = length * 256 + static_cast<unsigned char>(bytes[2 + i]);
    const std::size_t there = bytes.size() - 2 - width;
    constexpr std::size_t line_end = 2;
    return length <= there && there <= length + line_end ? std::optional(bytes.substr(2 + width, length)) : std::nullopt;
}

template <class T, auto free_fn>
bool parses(T* (*d2i)(T**, const unsigned char**, long), std::string_view bytes) {
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    const std::unique_ptr<T, Free<free_fn>> object(d2i(nullptr, &data, static_cast<long>(bytes.size())));
    drain_errors();
    return object != nullptr;
}

/// OIDs, in DER without tag and length, of what OpenSSL 3 keeps in its legacy provider: PKCS#12 with RC4 and RC2 (RFC 7292,
/// appendix C), PKCS#5 v1 with DES and RC2 (RFC 8018, appendix A.3), DES and RC2 in CBC mode.
constexpr std::array<std::string_view, 9> old_ciphers{
    "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x01"sv, "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x02"sv,
    "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x05"sv, "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x06"sv,
    "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x03"sv,     "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x06"sv,
    "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0a"sv,     "\x2a\x86\x48\x86\xf7\x0d\x03\x02"sv,
    "\x2b\x0e\x03\x02\x07"sv};

bool uses_old_cipher(std::string_view bytes) {
    return std::any_of(old_ciphers.begin(), old_ciphers.end(), [&](std::string_view oid) {
        const std::string tagged = std::string("\x06") + static_cast<char>(oid.size()) + std::string(oid);
        return bytes.find(tagged) != std::string_view::npos;
    });
}

}  // namespace

std::optional<DerKind> der_kind(std::string_view bytes) {
    const auto contents = sequence_contents(bytes);
    if (!contents) return std::nullopt;
    // Bundles are told by how they begin, without parsing what is hostile and encrypted: a PFX is SEQUENCE { INTEGER 3, ... }
    // (RFC 7292), PKCS#7 is SEQUENCE { OID signedData, ... } (RFC 2315).
    if (contents->starts_with("\x02\x01\x03"sv)) return uses_old_cipher(bytes) ? DerKind::pfx_old : DerKind::pfx;
    if (contents->starts_with("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"sv)) return DerKind::pkcs7;
    if (parses<X509, X509_free>(d2i_X509, bytes)) return DerKind::certificate;
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    constexpr std::size_t largest_key = 16 * 1024;
    if (bytes.size() <= largest_key) {
        const OwnedKey key(d2i_AutoPrivateKey(nullptr, &data, static_cast<long>(bytes.size())));
        drain_errors();
        if (key) return DerKind::key;
        if (parses<EVP_PKEY, EVP_PKEY_free>(d2i_PUBKEY, bytes)) return DerKind::public_key;
    }
    if (parses<X509_REQ, X509_REQ_free>(d2i_X509_REQ, bytes)) return DerKind::request;
    if (parses<X509_CRL, X509_CRL_free>(d2i_X509_CRL, bytes)) return DerKind::revocation_list;
    // EncryptedPrivateKeyInfo: SEQUENCE { SEQUENCE { OID ... }, OCTET STRING } (RFC 5958), which X509_SIG is as well.
    if (parses<X509_SIG, X509_SIG_free>(d2i_X509_SIG, bytes))
        return uses_old_cipher(bytes) ? DerKind::encrypted_key_old : DerKind::encrypted_key;
    return DerKind::unknown;
}

std::optional<SecretBytes> decoded_base64(std::string_view text) {
    SecretBytes bytes(text.size() / 4 * 3 + 3);
    std::size_t size = 0;
    std::size_t digits = 0;
    std::size_t padding = 0;
    unsigned group = 0;
    for (const char c : text) {
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
        unsigned value = 0;
        if (c >= 'A' && c <= 'Z')
            value = static_cast<unsigned>(c - 'A');
        else if (c >= 'a' && c <= 'z')
            value = static_cast<unsigned>(c - 'a') + 26;
        else if (c >= '0' && c <= '9')
            value = static_cast<unsigned>(c - '0') + 52;
        else if (c == '+' || c == '/')
            value = c == '+' ? 62 : 63;
        else if (c == '=')
            ++padding;
        else
            return std::nullopt;
        if (padding > 2 || (padding > 0 && c != '=')) return std::nullopt;
        group = (group << 6 | value) & 0xffffff;
        if (++digits % 4 != 0) continue;
        for (int shift = 16; shift >= 0; shift -= 8) bytes.data()[size++] = static_cast<char>(group >> shift & 0xff);
    }
    constexpr std::size_t least = 64;
    if (digits < least || digits % 4 != 0) return std::nullopt;
    return SecretBytes(std::string_view(bytes.data(), size - padding));
}

}  // namespace eflow
