#include "vm-agent/cli/certificate_json.hpp"

#include "vm-agent/health/summary.hpp"

namespace eflow {

nlohmann::json to_json(const CertificateFacts& facts) {
    return {{"subject", facts.subject},
            {"issuer", facts.issuer},
            {"common_name", facts.common_name ? nlohmann::json(*facts.common_name) : nlohmann::json()},
            {"serial", facts.serial},
            {"not_before", to_text(facts.not_before)},
            {"not_after", to_text(facts.not_after)},
            {"days_left", facts.days_left},
            {"key", facts.key},
            {"signature", facts.signature},
            {"sha256", facts.sha256},
            {"ca", facts.ca},
            {"key_usage", facts.key_usage},
            {"extended_key_usage", facts.extended_key_usage},
            {"subject_alternative_names", facts.subject_alternative_names}};
}

}  // namespace eflow
