#pragma once

#include <string>
#include <vector>

#include "vm-agent/identity/certificate.hpp"

namespace eflow {

/// What a path of certificates is to be good for: signing in as a TLS client, or nothing in particular (a CA's own path).
enum class Purpose { tls_client, any };

/// What is wrong with one certificate of a path; `depth` 0 is the leaf.
struct ChainFault {
    int depth = 0;
    std::string subject;
    std::string why;
};

/// Verifies this very path, leaf first, with its last certificate trusted: X509_verify_cert's signatures, CA flags, path
/// lengths, name constraints, critical extensions and `purpose`, at `now`. Besides, every issuer must be a CA by
/// X509_check_ca() == 1, the last one too unless it signs itself, since OpenSSL asks less of the last. A date that is out is no
/// fault here: the check `current` says so.
[[nodiscard]] std::vector<ChainFault> verify_path(const std::vector<Certificate>& path, Purpose purpose, Instant now);

}  // namespace eflow
