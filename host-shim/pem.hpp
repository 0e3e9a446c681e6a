#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// One block of a PEM text: its label and the whole block, from BEGIN to END.
struct PemBlock {
    std::string_view label;
    std::string_view text;
};

/// The blocks of `text` in order, or nothing when a BEGIN has no END of its own. What stands between them is skipped.
std::optional<std::vector<PemBlock>> pem_blocks(std::string_view text);

/// Why `text` is not a PEM file with certificates alone; nothing when it is. The agent judges what is in them.
std::optional<std::string> certificate_fault(std::string_view text);

/// Why `text` is not a PEM file with exactly one unencrypted private key; nothing when it is.
std::optional<std::string> key_fault(std::string_view text);

}  // namespace eflow
