#include "vm-agent/health/hostname.hpp"

#include <algorithm>

#include "shared/finding.hpp"

namespace eflow {

namespace {

constexpr auto owner_label = "net.azure-devices.edge.owner";
constexpr auto owner = "Microsoft.Azure.Devices.Edge.Agent";

std::string lowered(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

bool is_address(const std::string& name) {
    return name.find(':') != std::string::npos ||
           (name.find_first_not_of("0123456789.") == std::string::npos && std::count(name.begin(), name.end(), '.') == 3);
}

}  // namespace

std::string RefusedHostname::summary() const {
    return "iotedge config apply refuses a new hostname while modules exist: it would change from '" + from + "' to '" + to +
           "'";
}

std::string RefusedHostname::remedy(const EngineAddress& engine, const std::string& again) const {
    return "Keep hostname = \"" + from + "\" in config.toml. To change it, the containers of all modules have to be removed first, "
           "and what they keep inside is lost; edgeAgent makes them again. Stop IoT Edge: sudo iotedge system stop\n"
           "This lists them: sudo " + engine.command() + " ps -a -f label=" + owner_label + "=" + owner +
           "\nOnce they are removed: " + again;
}

std::optional<RefusedHostname> refused_hostname(const HostnamesSeen& names, const std::vector<ContainerSeen>& containers) {
    const std::string to = names.configured.value_or(names.machine);
    if (!names.rendered || to.empty() || *names.rendered == to) return std::nullopt;
    const auto modules = std::count_if(containers.begin(), containers.end(), [](const ContainerSeen& one) {
        const auto label = one.labels.find(owner_label);
        return label != one.labels.end() && label->second == owner;
    });
    if (modules == 0) return std::nullopt;
    return RefusedHostname{*names.rendered, to, static_cast<std::size_t>(modules)};
}

std::optional<Finding> judge_machine_name(const HostnamesSeen& names) {
    if (!names.configured || names.machine.empty() || is_address(*names.configured)) return std::nullopt;
    const std::string configured = lowered(*names.configured);
    const std::string machine = lowered(names.machine);
    if (configured == machine || configured.starts_with(machine + ".")) return std::nullopt;
    return warning("config.hostname", "The hostname in config.toml is not this machine's",
                   "config.toml has '" + *names.configured + "', the machine is called '" + names.machine +
                       "': iotedge check fails over it, and what connects to edgeHub must find this machine by the former",
                   "Let the name in config.toml be the machine's, alone or with its domain; while modules exist, iotedge config "
                   "apply refuses a new one. Nothing has to be done where DNS leads that name here.");
}

}  // namespace eflow
