#include <algorithm>

#include "shared/printable.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/rows.hpp"

namespace eflow {

namespace {

constexpr std::size_t longest_cn = 64;  // RFC 5280, ub-common-name

bool has(const std::vector<std::string>& words, const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

/// What may stand in a command that people copy: a registration ID and nothing else.
bool may_be_copied(const std::string& text) {
    return std::holds_alternative<RegistrationId>(RegistrationId::parse(text));
}

}  // namespace

Finding cn_valid(const Subject& subject) {
    constexpr auto id = "identity.cn-valid";
    constexpr auto remedy = "Have the certificate issued with the registration ID as its only common name (CN), a UTF8String or "
                            "PrintableString.";
    const std::string leaf = at(0, subject.leaf());
    const auto names = subject.leaf().common_names();
    if (names.empty())
        return failed(id, "The certificate has no common name", leaf + ": DPS takes the registration ID from the CN", remedy);
    if (names.size() > 1)
        return failed(id, "The certificate has more than one common name",
                      leaf + ": " + std::to_string(names.size()) +
                          " of them; identityd takes the first for the registration ID, others take the last",
                      remedy);
    const CommonName& cn = names.front();
    if (!cn.text) return failed(id, "The common name cannot be read", leaf + ": it holds a NUL or is no text", remedy);
    if (!cn.plain_bytes)
        return failed(id, "The common name is in a string type that identityd does not read as text",
                      leaf + ": identityd takes the bytes as they are, and in this type (BMPString, UniversalString, T61String) they "
                             "are not the letters",
                      remedy);
    if (cn.text->size() > longest_cn)
        return failed(id, "The common name is too long",
                      leaf + ": " + std::to_string(cn.text->size()) + " characters, more than 64", remedy);
    const auto parsed = RegistrationId::parse(*cn.text);
    if (const auto* finding = std::get_if<Finding>(&parsed))
        return failed(id, "The common name is not a registration ID", leaf + ": " + printable(finding->detail), remedy);
    return ok(id, "The common name is a registration ID", *cn.text);
}

Finding cn_matches(const Subject& subject) {
    constexpr auto id = "identity.cn-matches-registration-id";
    if (!subject.expected->registration_id)
        return skipped(id, "The CN was not compared", "no valid registration ID was given");
    const auto cn = subject.leaf().common_name();
    const std::string& wanted = subject.expected->registration_id->text();
    if (cn && subject.expected->registration_id->same_as(*cn)) return ok(id, "The CN is the registration ID", *cn);
    const bool offered = cn && may_be_copied(*cn) && X509_check_ca(subject.leaf().get()) == 0;
    return failed(id, "The CN is not the registration ID",
                  "the certificate says " + (cn ? "'" + printable(*cn, 80) + "'" : std::string("nothing")) +
                      ", the registration ID is '" + wanted + "'; DPS refuses the device with 401 when they differ",
                  offered ? "Give --registration-id " + *cn + ", or a certificate issued for " + wanted + "."
                          : "Give a certificate issued for " + wanted + ".");
}

Finding not_a_ca(const Subject& subject) {
    constexpr auto id = "identity.not-a-ca";
    const CertificateFacts leaf = facts(subject.leaf(), subject.expected->now);
    if (!leaf.ca && !has(leaf.key_usage, "keyCertSign")) return ok(id, "The leaf cannot sign certificates");
    return failed(id, "The leaf is a certificate authority",
                  at(0, subject.leaf()) + (leaf.ca ? " has the CA flag" : " has key usage keyCertSign") +
                      "; DPS refuses a CA certificate as a device's identity",
                  "Give the device identity certificate (iot-edge-device-identity-...), not the Edge CA certificate.");
}

Finding client_auth(const Subject& subject) {
    constexpr auto id = "identity.client-auth";
    const CertificateFacts leaf = facts(subject.leaf(), subject.expected->now);
    std::vector<std::string> faults;
    if (leaf.has_extended_key_usage && !has(leaf.extended_key_usage, "clientAuth"))
        faults.emplace_back("its extended key usage does not name clientAuth");
    if (leaf.has_key_usage && !has(leaf.key_usage, "digitalSignature"))
        faults.emplace_back("its key usage does not name digitalSignature");
    if (faults.empty()) return ok(id, "The leaf may be used as a TLS client");
    return failed(id, "The leaf may not be used as a TLS client", at(0, subject.leaf()) + ": " + joined(faults),
                  "Have it issued with keyUsage=digitalSignature and extendedKeyUsage=clientAuth.");
}

}  // namespace eflow
