#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "host-shim/host.hpp"
#include "host-shim/request.hpp"

namespace eflow {

/// What versions of the EFLOW module differ in. Names are asked of the installed module, troubles are recognised by the
/// words that the module is known to use (troubleshoot-iot-edge-for-linux-on-windows-common-errors, and transcripts in
/// the issues of Azure/iotedge-eflow).

enum class Trouble {
    none,
    registration_id_refused,  ///< this version takes none with DpsX509
    already_provisioned,      ///< "previously provisioned (headless mode)"
    leftover_files,           ///< an earlier copy belongs to another user
    vm_off,
    vm_missing,
    access_denied,        ///< the VM knows another Windows account
    unreachable,          ///< no SSH: banned, busy, or another account
    certificate_expired,  ///< WSSDAgent's own, a year after installation
    policy,               ///< the execution policy or its trust keeps the module out
    not_provisioned,      ///< configured, but the device did not come up
    other,
};

/// The trouble that a failed call, or a call that did not say OK, is in.
Trouble trouble_of(const Called& called);

/// A finding for it: what it is in plain words, PowerShell's own error id and message, and what to do.
Finding explain(const std::string& id, const std::string& what, const Called& called);

/// The parameters of `cmdlet` as the module names them: the first of `names` that it has, or nothing.
std::optional<std::string> parameter_name(const HostFacts& facts, const std::string& cmdlet,
                                          std::initializer_list<const char*> names);

/// Whether this module's SSH bans a host that opens more than three connections a minute: those before 1.4, and those
/// whose version is not understood.
bool bans_busy_hosts(const std::string& version);

/// A version of the 1.1 train: another VM, another runtime, out of support since 2022.
bool is_1_1(const std::string& version);

/// What Provision-EflowVm is given. Throws Failure(machine_lacks) when the module has no parameter for something
/// needed.
nlohmann::json provision_parameters(const HostFacts& facts, const Request& request, const std::string& certificate_path,
                                    const std::string& key_path, bool with_registration_id);

/// What Deploy-Eflow is given.
nlohmann::json deploy_parameters(const HostFacts& facts, const Deployment& deployment);

}  // namespace eflow
