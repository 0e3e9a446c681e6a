#pragma once

#include <string_view>
#include <vector>

#include "host-shim/host.hpp"

namespace eflow {

/// What a cmdlet of the EFLOW module that failed is in: the kinds that the workflow answers differently.
enum class Trouble {
    none,
    registration_id_refused,  ///< this version takes none with DpsX509
    already_provisioned,      ///< "previously provisioned (headless mode)"
    leftover_files,           ///< an earlier copy belongs to another user
    not_provisioned,          ///< configured, but the device did not come up
    vm_off,
    vm_missing,
    access_denied,        ///< the VM knows another Windows account
    unreachable,          ///< no SSH: banned, busy, another account, or no route
    certificate_expired,  ///< WSSDAgent's own, a year after installation
    policy,               ///< the execution policy or its trust keeps the module out
    signature,            ///< of what Microsoft signed: its issuers are not known here
    windows,              ///< this Windows lacks what EFLOW needs: version, feature, hypervisor, privilege
    resources,            ///< memory, processors or disk
    network,              ///< switch, address, DHCP
    wssdagent,            ///< the service that keeps the VM, or what it remembers
    earlier_deployment,   ///< another VM or another installation stands in the way
    parameters,           ///< the module takes them otherwise
    other,
};

/// One failure that people meet: how it is recognised, what it means, and what to do in Windows.
struct CmdletFailure {
    Trouble trouble;
    /// Said of many causes: it counts only where nothing more precise was said.
    bool general;
    /// Lower case. Alternatives stand between '|'; the pieces between '*' follow each other in one line; '^' and '$' are
    /// that line's ends.
    std::string_view words;
    const char* cause;
    const char* remedy;
};

/// All of them, the more precise first. Sources: Microsoft's page of common errors
/// (articles/iot-edge/troubleshoot-iot-edge-for-linux-on-windows-common-errors.md of MicrosoftDocs/azure-docs, 2025-06-03)
/// and the transcripts in the issues of Azure/iotedge-eflow, which a row names.
const std::vector<CmdletFailure>& cmdlet_failures();

/// The row for what a call said; nothing when none fits. PowerShell's own error goes before what the cmdlet told on its
/// way, where steps that went well are named too.
const CmdletFailure* recognise(const Called& called);

/// The agent in the VM completes what this trouble of Provision-EflowVm left undone; every other lies outside of the VM.
bool agent_completes(Trouble trouble);

}  // namespace eflow
