#include "vm-agent/machine/observe.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "shared/failure.hpp"
#include "vm-agent/config/engine_address.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/material.hpp"
#include "vm-agent/machine/bus.hpp"
#include "vm-agent/machine/containers.hpp"
#include "vm-agent/machine/host.hpp"
#include "vm-agent/machine/journal.hpp"
#include "vm-agent/machine/settings.hpp"
#include "vm-agent/machine/places.hpp"
#include "vm-agent/machine/units.hpp"
#include "vm-agent/machine/users.hpp"
#include "vm-agent/placement/check.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_file = 1024 * 1024;
constexpr std::chrono::seconds docker_deadline{3};
constexpr std::size_t agent_lines = 500;
constexpr std::chrono::minutes recent{10};
constexpr auto daemon_json_path = "/etc/docker/daemon.json";

Sight<FileSeen> see_file(const Tree& tree, const std::string& path) {
    try {
        const auto bytes = tree.read(path, largest_file);
        return Sight<FileSeen>::of(bytes ? FileSeen{true, std::string(bytes->reveal())} : FileSeen{});
    } catch (const Failure& failure) {
        return Sight<FileSeen>::unseen(failure.what());
    }
}

Sight<std::optional<SecretBytes>> see_key(const Tree& tree, const std::string& path) {
    using Key = Sight<std::optional<SecretBytes>>;
    if (path.empty()) return Key::unseen("config.toml names no key file");
    try {
        return Key::of(tree.read(path, largest_file));
    } catch (const Failure& failure) {
        return Key::unseen(failure.what());
    }
}

CredentialSeen credential_at(const NamedCredential& named) {
    return {named.use, named.table, named.cert_path.value_or(""), named.pk_path.value_or(""), {}, {}};
}

/// What config.toml names: the device's identity, and every other pair and bundle. Where it may not be read, the
/// identity that was placed, when there is just one.
void find_material(const Tree& tree, const Material& material, Observations& seen) {
    if (seen.config.value) {
        bool identity = false;
        for (const auto& named : material.credentials) {
            const bool is_identity =
                named.use == CredentialUse::dps_identity || named.use == CredentialUse::manual_identity;
            if (!is_identity) {
                seen.credentials.push_back(credential_at(named));
            } else if (!identity) {
                seen.certificate_path = named.cert_path.value_or("");
                seen.key_path = named.pk_path.value_or("");
                identity = true;
            }
        }
        seen.trust_bundle_path = material.trust_bundle_cert_path.value_or("");
        return;
    }
    try {
        std::vector<std::string> placed;
        for (const auto& name : tree.names(places::certificates))
            if (name.starts_with("device-id-") && name.ends_with(".cert.pem")) placed.push_back(name);
        if (placed.size() == 1) seen.certificate_path = std::string(places::certificates) + "/" + placed.front();
    } catch (const Failure&) {
        // Not even that may be seen; the reason for config.toml says enough.
    }
}

/// Owners, modes and readers of what was found, and whether IoT Edge's users are there at all.
void observe_access(const Tree& tree, Observations& seen) {
    try {
        const UserTable users = read_users(tree);
        seen.missing_users = Sight<std::vector<std::string>>::of(missing_users(users));
        if (!seen.config.value) {
            seen.files.push_back(
                skipped("files.owner-and-mode", "Owners, modes and readers were not judged", seen.config.why));
            return;
        }
        if (const auto status = seen.key_path.empty() ? std::nullopt : tree.status(seen.key_path))
            seen.key_access = access_text(users, *status);
        seen.files = judge_files(tree, users,
                                 seen.config.value->present ? std::optional(seen.config.value->text) : std::nullopt);
    } catch (const Failure& failure) {
        seen.files.push_back(skipped("files.owner-and-mode", "The files could not be judged", failure.what()));
    }
}

/// The containers, and what edgeAgent said last of its deployment.
void observe_engine(Observations& seen, const std::string& socket) {
    if (const auto why = why_engine_rests(seen)) {
        seen.containers = Sight<std::vector<ContainerSeen>>::unseen(*why);
        return;
    }
    Engine engine(socket, docker_deadline);
    seen.containers = observe_containers(engine);
    if (!seen.containers.value) return;
    const auto runs = [](const ContainerSeen& one) { return one.name == "edgeAgent" && one.state == "running"; };
    const bool agent_runs = std::any_of(seen.containers.value->begin(), seen.containers.value->end(), runs);
    const auto lines = engine.logs("edgeAgent", agent_lines);
    if (!lines.value) {
        if (agent_runs) seen.agent_log_why = lines.why;
        return;
    }
    // Its log is newer than what is remembered, as long as it says anything at all.
    AgentSaid said;
    for (const auto& line : *lines.value) {
        const LoggedLine logged = read_logged_line(line);
        said.hear(logged.text, logged.at);
    }
    const AgentSaid known = std::exchange(seen.memory.agent, std::move(said));
    AgentSaid& agent = seen.memory.agent;
    if (agent.link.state == HubLink::State::silent) agent.link = known.link;
    if (!agent.deployment) agent.deployment = known.deployment;
    if (agent.ending.empty() && !agent_runs) agent.ending = known.ending;
}

/// The device has its identity, no service is failing, and edgeAgent runs as far as that can be seen: nothing asks for a
/// reason.
bool has_come_up(const Observations& seen) {
    if (!seen.device_info.value || !seen.device_info.value->has_value()) return false;
    for (const auto& unit : *seen.units.value)
        if (unit.active == "failed" || unit.sub == "auto-restart") return false;
    if (!seen.containers.value) return true;
    return std::any_of(seen.containers.value->begin(), seen.containers.value->end(), [](const ContainerSeen& one) {
        return one.name == "edgeAgent" && one.state == "running";
    });
}

}  // namespace

std::string engine_socket(const Observations& seen, const ObservationPoints& points) {
    return points.docker_socket.empty() ? seen.engine.socket : points.docker_socket;
}

std::optional<std::string> why_engine_rests(const Observations& seen) {
    if (!seen.engine.why.empty()) return seen.engine.why;
    // Another engine is no unit that is known here.
    if (!seen.engine.is_default || !seen.units.value) return std::nullopt;
    for (const auto& unit : *seen.units.value)
        if (unit.name == docker_service && unit.load == "loaded" && unit.active != "active" && unit.active != "reloading")
            return "docker.service is " + unit.active;
    return std::nullopt;
}

std::vector<std::string> disks_watched() {
    return {"/var", "/var/lib/docker", "/var/log", "/run"};
}

std::optional<Memory> observe_memory(const Tree& tree, const std::string& path) {
    const auto file = see_file(tree, path);
    if (!file.value || !file.value->present) return std::nullopt;
    return Memory::from_json(file.value->text);
}

std::vector<std::string> watched_units() {
    std::vector<std::string> units(aziot_services.begin(), aziot_services.end());
    units.insert(units.end(), aziot_sockets.begin(), aziot_sockets.end());
    units.emplace_back(docker_service);
    return units;
}

namespace {

Stamp written_at(const struct stat& status) {
    return Stamp(std::chrono::seconds(status.st_mtim.tv_sec)) +
           std::chrono::duration_cast<Stamp::duration>(std::chrono::nanoseconds(status.st_mtim.tv_nsec));
}

/// What the agent's own state says of its changes; what this caller may not read is as if it were not there.
void observe_changes(const Tree& tree, Observations& seen) {
    seen.unfinished.reset();
    seen.registered_by.reset();
    seen.settled = {};
    try {
        seen.unfinished = unfinished_change(tree);
    } catch (const Failure&) {
        // The next change says what is the matter with it.
    }
    try {
        if (const auto status = tree.status(names::record))
            seen.settled = written_at(*status);
        seen.registered_by = read_record(tree).registered;
    } catch (const Failure&) {
        return;
    }
}

}  // namespace

void observe_files(const Tree& tree, Observations& seen) {
    seen.config = see_file(tree, places::config);
    seen.manifest = see_file(tree, places::manifest);
    seen.daemon_json = see_file(tree, daemon_json_path);
    const Material named = read_material(seen.config.value ? std::string_view(seen.config.value->text) : std::string_view());
    seen.engine = engine_address(named.moby_uri);
    seen.hostnames = see_hostnames(tree, named);
    seen.dropped_lines = see_dropped_lines(tree);
    seen.is_eflow_vm = is_eflow_vm(tree, seen.hostnames.machine);
    seen.certificate_path.clear();
    seen.key_path.clear();
    seen.key_access.clear();
    seen.credentials.clear();
    seen.trust_bundle_path.clear();
    seen.files.clear();
    seen.missing_users = {};
    find_material(tree, named, seen);
    for (auto& one : seen.credentials) {
        one.certificate = one.certificate_path.empty() ? Sight<FileSeen>::unseen("config.toml names no file")
                                                       : see_file(tree, one.certificate_path);
        one.key = Sight<std::optional<SecretBytes>>::unseen("not looked at");
    }
    seen.trust_bundle = seen.trust_bundle_path.empty() ? Sight<FileSeen>::unseen("config.toml names no file")
                                                       : see_file(tree, seen.trust_bundle_path);
    if (seen.certificate_path.empty())
        seen.certificate = Sight<FileSeen>::unseen("no certificate file is known");
    else
        seen.certificate = see_file(tree, seen.certificate_path);
    try {
        seen.applied = applied_state(tree);
    } catch (const Failure& failure) {
        seen.applied = {false, failure.what(), {}};
    }
    observe_changes(tree, seen);
    observe_access(tree, seen);
    if (tree.live()) seen.disks = observe_disks(disks_watched());
}

void observe_logs(Observations& seen, UnitJournals& journals) {
    seen.journals.clear();
    // What was said of a configuration that was taken back, or taken off, is not about this one.
    const auto settled = std::chrono::time_point_cast<std::chrono::system_clock::duration>(seen.settled);
    const auto since_applied = std::max(seen.applied.since, settled);
    const auto provisioning = read_provisioning(seen.config.value ? seen.config.value->text : std::string());
    const bool is_provisioned = !seen.config.value || (provisioning && provisioning->source != "none");
    const bool is_up = seen.units.value && has_come_up(seen);
    // A service that has been well for long has much to say, and nothing of this.
    std::chrono::system_clock::time_point begin = since_applied;
    if (is_up) begin = std::max(begin, std::chrono::system_clock::now() - recent);
    const auto read = [&](const std::string& unit, std::chrono::system_clock::time_point since) {
        const auto& lines = journals.read(unit, since);
        if (!lines.empty()) seen.journals[unit] = lines;
    };
    if (is_provisioned) read(aziot_services[1], begin);
    if (!seen.units.value) return;
    for (const auto& unit : *seen.units.value) {
        if (unit.name == docker_service || unit.name == aziot_services[1]) continue;
        const bool is_socket = unit.name.ends_with(".socket");
        if (unit.active == "failed" || unit.sub == "auto-restart")
            read(unit.name, {});
        else if (!is_up && !is_socket && unit.active != "inactive")
            read(unit.name, since_applied);
        else if (!is_up && is_socket && unit.active == "inactive")
            read(unit.name, {});
    }
}

Sight<std::optional<DeviceInfo>> observe_device_info(const Tree& tree) {
    const Sight<FileSeen> file = see_file(tree, device_info_path);
    if (!file.value) return Sight<std::optional<DeviceInfo>>::unseen(file.why);
    auto info = file.value->present ? parse_device_info(file.value->text) : std::nullopt;
    try {
        if (const auto status = info ? tree.status(device_info_path) : std::nullopt) info->written = written_at(*status);
    } catch (const Failure&) {
        // It has just gone; the next look shows that.
    }
    return Sight<std::optional<DeviceInfo>>::of(std::move(info));
}

Observations observe(const Tree& tree, Instant now, const ObservationPoints& points) {
    Observations seen;
    seen.now = now;
    seen.live = tree.live();
    observe_files(tree, seen);
    seen.key = see_key(tree, seen.key_path);
    for (auto& one : seen.credentials) one.key = see_key(tree, one.key_path);
    if (!seen.live) {
        const std::string why = "below --root no service is looked at";
        seen.units = Sight<std::vector<UnitSeen>>::unseen(why);
        seen.containers = Sight<std::vector<ContainerSeen>>::unseen(why);
        seen.device_info = Sight<std::optional<DeviceInfo>>::unseen(why);
        seen.clock = Sight<ClockSeen>::unseen(why);
        return seen;
    }
    if (auto memory = observe_memory(tree, places::memory_file)) seen.memory = std::move(*memory);
    try {
        const OwnedBus bus = open_bus(points.bus_address);
        UnitsRead read = observe_units(bus.get(), watched_units());
        seen.units = Sight<std::vector<UnitSeen>>::of(std::move(read.units));
        seen.unit_proxies = std::move(read.proxies);
    } catch (const Failure& failure) {
        seen.units = Sight<std::vector<UnitSeen>>::unseen(failure.what());
    }
    observe_engine(seen, engine_socket(seen, points));
    seen.device_info = observe_device_info(tree);
    seen.clock = observe_clock();
    UnitJournals journals;
    observe_logs(seen, journals);
    return seen;
}

}  // namespace eflow
