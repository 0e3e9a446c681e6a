#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/finding.hpp"
#include "vm-agent/identity/chain.hpp"
#include "vm-agent/identity/judge.hpp"

namespace eflow {

/// What the rows of the table of identity checks look at.
struct Subject {
    std::vector<Certificate> file;  ///< as they stand in the file
    std::string file_name;
    std::string key_name;
    std::optional<PrivateKey> key;
    std::string no_key;              ///< why there is no key to judge
    std::optional<std::size_t> own;  ///< index of the certificate that belongs to the key
    bool own_proven = false;         ///< and verifies what the key signs
    std::optional<std::size_t> key_of_ca;  ///< instead: the certificate of a CA, not the first, to which the key belongs
    Chain chain;                           ///< from the own certificate, or from the first
    const IdentityExpectation* expected = nullptr;

    [[nodiscard]] const Certificate& leaf() const { return chain.path.front(); }
    /// A root above the leaf: its signature and its end matter less than the others'.
    [[nodiscard]] bool is_root(std::size_t depth) const { return chain.ends_in_root && depth + 1 == chain.path.size(); }
};

/// The key and its certificate (rows_key.cpp).
Finding key_usable(const Subject& subject);
Finding key_matches(const Subject& subject);
Finding leaf_first(const Subject& subject);

/// What the leaf says of itself (rows_leaf.cpp).
Finding cn_matches(const Subject& subject);
Finding cn_valid(const Subject& subject);
Finding not_a_ca(const Subject& subject);
Finding client_auth(const Subject& subject);

/// The path above it (rows_chain.cpp).
Finding chain_complete(const Subject& subject);
Finding chain_verifies(const Subject& subject);
Finding key_strength(const Subject& subject);
Finding signature_strength(const Subject& subject);

/// Dates (rows_time.cpp).
Finding current(const Subject& subject);
Finding expires_soon(const Subject& subject);
Finding before_2038(const Subject& subject);

/// "the leaf CN=x" or "issuer 1, CN=y": a certificate by its place on the path.
[[nodiscard]] std::string at(std::size_t depth, const Certificate& certificate);

/// The lines as one text.
[[nodiscard]] std::string joined(const std::vector<std::string>& lines);

}  // namespace eflow
