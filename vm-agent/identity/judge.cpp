#include "vm-agent/identity/judge.hpp"

#include <array>
#include <utility>

#include "shared/pem_text.hpp"
#include "shared/printable.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/rows.hpp"

namespace eflow {

namespace {

struct Row {
    const char* id;
    Finding (*judge)(const Subject&);
};

/// The checks after the two that read the files, in the contract's order.
constexpr std::array<Row, 14> table{{{"identity.key-usable", key_usable},
                                     {"identity.key-matches", key_matches},
                                     {"identity.leaf-first", leaf_first},
                                     {"identity.cn-matches-registration-id", cn_matches},
                                     {"identity.cn-valid", cn_valid},
                                     {"identity.chain-complete", chain_complete},
                                     {"identity.chain-verifies", chain_verifies},
                                     {"identity.not-a-ca", not_a_ca},
                                     {"identity.client-auth", client_auth},
                                     {"identity.key-strength", key_strength},
                                     {"identity.signature-strength", signature_strength},
                                     {"identity.current", current},
                                     {"identity.expires-soon", expires_soon},
                                     {"identity.before-2038", before_2038}}};

Findings all_skipped(const std::string& why) {
    Findings findings;
    for (const Row& row : table) findings.push_back(skipped(row.id, "Not judged", why));
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
                          std::to_string(certificates.size()) + " certificates in " + printable(name)));
    return certificates;
}

/// A file in place is read by the services' own OpenSSL, which on EFLOW (1.1.1) stops at a byte order mark.
void mark_byte_order(std::string_view bytes, std::string_view name, Reading reading, Finding& readable) {
    if (reading == Reading::input || readable.severity != Severity::ok || encoding_of(bytes) != TextEncoding::utf8_bom) return;
    readable = warning(readable.id, "The file begins with a byte order mark",
                       printable(name) + " was saved as UTF-8 with BOM; OpenSSL 1.1.1, as in EFLOW, finds no PEM in it",
                       "Write it without: tail -c +4 " + shell_path(name) + " > without-bom.pem");
}

/// Which certificate of the file is the device's: the one that the key belongs to, where that is no CA's.
void find_own(Subject& subject) {
    if (!subject.key) return;
    for (std::size_t i = 0; i < subject.file.size(); ++i) {
        const bool authority = X509_check_ca(subject.file[i].get()) != 0;
        if ((subject.own && (authority || X509_check_ca(subject.file[*subject.own].get()) == 0)) ||
            !subject.key->belongs_to(subject.file[i]))
            continue;
        subject.own = i;
    }
    if (!subject.own) return;
    if (subject.expected->purpose == Purpose::tls_client && *subject.own > 0 && X509_check_ca(subject.file[*subject.own].get()) != 0) {
        subject.key_of_ca = std::exchange(subject.own, std::nullopt);
        return;
    }
    subject.own_proven = subject.key->proven_by(subject.file[*subject.own]);
}

Findings judged_rows(Subject& subject) {
    find_own(subject);
    const IdentityExpectation& expected = *subject.expected;
    subject.chain = build_chain(subject.file[subject.own.value_or(0)],
                                {.others = subject.file, .trusted = expected.trusted, .purpose = expected.purpose, .now = expected.now});
    Findings findings;
    for (const Row& row : table) findings.push_back(row.judge(subject));
    return findings;
}

IdentityMaterial material_of(const Subject& subject) {
    IdentityMaterial material;
    for (const auto& certificate : subject.chain.to_send) material.certificate_pem += certificate.pem();
    material.key_pem = subject.key->pkcs8_pem();
    material.common_name = subject.leaf().common_name().value_or("");
    material.fingerprint8 = subject.leaf().sha256().substr(0, 8);
    material.chain = subject.chain.to_send;
    return material;
}

}  // namespace

IdentityVerdict judge_identity(std::string_view certificate_bytes, std::string_view certificate_name,
                               std::string_view key_bytes, std::string_view key_name,
                               const IdentityExpectation& expectation) {
    IdentityVerdict verdict;
    const CertificateFile how{.reading = expectation.reading};
    auto certificates =
        read_chain(read_certificates(certificate_bytes, certificate_name, how), certificate_name, verdict.findings);
    mark_byte_order(certificate_bytes, certificate_name, expectation.reading, verdict.findings.back());
    Subject subject;
    subject.file_name = certificate_name;
    subject.key_name = key_name;
    subject.expected = &expectation;
    auto key = read_private_key(key_bytes, key_name, expectation.reading);
    if (auto* finding = std::get_if<Finding>(&key)) {
        subject.no_key = "the key cannot be read";
        verdict.findings.push_back(std::move(*finding));
    } else {
        subject.key = std::get<PrivateKey>(std::move(key));
        verdict.findings.push_back(
            ok("identity.key-readable", "The private key can be read", subject.key->description()));
    }
    mark_byte_order(key_bytes, key_name, expectation.reading, verdict.findings.back());
    if (!certificates) {
        append(verdict.findings, all_skipped("the certificate cannot be read"));
        return verdict;
    }
    subject.file = std::move(*certificates);
    append(verdict.findings, judged_rows(subject));
    if (gravest(verdict.findings) != Severity::failed) verdict.material = material_of(subject);
    return verdict;
}

Findings judge_certificate(std::string_view certificate_bytes, std::string_view certificate_name,
                           const IdentityExpectation& expectation, const std::string& no_key) {
    const CertificateFile how{.reading = expectation.reading};
    return judge_certificate(read_certificates(certificate_bytes, certificate_name, how), certificate_name, expectation, no_key);
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
    append(findings, judged_rows(subject));
    return findings;
}

}  // namespace eflow
