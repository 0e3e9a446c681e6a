#pragma once

#include <chrono>

#include "shared/finding.hpp"

namespace eflow {

/// EFLOW's last release train, 1.5 LTS, ends with IoT Edge 1.5, and no EFLOW 1.6 was promised
/// (articles/iot-edge/version-history.md of MicrosoftDocs/azure-docs, 2026-03-02; Azure/iotedge-eflow issue 319).
inline constexpr std::chrono::sys_days eflow_support_ends =
    std::chrono::year(2026) / std::chrono::November / std::chrono::day(10);

/// host.support-ended, for a device that is an EFLOW VM, or a host that has one: a note and never a failure.
[[nodiscard]] Finding judge_eflow_support(std::chrono::sys_seconds now);

/// The host and the VM both know: said once is enough.
void keep_one_support_note(Findings& findings);

}  // namespace eflow
