#include <openssl/objects.h>

#include "shared/printable.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/rows.hpp"

namespace eflow {

namespace {

std::string number(std::size_t index) {
    return "certificate " + std::to_string(index + 1);
}

/// EC parameters in full instead of the curve's name, of a curve that OpenSSL knows by its name.
bool has_explicit_parameters(EVP_PKEY* key) {
    return EVP_PKEY_base_id(key) == EVP_PKEY_EC && curve_of(key) == NID_undef;
}

}  // namespace

Finding key_usable(const Subject& subject) {
    constexpr auto id = "identity.key-usable";
    if (!subject.key) return skipped(id, "Whether keyd can serve the key was not judged", subject.no_key);
    EVP_PKEY* key = subject.key->get();
    const int kind = EVP_PKEY_base_id(key);
    const bool usable = kind == EVP_PKEY_RSA || (kind == EVP_PKEY_EC && curve_of(key) == NID_X9_62_prime256v1);
    if (usable) return ok(id, "keyd can serve the key", subject.key->description());
    std::string remedy = "Make a new key and have it certified: umask 077; openssl ecparam -genkey -noout -name prime256v1 -out new.key.pem";
    if (has_explicit_parameters(key))
        remedy = "Write the curve by its name; the certificate stays: umask 077; openssl ec -in " + shell_path(subject.key_name) +
                 " -param_enc named_curve -out named-curve.key.pem\nIf the curve is another than P-256, a new key is needed.";
    return failed(id, "keyd cannot serve this kind of key",
                  printable(subject.key_name) + " holds " + subject.key->description() +
                      "; the Keys Service of IoT Edge knows RSA and EC P-256 only",
                  remedy);
}

Finding key_matches(const Subject& subject) {
    constexpr auto id = "identity.key-matches";
    if (!subject.key) return skipped(id, "Whether the key belongs to the certificate was not judged", subject.no_key);
    if (subject.key_of_ca)
        return failed(id, "The key is a CA's, not the device's",
                      "this key belongs to " + number(*subject.key_of_ca) + " of " + printable(subject.file_name) + ", " +
                          subject.file[*subject.key_of_ca].subject() + ", a CA; the device's certificate is " + subject.leaf().subject(),
                      "Give the key that belongs to " + subject.leaf().subject() +
                          ", and keep the CA's key off the device: whoever has it can make devices.");
    if (subject.own && subject.own_proven)
        return ok(id, "The certificate belongs to the key", subject.file[*subject.own].subject());
    if (subject.own)
        return failed(id, "The private key is damaged",
                      printable(subject.key_name) + " has the public key of " + number(*subject.own) + " (" +
                          subject.file[*subject.own].subject() + "), but what it signs that certificate does not verify",
                      "Fetch the key again from where it was made. What OpenSSL says of it: openssl pkey -noout -check -in " +
                          shell_path(subject.key_name));
    std::string detail = printable(subject.file_name) + " begins with " + subject.file.front().subject() + ", and none of its " +
                         std::to_string(subject.file.size()) + " certificates has the public key of " + printable(subject.key_name);
    if (subject.expected->reading == Reading::in_place)
        // aziot-identityd/src/identity.rs get_identity_credentials: unreadable certificate, registration_id set.
        detail += "\nidentityd has keyd put a new key in its place when registration_id is set and it cannot read the certificate";
    return failed(id, "No certificate in the file belongs to the key", detail,
                  "Find the matching pair: these two commands print the same for it:\nopenssl x509 -noout -pubkey -in " +
                      shell_path(subject.file_name) + "\nopenssl pkey -pubout -in " + shell_path(subject.key_name));
}

Finding leaf_first(const Subject& subject) {
    constexpr auto id = "identity.leaf-first";
    if (subject.key_of_ca) return skipped(id, "The order of the file was not judged", "the key is a CA's");
    if (subject.key && !subject.own)
        return skipped(id, "The order of the file was not judged", "no certificate belongs to the key");
    const bool first_signs = !subject.key && subject.file.size() > 1 && X509_check_ca(subject.file.front().get()) == 1;
    if (!first_signs && subject.own.value_or(0) == 0) return ok(id, "The leaf stands first", subject.file.front().subject());
    const std::string where = subject.key ? "the device's own certificate is number " + std::to_string(*subject.own + 1)
                                          : "the first certificate may sign others, so it is no leaf";
    return failed(id, "The leaf does not stand first in the file",
                  printable(subject.file_name) + ": " + where + "; identityd sends the first one as the device's certificate",
                  "Write the file again, leaf first: cat leaf.pem intermediate.pem > full-chain.pem");
}

}  // namespace eflow
