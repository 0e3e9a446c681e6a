#include "shared/failure.hpp"
#include "shared/manifest.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/identity/judge.hpp"

namespace eflow {

namespace {

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
    if (registration_id)
        if (const auto parsed = RegistrationId::parse(*registration_id);
            const auto* valid = std::get_if<RegistrationId>(&parsed))
            expectation.registration_id = *valid;
    return expectation;
}

Findings judge_placed(const Observations& seen) {
    const IdentityExpectation expectation = expectation_of(seen);
    if (!seen.key.value) return judge_certificate(certificate_file_in(seen), seen.certificate_path, expectation, seen.key.why);
    if (*seen.key.value)
        return judge_identity(seen.certificate.value->text, seen.certificate_path, (*seen.key.value)->reveal(), seen.key_path,
                              expectation)
            .findings;
    Findings findings = judge_certificate(certificate_file_in(seen), seen.certificate_path, expectation, "there is no key file");
    for (auto& finding : findings)
        if (finding.id == "identity.key-readable")
            finding = failed(finding.id, "The private key that config.toml names does not exist", seen.key_path,
                             "Run eflow-agent provision again, with the key.");
    return findings;
}

}  // namespace

Findings judge_identity_area(const Observations& seen) {
    if (seen.certificate.value && seen.certificate.value->present) return judge_placed(seen);
    if (!seen.certificate_path.empty() && seen.certificate.value)
        return {failed("identity.cert-readable", "The certificate that config.toml names does not exist",
                       seen.certificate_path, "Run eflow-agent provision again, with the certificate.")};
    return {skipped("identity.cert-readable", "The certificate was not judged", seen.certificate.why)};
}

}  // namespace eflow
