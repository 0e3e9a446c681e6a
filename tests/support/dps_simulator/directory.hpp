#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vm-agent/identity/certificate.hpp"

namespace eflow::dps {

/// How an enrollment knows its devices: leaf certificates (individual), CA certificates (group), or the name of a CA
/// that was uploaded and verified. Primary first, secondary second; either may be absent.
struct Attestation {
    std::vector<Certificate> certificates;
    std::vector<std::string> authorities;
};

struct IndividualEnrollment {
    std::string registration_id;
    std::string device_id;  ///< empty: the registration ID
    Attestation attestation;
    bool enabled = true;
};

struct EnrollmentGroup {
    std::string id;
    Attestation attestation;
    bool enabled = true;
};

/// A misbehaviour for the next `times` requests to one endpoint.
struct Fault {
    /// raw: `status`, `content_type` and `message` as they are, e.g. what a portal or a gateway answers.
    enum class Kind { throttle, error, slow, cut, raw };
    std::string on;  ///< "register", "operations", "hub", "registry"
    Kind kind = Kind::error;
    int times = 1;
    int status = 500;
    int error_code = 500000;
    std::string message = "Internal server error";
    std::string content_type;
    std::optional<int> retry_after;  ///< seconds
    std::chrono::milliseconds delay{1000};
};

/// What an operator has set up: DPS instance, enrollments, uploaded CAs, the linked hub. Plain data, read from JSON.
struct Directory {
    std::vector<std::string> scopes;
    std::optional<std::string> hub;  ///< none: no hub is linked
    std::vector<IndividualEnrollment> enrollments;
    std::vector<EnrollmentGroup> groups;
    std::map<std::string, Certificate> authorities;
    std::map<std::string, std::string> images;  ///< what the registry has: a tar by repository name
    std::vector<Fault> faults;
    std::string faults_text;  ///< the faults as written: a change of it starts their counting again
    int polls_assigning = 1;  ///< how many polls are answered "assigning" before "assigned"
    int retry_after = 1;      ///< seconds, in every "assigning" answer

    /// Throws std::runtime_error naming what is wrong with the text.
    static Directory parse(std::string_view json);
};

/// What DPS decided about one attempt to register.
struct Decision {
    enum class Kind { admitted, disabled, refused };
    Kind kind = Kind::refused;
    std::string device_id;  ///< when admitted
    bool by_group = false;  ///< the hub then trusts every leaf below the group's CA
    std::string why;        ///< when refused: the message that DPS gives with 401002
};

/// Matches a client certificate (leaf first, as sent) as DPS documents it: the individual enrollment first, then group
/// by group up the chain; the first found decides, and a disabled one is not passed over (azure-docs
/// concepts-x509-attestation.md, how-to-revoke-device-access-portal.md).
Decision match(const Directory& directory, std::string_view registration_id, const std::vector<Certificate>& chain,
               Instant now);

}  // namespace eflow::dps
