#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/finding.hpp"
#include "vm-agent/config/engine_address.hpp"
#include "vm-agent/health/seen.hpp"

namespace eflow {

/// A change of the hostname that `iotedge config apply` would refuse: it compares the new one with that of identityd's
/// rendered configuration, and refuses while the engine has any container that edgeAgent owns, running or not
/// (edgelet/iotedge/src/config/apply.rs:241-287; its message has the two names the wrong way round).
struct RefusedHostname {
    std::string from;
    std::string to;
    std::size_t modules = 0;

    [[nodiscard]] std::string summary() const;
    /// The two ways out; `again` is what to do after the second.
    [[nodiscard]] std::string remedy(const EngineAddress& engine, const std::string& again) const;
};

/// Nothing where apply would not refuse, or too little was seen to say so.
[[nodiscard]] std::optional<RefusedHostname> refused_hostname(const HostnamesSeen& names,
                                                              const std::vector<ContainerSeen>& containers);

/// config.hostname, once the name's form is a right one: whether it is this machine's, by upstream's own rule (an IP
/// address, the machine's name, or a name below it; aziotctl internal/check/checks/hostname.rs:47-80).
[[nodiscard]] std::optional<Finding> judge_machine_name(const HostnamesSeen& names);

}  // namespace eflow
