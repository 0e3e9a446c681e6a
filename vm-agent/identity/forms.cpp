#include "vm-agent/identity/forms.hpp"

#include <algorithm>
#include <array>

#include "shared/printable.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/identity/der.hpp"

namespace eflow {

namespace {

/// A row's texts, by what is wanted: {in} and {out} stand for the two files, quoted.
struct Words {
    std::string_view what;
    std::string_view for_certificate;
    std::string_view for_key;
};

std::string base_name(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

/// A command must not write over what it reads.
std::string output_for(std::string_view name, Wanted wanted) {
    const std::string usual = wanted == Wanted::key ? "device.key.pem" : "full-chain.pem";
    return base_name(name) == usual ? "converted-" + usual : usual;
}

std::string filled(std::string_view text, std::string_view name, Wanted wanted) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::string_view rest = text.substr(at);
        if (rest.starts_with("{in}")) {
            out += shell_path(name);
            at += 4;
        } else if (rest.starts_with("{out}")) {
            out += output_for(name, wanted);
            at += 5;
        } else {
            out += text[at++];
        }
    }
    return out;
}

Form form(const Words& words, std::string_view name, Wanted wanted) {
    return {std::string(words.what), filled(wanted == Wanted::key ? words.for_key : words.for_certificate, name, wanted)};
}

constexpr std::string_view give_certificate = "Give the file that the certificate authority delivered for this device, as PEM, the leaf first.";
constexpr std::string_view give_key = "Give the device's private key as PEM (PKCS#8, PKCS#1 or SEC1), unencrypted.";
constexpr std::string_view swapped = "Give the certificate to --cert and the key to --key.";

/// In the order of DerKind.
constexpr std::array<Words, 11> of_der{{
    {"it is a certificate in DER form, not PEM", "Convert it: openssl x509 -inform DER -in {in} -out {out}", swapped},
    {"it is a private key in DER form, not PEM", swapped, "Convert it: umask 077; openssl pkey -inform DER -in {in} -out {out}"},
    {"it is an encrypted private key in DER form", swapped,
     "Decrypt it: umask 077; openssl pkcs8 -inform DER -in {in} -out {out}"},
    {"it is an encrypted private key in DER form, of an old cipher", swapped,
     "Decrypt it with OpenSSL 3: umask 077; openssl pkcs8 -provider legacy -provider default -inform DER -in {in} -out {out}"},
    {"it is a PKCS#7 bundle (P7B) in DER form, not PEM",
     "Take the certificates out of it: openssl pkcs7 -inform DER -in {in} -print_certs -out {out}",
     "A PKCS#7 bundle holds no private key: give the key that the certificate request was made with."},
    {"it is a PFX (PKCS#12) bundle, not PEM", "Take the certificates out of it: openssl pkcs12 -in {in} -nokeys -out {out}",
     "Take the key out of it: umask 077; openssl pkcs12 -in {in} -nocerts -nodes -out {out}"},
    {"it is a PFX (PKCS#12) bundle with an old cipher, not PEM",
     "Take the certificates out of it with OpenSSL 3: openssl pkcs12 -legacy -in {in} -nokeys -out {out}\n"
     "(OpenSSL 1.1.1, as in EFLOW, does it without -legacy.)",
     "Take the key out of it with OpenSSL 3: umask 077; openssl pkcs12 -legacy -in {in} -nocerts -nodes -out {out}\n"
     "(OpenSSL 1.1.1, as in EFLOW, does it without -legacy.)"},
    {"it is a certificate request (CSR), not a certificate", "Give the certificate that the authority issued for it.",
     "Give the private key that the request was made with."},
    {"it is a certificate revocation list", give_certificate, give_key},
    {"it is a public key", give_certificate, "Give the private key; its public half cannot sign."},
    {"it is in DER form, but neither a certificate, a key nor a bundle that is known here", give_certificate, give_key},
}};

struct LabelRow {
    std::string_view label;  ///< the whole label, or its end when it begins with '*'
    Words words;
};

constexpr std::array<LabelRow, 17> of_label{{
    {"CERTIFICATE REQUEST", of_der[7]},
    {"NEW CERTIFICATE REQUEST", of_der[7]},
    {"X509 CRL", of_der[8]},
    {"PUBLIC KEY", of_der[9]},
    {"RSA PUBLIC KEY", of_der[9]},
    {"PKCS7",
     {"it is a PKCS#7 bundle (P7B)", "Take the certificates out of it: openssl pkcs7 -in {in} -print_certs -out {out}",
      of_der[4].for_key}},
    {"PKCS #7 SIGNED DATA",
     {"it is a PKCS#7 bundle (P7B)", "Take the certificates out of it: openssl pkcs7 -in {in} -print_certs -out {out}",
      of_der[4].for_key}},
    {"CMS",
     {"it is a CMS message", "Take the certificates out of it: openssl cms -cmsout -inform PEM -in {in} -noout -certsout {out}",
      "A CMS message holds no private key: give the key that the certificate request was made with."}},
    {"OPENSSH PRIVATE KEY",
     {"it is a private key in OpenSSH's own form", swapped,
      "Convert a copy: umask 077; cp {in} {out} && ssh-keygen -p -m PKCS8 -N '' -f {out}"}},
    {"TSS2 PRIVATE KEY",
     {"it is a TSS2 key, wrapped by a TPM: only that TPM can use it, and keyd reads no such file", swapped,
      "Give a private key of the device as PEM, or let keyd use the TPM: a pkcs11: URI as identity_pk and pkcs11_lib_path in "
      "config.toml."}},
    {"PGP PRIVATE KEY BLOCK", {"it is a PGP key", give_certificate, give_key}},
    {"PGP PUBLIC KEY BLOCK", {"it is a PGP key", give_certificate, give_key}},
    {"PGP MESSAGE", {"it is a PGP message", give_certificate, give_key}},
    {"EC PARAMETERS", {"it holds the parameters of a curve, and no key", give_certificate, give_key}},
    {"DH PARAMETERS", {"it holds Diffie-Hellman parameters", give_certificate, give_key}},
    {"*PRIVATE KEY", {"it holds a private key, not a certificate", swapped, give_key}},
    {"*CERTIFICATE", {"it holds a certificate, not a private key", give_certificate, swapped}},
}};

struct TextRow {
    std::string_view begins;
    Words words;
};

constexpr std::array<TextRow, 14> of_text{{
    {"\x1f\x8b", {"it is compressed with gzip", "Unpack it: gzip -dc < {in} > {out}", "Unpack it: umask 077; gzip -dc < {in} > {out}"}},
    {"PK\x03\x04", {"it is a ZIP archive", "Unpack it, and give the certificate file in it.", "Unpack it, and give the key file in it."}},
    {"BZh", {"it is compressed with bzip2", "Unpack it: bzip2 -dc < {in} > {out}", "Unpack it: umask 077; bzip2 -dc < {in} > {out}"}},
    {"\xfd" "7zXZ", {"it is compressed with xz", "Unpack it: xz -dc < {in} > {out}", "Unpack it: umask 077; xz -dc < {in} > {out}"}},
    {"\xfe\xed\xfe\xed", {"it is a Java key store", give_certificate, give_key}},
    {"PuTTY-User-Key-File", {"it is a key of PuTTY", swapped, "Export it from PuTTYgen as an OpenSSH key, then: ssh-keygen -p -m PKCS8 -f KEY."}},
    {"---- BEGIN SSH2", {"it is an SSH public key", give_certificate, "Give the private key; its public half cannot sign."}},
    {"ssh-", {"it is an SSH public key", give_certificate, "Give the private key; its public half cannot sign."}},
    {"ecdsa-sha2-", {"it is an SSH public key", give_certificate, "Give the private key; its public half cannot sign."}},
    {"pkcs11:", {"it holds a pkcs11: URI, not what that names", give_certificate,
                 "Put the URI into config.toml as identity_pk; a key in a token needs no file."}},
    {"{", {"it is JSON without PEM in it", give_certificate, give_key}},
    {"<", {"it is a page (HTML or XML), perhaps an error or a sign-in that was saved in the file's place",
           "Fetch it again, signed in, and look at it before it is used.", "Fetch it again, signed in, and look at it before it is used."}},
    {"-----", {"no whole PEM block stands in it", give_certificate, give_key}},
    {"MII", {"it is the base64 of PEM without BEGIN and END lines", "Put a line -----BEGIN CERTIFICATE----- before it and -----END CERTIFICATE----- behind it.",
             "Put a line -----BEGIN PRIVATE KEY----- before it and -----END PRIVATE KEY----- behind it."}},
}};

/// Base64 without BEGIN and END lines, as it is passed on by portals and vaults: by what it is the base64 of.
std::optional<Form> form_of_base64(std::string_view text, std::string_view name, Wanted wanted) {
    const auto decoded = decoded_base64(text);
    if (!decoded) return std::nullopt;
    const auto kind = der_kind(decoded->reveal());
    if (!kind) return std::nullopt;
    const Words& words = of_der[static_cast<std::size_t>(*kind)];
    const std::string_view binary = wanted == Wanted::key ? words.for_key : words.for_certificate;
    const std::string undone = "tr -d '\\r\\n' < " + shell_path(name) + " | base64 -d > decoded.der";
    std::string what(words.what);
    if (const auto form_at = what.find(" in DER form"); form_at != std::string::npos) what.resize(form_at);
    if (const auto pem_at = what.find(", not PEM"); pem_at != std::string::npos) what.resize(pem_at);
    what += ", as base64 without BEGIN and END lines";
    if (binary.find("{in}") == std::string_view::npos) return Form{what, filled(binary, name, wanted)};
    return Form{what, "Decode it first: umask 077; " + undone + "\n" + filled(binary, "decoded.der", wanted)};
}

/// The lines of a text in any packing: quoted, indented, joined, in JSON or C strings. What is no BEGIN, no END and no base64
/// goes, which between blocks does no harm.
constexpr std::string_view unpacked =
    "sed 's/\\\\[rn]/\\n/g' {in} | grep -oE -e '-----(BEGIN|END) [A-Z0-9 ]+-----' -e '[A-Za-z0-9+/]{2,}={0,2}' > {out}";
constexpr std::string_view with_hyphens =
    "sed -E 's/^[^A-Z]*(BEGIN|END) ([A-Z0-9 ]*[A-Z0-9])[^A-Z0-9]*$/-----\\1 \\2-----/' {in} > {out}";
constexpr std::string_view with_line_feeds = "tr '\\r' '\\n' < {in} > {out}";

}  // namespace

bool is_certificate_label(std::string_view label) {
    return label == "CERTIFICATE" || label == "X509 CERTIFICATE" || label == "TRUSTED CERTIFICATE";
}

bool is_key_label(std::string_view label) {
    return label.ends_with("PRIVATE KEY") && label != "OPENSSH PRIVATE KEY" && label != "TSS2 PRIVATE KEY";
}

bool is_encrypted(const PemBlock& block) {
    return block.label == "ENCRYPTED PRIVATE KEY" ||
           block.text.substr(0, 400).find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos;
}

Form form_of_file(std::string_view bytes, std::string_view name, Wanted wanted) {
    const bool key = wanted == Wanted::key;
    if (bytes.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return {"the file is empty", std::string(key ? give_key : give_certificate)};
    if (bytes.find_first_not_of('\0') == std::string_view::npos)
        return {"it holds zeros only, as a file does after a crash or an unfinished copy", "Copy it again."};
    if (const auto kind = der_kind(bytes)) return form(of_der[static_cast<std::size_t>(*kind)], name, wanted);
    std::string_view text = bytes;
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (auto base64 = form_of_base64(text, name, wanted)) return *base64;
    for (const auto& row : of_text)
        if (text.starts_with(row.begins)) return form(row.words, name, wanted);
    return {key ? "no private key block stands in it" : "no -----BEGIN CERTIFICATE----- block stands in it",
            std::string(key ? give_key : give_certificate)};
}

std::optional<Form> form_of_block(const PemBlock& block, std::string_view name, Wanted wanted) {
    for (const auto& row : of_label) {
        const bool ending = row.label.starts_with('*');
        if (ending ? block.label.ends_with(row.label.substr(1)) : block.label == row.label) return form(row.words, name, wanted);
    }
    return Form{"it holds a block of the kind '" + printable(block.label, 64) + "'",
                std::string(wanted == Wanted::key ? give_key : give_certificate)};
}

std::optional<Form> form_of_contents(const PemBlock& block, std::string_view name, Wanted wanted) {
    std::string_view body = block.text;
    body.remove_prefix(std::min(body.find('\n') + 1, body.size()));
    body = body.substr(0, body.rfind("-----END"));
    const auto decoded = decoded_base64(body);
    const auto kind = decoded ? der_kind(decoded->reveal()) : std::nullopt;
    const bool as_labelled = !kind || (wanted == Wanted::certificate ? *kind == DerKind::certificate : *kind == DerKind::key);
    if (as_labelled || *kind == DerKind::unknown) return std::nullopt;
    std::string what(of_der[static_cast<std::size_t>(*kind)].what);
    what = what.substr(0, what.find(" in DER form"));
    what = what.substr(0, what.find(','));
    return Form{"the block is called " + printable(block.label, 64) + ", but in truth " + what,
                filled(wanted == Wanted::key ? give_key : give_certificate, name, wanted)};
}

Form form_of_fault(const PemFault& fault, std::string_view name, Wanted wanted) {
    using Kind = PemFault::Kind;
    const auto repaired = [&](std::string_view command) {
        return "Write it as PEM: " + std::string(wanted == Wanted::key ? "umask 077; " : "") + filled(command, name, wanted);
    };
    std::string remedy = "Fetch the file again; a copy by hand often loses a line.";
    switch (fault.kind) {
        case Kind::joined:
        case Kind::wrapped:
        case Kind::escaped: remedy = repaired(unpacked); break;
        case Kind::dashes: remedy = repaired(with_hyphens); break;
        case Kind::carriage_returns: remedy = repaired(with_line_feeds); break;
        case Kind::not_ended:
        case Kind::not_begun:
        case Kind::label_differs: break;
    }
    return {to_text(fault), remedy};
}

}  // namespace eflow
