#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "host-shim/cmdlet_failures.hpp"
#include "host-shim/host.hpp"
#include "host-shim/request.hpp"

namespace eflow {

/// What versions of the EFLOW module differ in. Names are asked of the installed module; what its failures mean stands in
/// cmdlet_failures.hpp.

/// The trouble that a failed call, or a call that did not say OK, is in.
[[nodiscard]] Trouble trouble_of(const Called& called);

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
