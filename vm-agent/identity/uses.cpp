#include "vm-agent/identity/uses.hpp"

#include <optional>
#include <algorithm>
#include <chrono>
#include <set>
#include <variant>

#include "shared/printable.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/identity/judge.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {

namespace {

constexpr std::chrono::days soon{30};

/// Faults and advice collected, to be told in one finding each.
class Collected {
public:
    explicit Collected(const UseLabel& label) : label_(label) {}

    void fault(const std::string& detail, const std::string& remedy) { faults_.add(detail, remedy); }
    void advice(const std::string& detail, const std::string& remedy) { advice_.add(detail, remedy); }

    [[nodiscard]] Findings findings(const std::string& evidence) const {
        Findings told;
        if (!faults_.detail.empty())
            told.push_back(failed(label_.id, "The " + label_.what + " cannot be used as it is", faults_.detail, faults_.remedy));
        if (!advice_.detail.empty())
            told.push_back(warning(label_.id, "The " + label_.what + " needs attention", advice_.detail, advice_.remedy));
        if (told.empty()) told.push_back(ok(label_.id, "The " + label_.what + " is sound", evidence));
        return told;
    }

private:
    struct Lines {
        std::string detail;
        std::string remedy;

        void add(const std::string& line, const std::string& what_to_do) {
            detail += (detail.empty() ? "" : "\n") + line;
            if (("\n" + remedy + "\n").find("\n" + what_to_do + "\n") == std::string::npos)
                remedy += (remedy.empty() ? "" : "\n") + what_to_do;
        }
    };

    const UseLabel& label_;
    Lines faults_;
    Lines advice_;
};

/// The rows of the identity's table but `left_out`, as faults and advice.
void collect(Collected& collected, const Findings& rows, const std::set<std::string>& left_out) {
    for (const auto& row : rows) {
        if (left_out.contains(row.id)) continue;
        if (row.severity == Severity::failed) collected.fault(row.summary + ": " + row.detail, row.remedy);
        if (row.severity == Severity::warning) collected.advice(row.summary + ": " + row.detail, row.remedy);
    }
}

Findings identity_rows(const FileBytes& certificate, const std::optional<FileBytes>& key, Instant now, Reading reading,
                       Purpose purpose) {
    IdentityExpectation expectation;
    expectation.now = now;
    expectation.enrollment = Enrollment::individual;  // how far the file leads is for others than DPS to judge
    expectation.allow_after_2038 = true;
    expectation.reading = reading;
    expectation.purpose = purpose;
    if (!key) return judge_certificate(certificate.bytes, certificate.name, expectation);
    return judge_identity(certificate.bytes, certificate.name, key->bytes, key->name, expectation).findings;
}

const std::set<std::string> rules_of_dps{"identity.cn-matches-registration-id", "identity.cn-valid", "identity.before-2038"};
const std::set<std::string> rules_of_a_device{"identity.cn-matches-registration-id", "identity.cn-valid", "identity.before-2038",
                                              "identity.not-a-ca", "identity.client-auth", "identity.leaf-first"};

void judge_authority(Collected& collected, const Certificate& first, const FileBytes& file) {
    const CertificateFacts said = facts(first, first.not_before());
    const bool signs = !said.has_key_usage ||
                       std::find(said.key_usage.begin(), said.key_usage.end(), "keyCertSign") != said.key_usage.end();
    if (X509_check_ca(first.get()) == 1 && signs) return;
    collected.fault("The first certificate of " + printable(file.name) + " is not a CA's: " + said.subject +
                        (signs ? " has no basicConstraints CA:TRUE" : " has a key usage without keyCertSign") +
                        "; what it signs for modules is refused by whoever connects to them",
                    "Give a CA certificate, first in its file, issued with basicConstraints=critical,CA:TRUE and "
                    "keyUsage=keyCertSign.");
}

/// edged signs with the first certificate and this key.
void judge_first_of_pair(Collected& collected, const std::vector<Certificate>& file, const FileBytes& certificate,
                         const FileBytes& key) {
    const auto judged = read_private_key(key.bytes, key.name);
    const auto* own = std::get_if<PrivateKey>(&judged);
    if (own == nullptr || own->belongs_to(file.front())) return;
    for (std::size_t i = 1; i < file.size(); ++i)
        if (own->belongs_to(file[i]))
            return collected.fault("The certificate of the key is number " + std::to_string(i + 1) + " in " + printable(certificate.name) +
                                       ", and the first one is what is used",
                                   "Write the file again with the key's certificate first, its issuers behind it.");
}

}  // namespace

Findings judge_edge_ca_pair(const UseLabel& label, const FileBytes& certificate, const std::optional<FileBytes>& key, Instant now,
                            Reading reading) {
    Collected collected(label);
    collect(collected, identity_rows(certificate, key, now, reading, Purpose::any), rules_of_a_device);
    const auto read = read_certificates(certificate.bytes, certificate.name, {.reading = reading});
    if (const auto* all = std::get_if<std::vector<Certificate>>(&read)) {
        judge_authority(collected, all->front(), certificate);
        if (key) judge_first_of_pair(collected, *all, certificate, *key);
    }
    return collected.findings(printable(certificate.name));
}

Findings judge_trust_bundle_file(const UseLabel& label, const FileBytes& file, Instant now, Reading reading) {
    Collected collected(label);
    CertificateFile how = CertificateFile::bundle();
    how.reading = reading;
    const auto read = read_certificates(file.bytes, file.name, how);
    if (const auto* finding = std::get_if<Finding>(&read)) collected.fault(finding->detail, finding->remedy);
    std::size_t count = 0;
    if (const auto* all = std::get_if<std::vector<Certificate>>(&read)) {
        count = all->size();
        for (const auto& one : *all) {
            if (now > one.not_after())
                collected.advice(one.subject() + " expired on " + in_utc(one.not_after()), "Take it out of the bundle, or put its successor in.");
            else if (one.not_after() - now < soon)
                collected.advice(one.subject() + " expires on " + in_utc(one.not_after()), "Put its successor into the bundle beside it.");
            if (now < one.not_before())
                collected.advice(one.subject() + " is valid only from " + in_utc(one.not_before()), "Look at the clock: timedatectl status");
        }
    }
    return collected.findings(std::to_string(count) + (count == 1 ? " certificate in " : " certificates in ") + printable(file.name));
}

Findings judge_client_pair(const UseLabel& label, const FileBytes& certificate, const std::optional<FileBytes>& key, Instant now,
                           Reading reading) {
    Collected collected(label);
    collect(collected, identity_rows(certificate, key, now, reading, Purpose::tls_client), rules_of_dps);
    return collected.findings(printable(certificate.name));
}

}  // namespace eflow
