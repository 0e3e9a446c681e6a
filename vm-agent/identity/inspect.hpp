#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vm-agent/identity/certificate.hpp"

namespace eflow {

/// What one certificate says, as plain data for rendering; every text is printable.
struct CertificateFacts {
    std::string subject;
    std::string issuer;
    std::optional<std::string> common_name;
    std::string serial;
    Instant not_before{};
    Instant not_after{};
    long days_left = 0;  ///< whole days from now to not_after; negative when expired
    std::string key;
    std::string signature;
    std::string sha256;
    bool ca = false;
    bool has_key_usage = false;
    bool has_extended_key_usage = false;
    std::vector<std::string> key_usage;
    std::vector<std::string> extended_key_usage;
    std::vector<std::string> subject_alternative_names;
};

CertificateFacts facts(const Certificate& certificate, Instant now);

}  // namespace eflow
