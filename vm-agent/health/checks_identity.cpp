#include "vm-agent/config/judge.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/identity/judge.hpp"

namespace eflow {

Findings judge_identity_area(const Observations& seen) {
    if (seen.certificate.value && seen.certificate.value->present) {
        IdentityExpectation expectation;
        expectation.now = seen.now;
        expectation.allow_after_2038 = true;  // it was accepted when it was placed
        return judge_certificate(seen.certificate.value->text, seen.certificate_path, expectation);
    }
    if (!seen.certificate_path.empty() && seen.certificate.value)
        return {failed("identity.cert-readable", "The certificate that config.toml names does not exist",
                       seen.certificate_path, "Run eflow-agent provision again, with the certificate.")};
    return {skipped("identity.cert-readable", "The certificate was not judged", seen.certificate.why)};
}

}  // namespace eflow
