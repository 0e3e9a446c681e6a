#include "vm-agent/identity/uses.hpp"

#include <optional>
#include <set>
#include <variant>

#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/identity/judge.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {

namespace {

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

Findings identity_rows(const FileBytes& certificate, const std::optional<FileBytes>& key, Instant now) {
    IdentityExpectation expectation;
    expectation.now = now;
    expectation.enrollment = Enrollment::individual;
    expectation.allow_after_2038 = true;
    if (!key) return judge_certificate(certificate.bytes, certificate.name, expectation);
    return judge_identity(certificate.bytes, certificate.name, key->bytes, key->name, expectation).findings;
}

const std::set<std::string> rules_of_dps{"identity.cn-matches-registration-id", "identity.cn-valid", "identity.before-2038"};
const std::set<std::string> rules_of_a_device{"identity.cn-matches-registration-id", "identity.cn-valid", "identity.before-2038",
                                              "identity.not-a-ca",                   "identity.client-auth"};

}  // namespace

Findings judge_edge_ca_pair(const UseLabel& label, const FileBytes& certificate,
                            const std::optional<FileBytes>& key, Instant now, Reading /*reading*/) {
    Collected collected(label);
    collect(collected, identity_rows(certificate, key, now), rules_of_a_device);
    const auto read = read_certificates(certificate.bytes, certificate.name);
    if (const auto* all = std::get_if<std::vector<Certificate>>(&read))
        if (X509_check_ca(all->front().get()) != 1)
            collected.fault("its first certificate is not a CA: " + all->front().subject(),
                            "Give the CA's certificate first, with basicConstraints CA:TRUE and key usage keyCertSign.");
    return collected.findings(std::string(certificate.name));
}

Findings judge_trust_bundle_file(const UseLabel& label, const FileBytes& file, Instant now, Reading /*reading*/) {
    Collected collected(label);
    const auto read = read_certificates(file.bytes, file.name);
    if (const auto* finding = std::get_if<Finding>(&read)) collected.fault(finding->detail, finding->remedy);
    if (const auto* all = std::get_if<std::vector<Certificate>>(&read))
        for (const auto& one : *all)
            if (now > one.not_after()) collected.advice(one.subject() + " has expired", "Take it out of the bundle.");
    return collected.findings(std::string(file.name));
}

Findings judge_client_pair(const UseLabel& label, const FileBytes& certificate,
                           const std::optional<FileBytes>& key, Instant now, Reading /*reading*/) {
    Collected collected(label);
    collect(collected, identity_rows(certificate, key, now), rules_of_dps);
    return collected.findings(std::string(certificate.name));
}

}  // namespace eflow
