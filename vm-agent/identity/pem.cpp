#include "vm-agent/identity/pem.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include <openssl/pem.h>

#include "shared/pem_text.hpp"
#include "shared/printable.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/identity/der.hpp"
#include "vm-agent/identity/forms.hpp"
#include "vm-agent/identity/openssl.hpp"

namespace eflow {

namespace {

Finding no_certificate(std::string_view name, const std::string& why, std::string remedy) {
    return failed("identity.cert-readable", "The certificate file holds no certificate that can be read",
                  printable(name) + ": " + why, std::move(remedy));
}

Finding no_key(std::string_view name, const std::string& why, std::string remedy) {
    return failed("identity.key-readable", "The private key file holds no private key that can be read",
                  printable(name) + ": " + why, std::move(remedy));
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
bool hopelessly_long(const PemBlock& block) {
    return block.text.size() > 16 * 1024;
}

std::vector<PemBlock> blocks_with(const PemText& pem, bool (*label_fits)(std::string_view)) {
    std::vector<PemBlock> found;
    for (const auto& block : pem.blocks())
        if (label_fits(block.label)) found.push_back(block);
    return found;
}

/// What the file is instead of the PEM that is wanted; nothing when blocks of the wanted kind stand in it and nothing is wrong
/// with any of its BEGIN and END lines.
std::optional<Form> other_form(const PemText& pem, bool has_wanted, std::string_view name, Wanted wanted, Reading reading) {
    if (reading == Reading::in_place && pem.encoding() == TextEncoding::utf16)
        return Form{"it is UTF-16 text, which the IoT Edge services cannot read",
                    "Write it as UTF-8: iconv -f UTF-16 -t UTF-8 " + shell_path(name) + " > converted.pem"};
    if (!pem.faults().empty()) return form_of_fault(pem.faults().front(), name, wanted);
    if (has_wanted) return std::nullopt;
    for (const auto& block : pem.blocks())
        // Parameters often precede a key; what follows them tells more.
        if (block.label != "EC PARAMETERS" || pem.blocks().size() == 1) return form_of_block(block, name, wanted);
    return form_of_file(pem.text(), name, wanted);
}

/// The certificate of a block, or the finding that says why there is none.
Judged<Certificate> certificate_in(const PemBlock& block, const std::string& which, std::string_view name) {
    const OwnedBio bio(made(BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())), "allocating"));
    OwnedX509 x509(PEM_read_bio_X509_AUX(bio.get(), nullptr, refuse_passphrase, nullptr));
    if (!x509) {
        const std::string errors = drain_errors();
        if (const auto other = form_of_contents(block, name, Wanted::certificate))
            return no_certificate(name, which + ": " + other->what, other->remedy);
        return no_certificate(name, which + " is damaged (" + errors + ")",
                              "Fetch the file again; a copy by hand often loses a line.");
    }
    // What openssl x509 -addtrust leaves in a TRUSTED CERTIFICATE is for openssl alone, and must not decide here.
    X509_trust_clear(x509.get());
    X509_reject_clear(x509.get());
    Certificate certificate(std::shared_ptr<x509_st>(x509.release(), Free<X509_free>{}));
    if (!certificate.dates_readable())
        return no_certificate(name, which + " (" + certificate.subject() + ") has a date that is none, such as a month 13",
                              "Have it issued again.");
    const ASN1_BIT_STRING* bits = X509_get0_pubkey_bitstr(certificate.get());
    if (bits != nullptr && ASN1_STRING_length(bits) > InputLimits::key_bits / 8 + 64)
        return no_certificate(name, which + " has a key of more than 16384 bits",
                              "Use a key of 2048 to 4096 bits, or EC P-256.");
    return certificate;
}

/// The remedy for an encrypted key: OpenSSL 3 wants its legacy provider for old ciphers, which the key itself names.
Form decrypted(const PemBlock& block, std::string_view name) {
    std::string_view body = block.text;
    body.remove_prefix(std::min(body.find('\n') + 1, body.size()));
    const auto der = decoded_base64(body.substr(0, body.rfind("-----END")));
    const auto kind = der ? der_kind(der->reveal()) : std::nullopt;
    const bool old = kind == DerKind::encrypted_key_old || block.text.find("DEK-Info: DES-CBC") != std::string_view::npos ||
                     block.text.find("DEK-Info: RC2") != std::string_view::npos;
    const std::string output = name.ends_with("decrypted.key.pem") ? "device.key.pem" : "decrypted.key.pem";
    return {"the key is encrypted, and the IoT Edge services have nobody to ask for its passphrase",
            "Decrypt it first: umask 077; openssl pkey -in " + shell_path(name) + " -out " + output +
                (old ? "\nIts cipher is an old one; OpenSSL 3 needs as well: -provider legacy -provider default" : "")};
}

}  // namespace

Judged<std::vector<Certificate>> read_certificates(std::string_view bytes, std::string_view name, const CertificateFile& file) {
    if (bytes.size() > InputLimits::file_bytes)
        return no_certificate(name, too_large(bytes),
                              "A full chain has a few KiB; give the PEM file of this device alone.");
    const PemText pem(bytes);
    const std::vector<PemBlock> blocks = blocks_with(pem, is_certificate_label);
    if (const auto other = other_form(pem, !blocks.empty(), name, Wanted::certificate, file.reading))
        return no_certificate(name, other->what, other->remedy);
    if (blocks.size() > file.most)
        return no_certificate(name, "it holds more than " + std::to_string(file.most) + " certificates",
                              file.most > InputLimits::certificates
                                  ? "Give the authorities that are meant, not all that there are."
                                  : "Give the leaf and its issuers only, not a bundle of all authorities.");
    std::vector<Certificate> certificates;
    for (const auto& block : blocks) {
        const std::string which = "certificate " + std::to_string(certificates.size() + 1) + " of the file";
        auto judged = certificate_in(block, which, name);
        if (auto* finding = std::get_if<Finding>(&judged)) return std::move(*finding);
        if (file.reading == Reading::in_place && block.label == "TRUSTED CERTIFICATE")
            return no_certificate(name, which + " is called TRUSTED CERTIFICATE, which the IoT Edge services pass over",
                                  "Write it as CERTIFICATE: openssl x509 -in " + shell_path(name) + " -out certificate.pem");
        certificates.push_back(std::get<Certificate>(std::move(judged)));
    }
    return certificates;
}

Judged<PrivateKey> read_private_key(std::string_view bytes, std::string_view name, Reading reading) {
    if (bytes.size() > InputLimits::file_bytes)
        return no_key(name, too_large(bytes),
                      "A private key has a few KiB; give the PEM file of this device's key alone.");
    const PemText pem(bytes);
    const std::vector<PemBlock> blocks = blocks_with(pem, is_key_label);
    if (const auto other = other_form(pem, !blocks.empty(), name, Wanted::key, reading))
        return no_key(name, other->what, other->remedy);
    if (blocks.size() > 1)
        return no_key(name, "it holds " + std::to_string(blocks.size()) + " private keys",
                      "Leave only the key of the device certificate in it.");
    const PemBlock& block = blocks.front();
    if (hopelessly_long(block))
        return no_key(name, "the key is wider than 16384 bits", "Use RSA 2048 to 4096, or EC P-256.");
    if (is_encrypted(block)) {
        const Form form = decrypted(block, name);
        return no_key(name, form.what, form.remedy);
    }
    const OwnedBio bio(made(BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())), "allocating"));
    OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, nullptr));
    if (!key) {
        const std::string errors = drain_errors();
        if (const auto other = form_of_contents(block, name, Wanted::key)) return no_key(name, other->what, other->remedy);
        return no_key(name,
                      "the " + printable(block.label, 64) + " block is damaged or of an unknown kind (" + errors + ")",
                      "Fetch the file again, and check it: openssl pkey -in " + shell_path(name) + " -noout -check");
    }
    if (too_wide(key.get()))
        return no_key(name, "the key is wider than 16384 bits", "Use RSA 2048 to 4096, or EC P-256.");
    return PrivateKey(std::shared_ptr<evp_pkey_st>(key.release(), Free<EVP_PKEY_free>{}));
}

}  // namespace eflow
