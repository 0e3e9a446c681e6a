#pragma once

#include <vector>

#include "vm-agent/identity/path.hpp"

namespace eflow {

/// What a chain is built from and held against.
struct ChainQuestion {
    std::vector<Certificate> others;   ///< what stands in the file beside the leaf, in any order
    std::vector<Certificate> trusted;  ///< when not empty, the path must lead to one of these
    Purpose purpose = Purpose::tls_client;
    Instant now{};
};

/// The best path from a leaf upwards, and what else was given.
struct Chain {
    enum class Top {
        trusted,      ///< it ends in one of ChainQuestion::trusted
        self_signed,  ///< it ends in a certificate that signs itself, by its signature and not by its name alone
        open,         ///< the issuer of its last certificate is not there
    };
    std::vector<Certificate> path;          ///< leaf first; the last one may be from `trusted` and not from the file
    Top top = Top::open;
    bool ends_in_root = false;              ///< the last one signs itself and is not the leaf: its own signature proves nothing
    std::vector<ChainFault> faults;         ///< verify_path of this path, at `now`
    std::vector<Certificate> alternatives;  ///< of the file, on another path that verifies as well
    std::vector<Certificate> unneeded;      ///< of the file, on no path that verifies; duplicates are dropped, not listed

    /// The part of the path that was in the file, then the alternatives: what a device should send.
    std::vector<Certificate> to_send;
};

/// Searches the paths from `leaf` through the certificates of the file by name and signature, not by their order, and takes the
/// first that verifies with nothing against it, else the one with the least: faults, then dates, weak algorithms, an end after
/// 2037, then length. A certificate with the issuer's name but another key is on the path when there is no better, so that the
/// forged signature is named. The search is bounded: some hundred paths are tried. Pure.
[[nodiscard]] Chain build_chain(const Certificate& leaf, const ChainQuestion& question);

}  // namespace eflow
