#include "vm-agent/identity/judge.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "vm-agent/identity/chain.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {

namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr Instant start_of_2038 = sys_days(std::chrono::year(2038) / 1 / 1);
constexpr days soon{30};
constexpr int least_rsa_bits = 2048;
constexpr std::size_t longest_cn = 64;  // RFC 5280, ub-common-name

/// What the rows of the table look at.
struct Subject {
    std::vector<Certificate> file;  ///< as they stand in the file
    std::string file_name;
    std::string key_name;
    std::optional<PrivateKey> key;
    std::string no_key;              ///< why there is no key to judge
    std::optional<std::size_t> own;  ///< index of the certificate that belongs to the key; the first without a key
    ChainOrder order;                ///< from the own certificate, or from the first
    const IdentityExpectation* expected = nullptr;

    [[nodiscard]] const Certificate& leaf() const { return order.path.front(); }
};

std::string day(Instant instant) {
    const std::chrono::year_month_day ymd(std::chrono::floor<days>(instant));
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(ymd.year()),
                  static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()));
    return text.data();
}

/// "leaf CN=x" or "issuer 1, CN=y": a certificate by its place on the path.
std::string at(std::size_t depth, const Certificate& certificate) {
    return (depth == 0 ? "the leaf " : "issuer " + std::to_string(depth) + ", ") + certificate.subject();
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
    return text;
}

Finding key_usable(const Subject& subject) {
    constexpr auto id = "identity.key-usable";
    if (!subject.key) return skipped(id, "Whether keyd can serve the key was not judged", subject.no_key);
    EVP_PKEY* key = subject.key->get();
    const int kind = EVP_PKEY_base_id(key);
    const bool usable = kind == EVP_PKEY_RSA || (kind == EVP_PKEY_EC && curve_of(key) == NID_X9_62_prime256v1);
    if (usable) return ok(id, "keyd can serve the key", subject.key->description());
    return failed(id, "keyd cannot serve this kind of key",
                  subject.key_name + " holds " + subject.key->description() +
                      "; the Keys Service of IoT Edge knows RSA and EC P-256 only",
                  "Make a new key and have it certified: openssl ecparam -genkey -noout -name prime256v1 -out key.pem");
}

Finding key_matches(const Subject& subject) {
    constexpr auto id = "identity.key-matches";
    if (!subject.key) return skipped(id, "Whether the key belongs to the certificate was not judged", subject.no_key);
    if (subject.own) return ok(id, "The certificate belongs to the key", subject.file[*subject.own].subject());
    return failed(id, "No certificate in the file belongs to the key",
                  subject.file_name + " begins with " + subject.file.front().subject() + ", and none of its " +
                      std::to_string(subject.file.size()) + " certificates has the public key of " + subject.key_name,
                  "Find the matching pair: these two commands print the same for it:\n"
                  "openssl x509 -noout -pubkey -in CERTIFICATE\nopenssl pkey -pubout -in KEY");
}

Finding leaf_first(const Subject& subject) {
    constexpr auto id = "identity.leaf-first";
    if (subject.key && !subject.own)
        return skipped(id, "The order of the file was not judged", "no certificate belongs to the key");
    if (!subject.key && !subject.order.path.empty()) {
        const CertificateFacts first = facts(subject.file.front(), subject.expected->now);
        if (!first.ca || subject.file.size() == 1)
            return ok(id, "The leaf stands first", subject.file.front().subject());
    } else if (*subject.own == 0) {
        return ok(id, "The leaf stands first", subject.file.front().subject());
    }
    const std::size_t place = subject.own.value_or(0);
    const std::string where = subject.key ? "the device's own certificate is number " + std::to_string(place + 1)
                                          : "the first certificate may sign others, so it is no leaf";
    return failed(id, "The leaf does not stand first in the file",
                  subject.file_name + ": " + where + "; identityd sends the first one as the device's certificate",
                  "Write the file anew, leaf first: cat leaf.pem intermediate.pem > full-chain.pem");
}

Finding cn_valid(const Subject& subject) {
    constexpr auto id = "identity.cn-valid";
    constexpr auto remedy = "Have the certificate issued with the registration ID as its only common name (CN).";
    const X509_NAME* name = X509_get_subject_name(subject.leaf().get());
    const bool has_cn = X509_NAME_get_index_by_NID(name, NID_commonName, -1) >= 0;
    if (!has_cn)
        return failed(id, "The certificate has no common name",
                      at(0, subject.leaf()) + ": DPS takes the registration ID from the CN", remedy);
    const auto cn = subject.leaf().common_name();
    if (!cn)
        return failed(id, "The common name cannot be read", at(0, subject.leaf()) + ": it holds a NUL or is no text",
                      remedy);
    if (cn->size() > longest_cn)
        return failed(id, "The common name is too long",
                      at(0, subject.leaf()) + ": " + std::to_string(cn->size()) + " characters, more than 64", remedy);
    const auto parsed = RegistrationId::parse(*cn);
    if (const auto* finding = std::get_if<Finding>(&parsed))
        return failed(id, "The common name is not a registration ID", at(0, subject.leaf()) + ": " + finding->detail,
                      remedy);
    return ok(id, "The common name is a registration ID", *cn);
}

Finding cn_matches(const Subject& subject) {
    constexpr auto id = "identity.cn-matches-registration-id";
    if (!subject.expected->registration_id)
        return skipped(id, "The CN was not compared", "no valid registration ID was given");
    const auto cn = subject.leaf().common_name();
    const std::string& wanted = subject.expected->registration_id->text();
    if (cn && subject.expected->registration_id->same_as(*cn)) return ok(id, "The CN is the registration ID", *cn);
    return failed(id, "The CN is not the registration ID",
                  "the certificate says " + (cn ? "'" + *cn + "'" : std::string("nothing")) +
                      ", the registration ID is '" + wanted + "'; DPS refuses the device with 401 when they differ",
                  cn ? "Give --registration-id " + *cn + ", or a certificate issued for " + wanted + "."
                     : "Give a certificate issued for " + wanted + ".");
}

Finding chain_complete(const Subject& subject) {
    constexpr auto id = "identity.chain-complete";
    const auto& path = subject.order.path;
    if (!subject.order.unrelated.empty()) {
        const Certificate& last = path.back();
        return failed(id, "An issuer is missing between the certificates of the file",
                      "nothing in " + subject.file_name + " was issued to " + last.issuer() + ", which issued " +
                          at(path.size() - 1, last) + "; left over: " + subject.order.unrelated.front().subject(),
                      "Add the certificate of " + last.issuer() +
                          " (and take out what does not belong): "
                          "cat leaf.pem intermediate.pem > full-chain.pem");
    }
    if (path.size() > 1)
        return ok(id, "The chain is complete",
                  std::to_string(path.size()) + " certificates, up to " + path.back().subject());
    if (subject.leaf().self_issued()) return ok(id, "The certificate is self-signed", subject.leaf().subject());
    if (subject.expected->enrollment == Enrollment::individual)
        return ok(id, "The leaf stands alone, which an individual enrollment takes", subject.leaf().subject());
    return warning(
        id, "The leaf stands alone",
        subject.file_name +
            " holds no issuer; a group enrollment refuses that with 401 (CA certificate not found) unless " +
            subject.leaf().issuer() + " itself is the enrolled CA",
        "Give the full chain: cat leaf.pem intermediate.pem > full-chain.pem. For an individual enrollment say "
        "--enrollment individual.");
}

Finding chain_verifies(const Subject& subject) {
    constexpr auto id = "identity.chain-verifies";
    const auto faults = verify_chain(subject.order.path, subject.expected->trusted, subject.expected->now);
    if (faults.empty())
        return ok(id, "Every signature and constraint of the chain holds",
                  subject.expected->trusted.empty() ? "" : "up to a certificate that was given as trusted");
    std::vector<std::string> lines;
    for (const auto& fault : faults)
        lines.push_back("depth " + std::to_string(fault.depth) + ", " + fault.subject + ": " + fault.why);
    return failed(
        id, "The chain does not verify", joined(lines),
        "Compare the certificate at that depth with what the authority issued: openssl verify -purpose sslclient "
        "-CAfile root.pem -untrusted intermediate.pem leaf.pem");
}

Finding not_a_ca(const Subject& subject) {
    constexpr auto id = "identity.not-a-ca";
    const CertificateFacts leaf = facts(subject.leaf(), subject.expected->now);
    const bool signs = std::find(leaf.key_usage.begin(), leaf.key_usage.end(), "keyCertSign") != leaf.key_usage.end();
    if (!leaf.ca && !signs) return ok(id, "The leaf cannot sign certificates");
    return failed(id, "The leaf is a certificate authority",
                  at(0, subject.leaf()) + (leaf.ca ? " has the CA flag" : " has key usage keyCertSign") +
                      "; DPS refuses a CA certificate as a device's identity",
                  "Give the device identity certificate (iot-edge-device-identity-...), not the Edge CA certificate.");
}

Finding client_auth(const Subject& subject) {
    constexpr auto id = "identity.client-auth";
    const CertificateFacts leaf = facts(subject.leaf(), subject.expected->now);
    const auto has = [](const std::vector<std::string>& words, const char* word) {
        return std::find(words.begin(), words.end(), word) != words.end();
    };
    std::vector<std::string> faults;
    if (leaf.has_extended_key_usage && !has(leaf.extended_key_usage, "clientAuth"))
        faults.emplace_back("its extended key usage does not name clientAuth");
    if (leaf.has_key_usage && !has(leaf.key_usage, "digitalSignature"))
        faults.emplace_back("its key usage does not name digitalSignature");
    if (faults.empty()) return ok(id, "The leaf may be used as a TLS client");
    return failed(id, "The leaf may not be used as a TLS client", at(0, subject.leaf()) + ": " + joined(faults),
                  "Have it issued with keyUsage=digitalSignature and extendedKeyUsage=clientAuth.");
}

Finding key_strength(const Subject& subject) {
    constexpr auto id = "identity.key-strength";
    std::vector<std::string> weak;
    bool fails = false;
    for (std::size_t depth = 0; depth < subject.order.path.size(); ++depth) {
        const Certificate& one = subject.order.path[depth];
        EVP_PKEY* key = X509_get0_pubkey(one.get());
        const int kind = key == nullptr ? NID_undef : EVP_PKEY_base_id(key);
        const bool narrow =
            key == nullptr ||
            ((kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS) && EVP_PKEY_bits(key) < least_rsa_bits) ||
            (kind == EVP_PKEY_EC && EVP_PKEY_bits(key) < 224);
        if (!narrow) continue;
        weak.push_back(at(depth, one) + ": " + one.key_description());
        // A root is trusted for being known, not for its signature.
        fails = fails || depth == 0 || !one.self_issued();
    }
    drain_errors();
    if (weak.empty()) return ok(id, "The keys are strong enough", subject.leaf().key_description());
    constexpr auto remedy = "Have it issued for a key of RSA 2048 bits or more, or EC P-256.";
    return fails ? failed(id, "A key of the chain is too weak", joined(weak), remedy)
                 : warning(id, "The key of the root is weak", joined(weak), remedy);
}

Finding signature_strength(const Subject& subject) {
    constexpr auto id = "identity.signature-strength";
    std::vector<std::string> weak;
    for (std::size_t depth = 0; depth < subject.order.path.size(); ++depth) {
        const Certificate& one = subject.order.path[depth];
        if (depth > 0 && one.self_issued()) continue;
        int digest = NID_undef;
        if (X509_get_signature_info(one.get(), &digest, nullptr, nullptr, nullptr) != 1) {
            OBJ_find_sigid_algs(X509_get_signature_nid(one.get()), &digest, nullptr);
            drain_errors();
        }
        if (digest == NID_md5 || digest == NID_sha1 || digest == NID_md5_sha1 || digest == NID_md4 || digest == NID_md2)
            weak.push_back(at(depth, one) + ": " + one.signature_description());
    }
    if (weak.empty()) return ok(id, "The signatures are strong enough", subject.leaf().signature_description());
    return failed(id, "A signature of the chain is too weak", joined(weak),
                  "Have it issued anew, signed with SHA-256.");
}

Finding current(const Subject& subject) {
    constexpr auto id = "identity.current";
    const Instant now = subject.expected->now;
    std::vector<std::string> faults;
    for (std::size_t depth = 0; depth < subject.order.path.size(); ++depth) {
        const Certificate& one = subject.order.path[depth];
        if (now < one.not_before()) faults.push_back(at(depth, one) + ": valid only from " + day(one.not_before()));
        if (now > one.not_after()) faults.push_back(at(depth, one) + ": expired on " + day(one.not_after()));
    }
    if (faults.empty()) return ok(id, "All certificates are within their dates", "today is " + day(now));
    return failed(
        id, "A certificate is outside its dates", joined(faults) + "\nthe clock here says " + day(now),
        "If the clock is right, have the certificate issued anew; else set the clock first: timedatectl status");
}

Finding expires_soon(const Subject& subject) {
    constexpr auto id = "identity.expires-soon";
    const Instant now = subject.expected->now;
    std::vector<std::string> soon_gone;
    Instant first = Instant::max();
    for (std::size_t depth = 0; depth < subject.order.path.size(); ++depth) {
        const Certificate& one = subject.order.path[depth];
        first = std::min(first, one.not_after());
        if (now <= one.not_after() && one.not_after() - now < soon)
            soon_gone.push_back(at(depth, one) + ": expires on " + day(one.not_after()) + ", in " +
                                std::to_string(std::chrono::floor<days>(one.not_after() - now).count()) + " days");
    }
    if (!soon_gone.empty())
        return warning(id, "A certificate expires soon", joined(soon_gone),
                       "Have it issued anew, then run provision with the new files.");
    if (now > first) return skipped(id, "How long the certificates last was not judged", "one has expired already");
    return ok(id, "No certificate expires soon", "the first on " + day(first));
}

Finding before_2038(const Subject& subject) {
    constexpr auto id = "identity.before-2038";
    std::vector<std::string> late;
    for (std::size_t depth = 0; depth < subject.order.path.size(); ++depth) {
        const Certificate& one = subject.order.path[depth];
        if (one.not_after() >= start_of_2038) late.push_back(at(depth, one) + ": expires on " + day(one.not_after()));
    }
    if (late.empty()) return ok(id, "All certificates expire before 2038");
    const std::string detail =
        joined(late) +
        "\nMicrosoft's how-to excludes certificates that expire on or after 2038-01-01: a limit of libiothsm in "
        "IoT Edge 1.0 and 1.1. Versions 1.2 and later (1.4, 1.5, 1.6) do not have it.";
    constexpr auto remedy =
        "On IoT Edge 1.2 or later say --allow-after-2038; else have the certificate issued with an earlier end.";
    return subject.expected->allow_after_2038
               ? warning(id, "A certificate expires in 2038 or later, as allowed", detail, remedy)
               : failed(id, "A certificate expires in 2038 or later", detail, remedy);
}

/// The checks after the two that read the files, in the contract's order.
constexpr std::array<Finding (*)(const Subject&), 14> checks{
    key_usable, key_matches, leaf_first,   cn_matches,         cn_valid, chain_complete, chain_verifies,
    not_a_ca,   client_auth, key_strength, signature_strength, current,  expires_soon,   before_2038};
constexpr std::array<const char*, 14> check_ids{
    "key-usable",   "key-matches",    "leaf-first",         "cn-matches-registration-id",
    "cn-valid",     "chain-complete", "chain-verifies",     "not-a-ca",
    "client-auth",  "key-strength",   "signature-strength", "current",
    "expires-soon", "before-2038"};

Findings all_skipped(const std::string& why) {
    Findings findings;
    for (const char* id : check_ids) findings.push_back(skipped(std::string("identity.") + id, "Not judged", why));
    return findings;
}

/// The certificate file read, or its finding; the rest of the findings then stand as skipped.
std::optional<std::vector<Certificate>> read_chain(Judged<std::vector<Certificate>> file, std::string_view name,
                                                   Findings& findings) {
    if (auto* finding = std::get_if<Finding>(&file)) {
        findings.push_back(std::move(*finding));
        return std::nullopt;
    }
    auto certificates = std::get<std::vector<Certificate>>(std::move(file));
    findings.push_back(ok("identity.cert-readable", "The certificate file can be read",
                          std::to_string(certificates.size()) + " certificates in " + std::string(name)));
    return certificates;
}

void order(Subject& subject) {
    if (subject.key) {
        for (std::size_t i = 0; i < subject.file.size() && !subject.own; ++i)
            if (subject.key->belongs_to(subject.file[i])) subject.own = i;
    }
    subject.order = order_chain(subject.file[subject.own.value_or(0)], subject.file);
}

Findings judged_rows(const Subject& subject) {
    Findings findings;
    for (const auto check : checks) findings.push_back(check(subject));
    return findings;
}

}  // namespace

IdentityVerdict judge_identity(std::string_view certificate_bytes, std::string_view certificate_name,
                               std::string_view key_bytes, std::string_view key_name,
                               const IdentityExpectation& expectation) {
    IdentityVerdict verdict;
    auto certificates = read_chain(read_certificates(certificate_bytes, certificate_name), certificate_name, verdict.findings);
    Subject subject;
    subject.file_name = certificate_name;
    subject.key_name = key_name;
    subject.expected = &expectation;
    auto key = read_private_key(key_bytes, key_name);
    if (auto* finding = std::get_if<Finding>(&key)) {
        subject.no_key = "the key cannot be read";
        verdict.findings.push_back(std::move(*finding));
    } else {
        subject.key = std::get<PrivateKey>(std::move(key));
        verdict.findings.push_back(
            ok("identity.key-readable", "The private key can be read", subject.key->description()));
    }
    if (!certificates) {
        append(verdict.findings, all_skipped("the certificate cannot be read"));
        return verdict;
    }
    subject.file = std::move(*certificates);
    order(subject);
    append(verdict.findings, judged_rows(subject));
    if (gravest(verdict.findings) == Severity::failed) return verdict;

    IdentityMaterial material;
    for (const auto& certificate : subject.order.path) material.certificate_pem += certificate.pem();
    material.key_pem = subject.key->pkcs8_pem();
    material.common_name = subject.leaf().common_name().value_or("");
    material.fingerprint8 = subject.leaf().sha256().substr(0, 8);
    material.chain = subject.order.path;
    verdict.material = std::move(material);
    return verdict;
}

Findings judge_certificate(std::string_view certificate_bytes, std::string_view certificate_name,
                           const IdentityExpectation& expectation, const std::string& no_key) {
    return judge_certificate(read_certificates(certificate_bytes, certificate_name), certificate_name, expectation, no_key);
}

Findings judge_certificate(const Judged<std::vector<Certificate>>& file, std::string_view certificate_name,
                           const IdentityExpectation& expectation, const std::string& no_key) {
    Findings findings;
    auto certificates = read_chain(file, certificate_name, findings);
    findings.push_back(skipped("identity.key-readable", "The private key was not judged", no_key));
    if (!certificates) {
        append(findings, all_skipped("the certificate cannot be read"));
        return findings;
    }
    Subject subject;
    subject.file = std::move(*certificates);
    subject.file_name = certificate_name;
    subject.no_key = no_key;
    subject.expected = &expectation;
    order(subject);
    append(findings, judged_rows(subject));
    return findings;
}

}  // namespace eflow
