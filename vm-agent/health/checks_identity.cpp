#include <algorithm>

#include "shared/failure.hpp"
#include "shared/manifest.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/identity/judge.hpp"
#include "vm-agent/identity/pem.hpp"
#include "vm-agent/identity/uses.hpp"

namespace eflow {

namespace {

bool is_manual(const Observations& seen) {
    const auto& provisioning = provisioning_in(seen);
    return provisioning && provisioning->source == "manual";
}

/// keyd made the key that stands there: identityd has it delete the device's own and make an RSA-2048 one in its place
/// when certd cannot give the certificate and registration_id is set (aziot-identityd/src/identity.rs
/// get_identity_credentials; aziot-keys/src/key_pair.rs:667 writes with the daemon's umask, so 0644).
bool was_made_by_keyd(const Observations& seen) {
    if (seen.key_access != "0644 aziotks:aziotks" || !seen.key.value || !*seen.key.value) return false;
    const auto key = read_private_key((*seen.key.value)->reveal(), seen.key_path);
    return std::holds_alternative<PrivateKey>(key) && std::get<PrivateKey>(key).description() == "RSA 2048";
}

/// What the judgement of a pair cannot know: how the pair came to be, and what is expected of its names.
void put_in_context(const Observations& seen, Findings& findings) {
    for (auto& finding : findings) {
        if (finding.id == "identity.cn-valid" && finding.severity == Severity::failed && is_manual(seen))
            finding = skipped(finding.id, "The common name was not judged",
                              "the device is provisioned by hand: its hub goes by the certificate, not by its name");
        if (finding.id == "identity.key-matches" && finding.severity == Severity::failed && was_made_by_keyd(seen))
            finding = failed(finding.id, "IoT Edge has replaced the device's private key by a new one",
                             finding.detail + "\n" + seen.key_path + " (" + seen.key_access +
                                 ") is as keyd makes keys: when the certificate cannot be read and registration_id is "
                                 "set, identityd has keyd delete the key and make another",
                             "Provision again with a copy of the device's key that was kept elsewhere; without one, "
                             "have a new certificate issued for a new key.");
    }
}

/// What the identity in use is held against, as far as the device itself says it.
IdentityExpectation expectation_of(const Observations& seen) {
    IdentityExpectation expectation;
    expectation.now = seen.now;
    expectation.reading = Reading::in_place;
    expectation.allow_after_2038 = true;  // it was accepted when it was placed
    // DPS has taken it as it is, so a leaf that stands alone was enough.
    if (is_registered(seen)) expectation.enrollment = Enrollment::individual;
    std::optional<std::string> registration_id;
    if (seen.manifest.value && seen.manifest.value->present) {
        try {
            const Manifest manifest = parse_manifest(seen.manifest.value->text, "/etc/eflow-agent");
            registration_id = manifest.registration_id;
            if (manifest.enrollment) expectation.enrollment = *manifest.enrollment;
        } catch (const Failure&) {
            // config.matches-manifest says so.
        }
    }
    if (const auto& provisioning = provisioning_in(seen); provisioning && provisioning->registration_id)
        registration_id = provisioning->registration_id;
    // The hub goes by the certificate (its thumbprint, or the CA that was registered), not by an enrollment's name.
    if (is_manual(seen)) {
        registration_id.reset();
        expectation.enrollment = Enrollment::individual;
    }
    if (registration_id)
        if (const auto parsed = RegistrationId::parse(*registration_id);
            const auto* valid = std::get_if<RegistrationId>(&parsed))
            expectation.registration_id = *valid;
    return expectation;
}

Findings judge_placed(const Observations& seen) {
    const IdentityExpectation expectation = expectation_of(seen);
    Findings findings;
    if (seen.key.value && *seen.key.value)
        findings = judge_identity(seen.certificate.value->text, seen.certificate_path, (*seen.key.value)->reveal(),
                                  seen.key_path, expectation)
                       .findings;
    else
        findings = judge_certificate(certificate_file_in(seen), seen.certificate_path, expectation,
                                     seen.key.value ? "there is no key file" : seen.key.why);
    put_in_context(seen, findings);
    if (!seen.key.value || *seen.key.value) return findings;
    for (auto& finding : findings)
        if (finding.id == "identity.key-readable")
            finding = failed(finding.id, "The private key that config.toml names does not exist", seen.key_path,
                             "Run eflow-agent provision again, with the key.");
    return findings;
}

// --- what config.toml names besides the identity ---

using JudgePair = Findings (*)(const UseLabel&, const FileBytes&, const std::optional<FileBytes>&, Instant, Reading);

struct UseRow {
    CredentialUse use;
    UseLabel label;
    JudgePair judge;
};

const std::vector<UseRow>& uses() {
    static const std::vector<UseRow> rows{
        {CredentialUse::edge_ca, {"identity.edge-ca", "Edge CA"}, judge_edge_ca_pair},
        {CredentialUse::est_identity, {"identity.est-client", "EST client's identity"}, judge_client_pair},
        {CredentialUse::est_bootstrap, {"identity.est-client", "EST bootstrap identity"}, judge_client_pair},
        {CredentialUse::local_ca, {"identity.local-ca", "local CA"}, judge_edge_ca_pair},
    };
    return rows;
}

/// Whether certd gets it by itself when it is not there: with the bootstrap identity (aziot-certd/src/est.rs).
bool may_be_absent(const Observations& seen, CredentialUse use) {
    return use == CredentialUse::est_identity &&
           std::any_of(seen.credentials.begin(), seen.credentials.end(),
                       [](const CredentialSeen& one) { return one.use == CredentialUse::est_bootstrap; });
}

bool has_est_identity(const Observations& seen) {
    return std::any_of(seen.credentials.begin(), seen.credentials.end(), [](const CredentialSeen& one) {
        return one.use == CredentialUse::est_identity && one.certificate.value && one.certificate.value->present;
    });
}

Findings judge_credential(const Observations& seen, const UseRow& row, const CredentialSeen& one) {
    const auto& [id, what] = row.label;
    if (!one.certificate.value)
        return {skipped(id, "The " + what + " was not judged", "[" + one.table + "]: " + one.certificate.why)};
    const bool no_key = one.key.value && !*one.key.value;
    if (!one.certificate.value->present || no_key) {
        const std::string& path = one.certificate.value->present ? one.key_path : one.certificate_path;
        if (may_be_absent(seen, row.use))
            return {ok(id, "The " + what + " is not there yet: certd gets it", path)};
        return {failed(id, "A file of the " + what + " does not exist", path + ", which [" + one.table + "] names",
                       "Put it there, or take its name out of config.toml; then: sudo iotedge config apply")};
    }
    std::optional<FileBytes> key;
    if (one.key.value) key = FileBytes{(*one.key.value)->reveal(), one.key_path};
    Findings findings =
        row.judge(row.label, {one.certificate.value->text, one.certificate_path}, key, seen.now, Reading::in_place);
    // It has served its purpose once there is an identity, and may end.
    if (row.use == CredentialUse::est_bootstrap && has_est_identity(seen))
        for (auto& finding : findings)
            if (finding.severity == Severity::failed) finding.severity = Severity::warning;
    return findings;
}

Finding judge_bundle_absent(const Observations& seen, const char* id) {
    return failed(id, "The trust bundle does not exist", seen.trust_bundle_path + ", which trust_bundle_cert names",
                  "Put it there, or take its name out of config.toml; then: sudo iotedge config apply");
}

Findings judge_trust_bundle(const Observations& seen) {
    constexpr auto id = "identity.trust-bundle";
    if (seen.trust_bundle_path.empty()) return {};
    if (!seen.trust_bundle.value)
        return {skipped(id, "The trust bundle was not judged", seen.trust_bundle.why)};
    if (!seen.trust_bundle.value->present) return {judge_bundle_absent(seen, id)};
    return judge_trust_bundle_file({id, "trust bundle"}, {seen.trust_bundle.value->text, seen.trust_bundle_path},
                                   seen.now, Reading::in_place);
}

Findings judge_own(const Observations& seen) {
    if (seen.certificate.value && seen.certificate.value->present) return judge_placed(seen);
    if (!seen.certificate_path.empty() && seen.certificate.value)
        return {failed("identity.cert-readable", "The certificate that config.toml names does not exist",
                       seen.certificate_path, "Run eflow-agent provision again, with the certificate.")};
    return {skipped("identity.cert-readable", "The certificate was not judged", seen.certificate.why)};
}

}  // namespace

Findings judge_identity_area(const Observations& seen) {
    Findings findings = judge_own(seen);
    for (const auto& row : uses())
        for (const auto& one : seen.credentials)
            if (one.use == row.use) append(findings, judge_credential(seen, row, one));
    append(findings, judge_trust_bundle(seen));
    return findings;
}

}  // namespace eflow
