#pragma once

#include <string>
#include <vector>

#include "vm-agent/identity/certificate.hpp"

namespace eflow {

/// The path from a leaf through its issuers as far as the given certificates reach, and what was left over.
struct ChainOrder {
    std::vector<Certificate> path;       ///< leaf first
    std::vector<Certificate> unrelated;  ///< on no path from the leaf; duplicates are dropped, not listed
};

/// Orders by issuer name, and by signature where several have the name. Pure.
ChainOrder order_chain(const Certificate& leaf, const std::vector<Certificate>& others);

/// What X509_verify_cert found wrong; `depth` 0 is the leaf.
struct ChainFault {
    int depth = 0;
    std::string subject;
    std::string why;
};

/// Verifies path[0] up to the topmost certificate of the path (or to one of `trusted`, when given) with the client
/// purpose set: signatures, CA flags, path lengths, name constraints, purposes, at the time `now`. A date that is out
/// is no fault here: the check `current` tells of it.
std::vector<ChainFault> verify_chain(const std::vector<Certificate>& path, const std::vector<Certificate>& trusted,
                                     Instant now);

}  // namespace eflow
