#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vm-agent/config/material.hpp"
#include "vm-agent/health/seen.hpp"
#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// The machine's name (of a live one), the one that `config` gives IoT Edge, and the one that identityd runs with.
HostnamesSeen see_hostnames(const Tree& tree, const Material& config);

/// The lines Environment= with an open quote in the drop-ins of docker, aziot-identityd and aziot-edged.
std::vector<DroppedLine> see_dropped_lines(const Tree& tree);

/// The lines of one unit file that systemd drops: words are quoted as in a shell, and a quote that is never closed makes
/// it leave out the whole assignment (systemd.syntax(7), "Quoting"; config_parse_environ: "Invalid syntax, ignoring").
std::vector<std::size_t> lines_with_open_quote(std::string_view unit_file);

/// Whether this is EFLOW's VM and not another Linux with IoT Edge: its overlays and its pristine configuration lie in
/// /var/.eflow, its system is CBL-Mariner or Azure Linux, and its name ends in -EFLOW (Get-EflowVmName).
bool is_eflow_vm(const Tree& tree, std::string_view machine);

}  // namespace eflow
