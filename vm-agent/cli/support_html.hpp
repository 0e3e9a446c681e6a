#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/report.hpp"
#include "vm-agent/health/observations.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/watch/history.hpp"

namespace eflow {

/// What the page of a support bundle shows, as plain data without a secret in it.
struct SupportPage {
    std::string host;
    std::string version;
    Instant now{};
    Report report;                        ///< what summarize() gives: phase, findings, data
    std::vector<CertificateFacts> chain;  ///< leaf first
    std::string certificate_path;
    std::string no_chain;               ///< why there is none
    std::vector<HistoryEntry> history;  ///< oldest first
    Sight<std::vector<UnitSeen>> units;
    Sight<std::vector<ContainerSeen>> containers;
    std::vector<DiskSeen> disks;
    std::vector<std::pair<std::string, std::string>> facts;    ///< of the host
    std::vector<std::pair<std::string, std::size_t>> entries;  ///< of the archive: name, bytes
    std::vector<std::pair<std::string, std::string>> missing;  ///< what, why
};

/// One page that needs nothing else: style and drawings are in it, no script, nothing is loaded; light or dark as the
/// reader has it. Pure.
std::string support_page(const SupportPage& page);

/// The certificates as a drawing, leaf at the top, each with how much of its life is over.
std::string draw_chain(const std::vector<CertificateFacts>& chain, Instant now);
/// The phases as a band over time, and below it when which check was not well. Empty for an empty history.
std::string draw_timeline(const std::vector<HistoryEntry>& history, Phase phase, Instant now);

/// `text` for HTML, within quotation marks too; control characters become spaces, and what is no UTF-8 becomes U+FFFD.
std::string escaped(std::string_view text);

}  // namespace eflow
