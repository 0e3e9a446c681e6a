#include "vm-agent/identity/pem.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include <openssl/pem.h>

#include "vm-agent/identity/openssl.hpp"

namespace eflow {

namespace {

/// One block between its BEGIN and END lines, label included.
struct Block {
    std::string_view label;
    std::string_view text;  ///< BEGIN line to END line
};

constexpr std::size_t most_blocks = 64;

/// The blocks of a PEM file. Text between them is passed over; a block without its END line is left out.
std::vector<Block> blocks_of(std::string_view bytes) {
    constexpr std::string_view begin = "-----BEGIN ";
    std::vector<Block> blocks;
    std::size_t at = 0;
    while (blocks.size() < most_blocks && (at = bytes.find(begin, at)) != std::string_view::npos) {
        const std::size_t label_start = at + begin.size();
        const std::size_t label_end = bytes.find("-----", label_start);
        const bool line_start = at == 0 || bytes[at - 1] == '\n';
        if (label_end == std::string_view::npos || label_end - label_start > 40 || !line_start) {
            at = label_start;
            continue;
        }
        const std::string_view label = bytes.substr(label_start, label_end - label_start);
        const std::string end = "-----END " + std::string(label) + "-----";
        const std::size_t finish = bytes.find(end, label_end);
        if (finish == std::string_view::npos) {
            at = label_end;
            continue;
        }
        blocks.push_back({label, bytes.substr(at, finish + end.size() - at)});
        at = finish + end.size();
    }
    return blocks;
}

bool is_certificate(std::string_view label) {
    return label == "CERTIFICATE" || label == "X509 CERTIFICATE" || label == "TRUSTED CERTIFICATE";
}
bool is_key(std::string_view label) {
    return label.ends_with("PRIVATE KEY");
}

std::string quoted(std::string_view name) {
    std::string text = "'";
    for (const char c : name) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

/// The path in `text` as data for a shell: hostile names arrive as one word.
std::string in_openssl(std::string_view command, std::string_view name, std::string_view rest) {
    return "openssl " + std::string(command) + " -in " + quoted(name) + " " + std::string(rest);
}

/// What a file that holds no PEM of the wanted kind is instead, with the way out of it.
struct Recognised {
    std::string what;
    std::string remedy;
};

bool is_der_sequence(std::string_view bytes) {
    if (bytes.size() < 4 || static_cast<unsigned char>(bytes[0]) != 0x30) return false;
    const auto length = static_cast<unsigned char>(bytes[1]);
    return (length >= 0x81 && length <= 0x84) || length == bytes.size() - 2;
}

std::optional<Recognised> recognised_binary(std::string_view bytes, std::string_view name, bool want_key) {
    if (bytes.empty())
        return Recognised{"the file is empty", "Give the file that the certificate authority delivered."};
    if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff"))
        return Recognised{
            "it is UTF-16 text, as some Windows editors save it",
            "Save it as UTF-8 or plain text: iconv -f UTF-16 -t UTF-8 " + quoted(name) + " > converted.pem"};
    if (!is_der_sequence(bytes)) return std::nullopt;
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    const auto size = static_cast<long>(bytes.size());
    if (const OwnedX509 certificate(d2i_X509(nullptr, &data, size)); certificate)
        return Recognised{"it is a certificate in DER form, not PEM",
                          "Convert it: " + in_openssl("x509 -inform DER", name, "-out certificate.pem")};
    drain_errors();
    // A PFX is SEQUENCE { INTEGER 3, SEQUENCE ... }: told apart without parsing what is hostile and encrypted.
    const auto length = static_cast<unsigned char>(bytes[1]);
    const std::size_t header = 2 + (length > 0x80 ? length & 0x7fU : 0U);
    if (bytes.substr(std::min(header, bytes.size())).starts_with(std::string_view("\x02\x01\x03", 3)))
        return Recognised{
            "it is a PFX (PKCS#12) bundle, not PEM",
            want_key ? "Take the key out of it: " + in_openssl("pkcs12", name, "-nocerts -nodes -out key.pem")
                     : "Take the certificates out of it: " + in_openssl("pkcs12", name, "-nokeys -out full-chain.pem")};
    if (want_key)
        return Recognised{"it is in DER form, not PEM",
                          "Convert it: " + in_openssl("pkey -inform DER", name, "-out key.pem")};
    return Recognised{"it is in DER form, not PEM",
                      "Convert it: " + in_openssl("x509 -inform DER", name, "-out certificate.pem")};
}

Finding no_certificate(std::string_view name, const std::string& why, std::string remedy) {
    return failed("identity.cert-readable", "The certificate file holds no certificate that can be read",
                  std::string(name) + ": " + why, std::move(remedy));
}

Finding no_key(std::string_view name, const std::string& why, std::string remedy) {
    return failed("identity.key-readable", "The private key file holds no private key that can be read",
                  std::string(name) + ": " + why, std::move(remedy));
}

std::string too_large(std::string_view bytes) {
    return "it has " + std::to_string(bytes.size()) + " bytes, more than 1 MiB";
}

/// Never asks: a passphrase prompt in a service would hang it.
int refuse_passphrase(char*, int, int, void*) {
    return -1;
}

bool too_wide(EVP_PKEY* key) {
    return key != nullptr && EVP_PKEY_bits(key) > InputLimits::key_bits;
}

/// An RSA key of 16384 bits is 12.6 KiB as PEM: what is longer is refused before any parsing.
bool hopelessly_long(const Block& block) {
    return block.text.size() > 16 * 1024;
}

}  // namespace

Judged<std::vector<Certificate>> read_certificates(std::string_view bytes, std::string_view name) {
    if (bytes.size() > InputLimits::file_bytes)
        return no_certificate(name, too_large(bytes),
                              "A full chain has a few KiB; give the PEM file of this device alone.");
    std::vector<Block> blocks = blocks_of(bytes);
    const bool has_key =
        std::any_of(blocks.begin(), blocks.end(), [](const Block& block) { return is_key(block.label); });
    const bool has_request = std::any_of(
        blocks.begin(), blocks.end(), [](const Block& block) { return block.label.ends_with("CERTIFICATE REQUEST"); });
    const bool has_bundle =
        std::any_of(blocks.begin(), blocks.end(), [](const Block& block) { return block.label == "PKCS7"; });
    blocks.erase(
        std::remove_if(blocks.begin(), blocks.end(), [](const Block& block) { return !is_certificate(block.label); }),
        blocks.end());
    if (blocks.empty()) {
        if (has_key)
            return no_certificate(name, "it holds a private key, not a certificate",
                                  "Give the certificate to --cert and the key to --key.");
        if (has_request)
            return no_certificate(name, "it holds a certificate request (CSR), not a certificate",
                                  "Give the certificate that the authority issued for it.");
        if (has_bundle)
            return no_certificate(name, "it is a PKCS#7 bundle",
                                  "Convert it: " + in_openssl("pkcs7 -print_certs", name, "-out full-chain.pem"));
        if (const auto other = recognised_binary(bytes, name, false))
            return no_certificate(name, other->what, other->remedy);
        return no_certificate(name, "no -----BEGIN CERTIFICATE----- block stands in it",
                              "Give the certificate as PEM, the leaf first.");
    }
    if (blocks.size() > InputLimits::certificates)
        return no_certificate(name, "it holds more than 16 certificates",
                              "Give the leaf and its issuers only, not a bundle of all authorities.");

    std::vector<Certificate> certificates;
    for (const auto& block : blocks) {
        const std::string which = "certificate " + std::to_string(certificates.size() + 1) + " of the file";
        const OwnedBio bio(made(BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())), "allocating"));
        OwnedX509 x509(PEM_read_bio_X509_AUX(bio.get(), nullptr, refuse_passphrase, nullptr));
        if (!x509) {
            const std::string errors = drain_errors();
            return no_certificate(name, which + " is damaged (" + errors + ")",
                                  "Fetch the file again; a copy by hand often loses a line.");
        }
        Certificate certificate(std::shared_ptr<x509_st>(x509.release(), Free<X509_free>{}));
        const ASN1_BIT_STRING* bits = X509_get0_pubkey_bitstr(certificate.get());
        if (bits != nullptr && ASN1_STRING_length(bits) > InputLimits::key_bits / 8 + 64)
            return no_certificate(name, which + " has a key of more than 16384 bits",
                                  "Use a key of 2048 to 4096 bits, or EC P-256.");
        certificates.push_back(std::move(certificate));
    }
    return certificates;
}

Judged<PrivateKey> read_private_key(std::string_view bytes, std::string_view name) {
    if (bytes.size() > InputLimits::file_bytes)
        return no_key(name, too_large(bytes),
                      "A private key has a few KiB; give the PEM file of this device's key alone.");
    std::vector<Block> blocks = blocks_of(bytes);
    const bool has_certificate =
        std::any_of(blocks.begin(), blocks.end(), [](const Block& block) { return is_certificate(block.label); });
    blocks.erase(std::remove_if(blocks.begin(), blocks.end(), [](const Block& block) { return !is_key(block.label); }),
                 blocks.end());
    if (blocks.empty()) {
        if (has_certificate)
            return no_key(name, "it holds a certificate, not a private key",
                          "Give the certificate to --cert and the key to --key.");
        if (const auto other = recognised_binary(bytes, name, true)) return no_key(name, other->what, other->remedy);
        return no_key(name, "no private key block stands in it",
                      "Give the key as PEM (PKCS#8, PKCS#1 or SEC1), unencrypted.");
    }
    if (blocks.size() > 1)
        return no_key(name, "it holds " + std::to_string(blocks.size()) + " private keys",
                      "Leave only the key of the device certificate in it.");
    const Block& block = blocks.front();
    const std::string_view head = block.text.substr(0, 400);
    if (block.label == "ENCRYPTED PRIVATE KEY" || head.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos)
        return no_key(name, "the key is encrypted, and the IoT Edge services have nobody to ask for its passphrase",
                      "Decrypt it first: umask 077; " + in_openssl("pkey", name, "-out decrypted.key.pem"));
    if (hopelessly_long(block))
        return no_key(name, "the key is wider than 16384 bits", "Use RSA 2048 to 4096, or EC P-256.");

    const OwnedBio bio(made(BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())), "allocating"));
    OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, nullptr));
    if (!key) {
        const std::string errors = drain_errors();
        return no_key(name,
                      "the " + std::string(block.label) + " block is damaged or of an unknown kind (" + errors + ")",
                      "Fetch the file again, and check it: " + in_openssl("pkey", name, "-noout -check"));
    }
    if (too_wide(key.get()))
        return no_key(name, "the key is wider than 16384 bits", "Use RSA 2048 to 4096, or EC P-256.");
    return PrivateKey(std::shared_ptr<evp_pkey_st>(key.release(), Free<EVP_PKEY_free>{}));
}

}  // namespace eflow
