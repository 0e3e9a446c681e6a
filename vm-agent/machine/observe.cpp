#include "vm-agent/machine/observe.hpp"

#include <chrono>

#include "shared/failure.hpp"
#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/machine/containers.hpp"
#include "vm-agent/machine/journal.hpp"
#include "vm-agent/machine/systemd_services.hpp"
#include "vm-agent/machine/users.hpp"
#include "vm-agent/placement/check.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_file = 1024 * 1024;
constexpr std::chrono::seconds docker_deadline{3};
constexpr std::size_t lines_read = 30;
constexpr auto device_info_path = "/var/lib/aziot/identityd/device_info";

Sight<FileSeen> see_file(const Tree& tree, const std::string& path) {
    try {
        const auto bytes = tree.read(path, largest_file);
        return Sight<FileSeen>::of(bytes ? FileSeen{true, std::string(bytes->reveal())} : FileSeen{});
    } catch (const Failure& failure) {
        return Sight<FileSeen>::unseen(failure.what());
    }
}

/// The identity that config.toml names; where that may not be read, the one that was placed, when there is just one.
void find_identity(const Tree& tree, Observations& seen) {
    if (seen.config.value) {
        const auto provisioning = read_provisioning(seen.config.value->text);
        if (!provisioning) return;
        seen.certificate_path = path_of_file_uri(provisioning->identity_cert.value_or("")).value_or("");
        seen.key_path = path_of_file_uri(provisioning->identity_pk.value_or("")).value_or("");
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

void see_services(const Tree& tree, const ObservationPoints& points, Observations& seen) {
    try {
        std::vector<std::string> units(aziot_services.begin(), aziot_services.end());
        units.emplace_back("docker.service");
        seen.units = Sight<std::vector<UnitSeen>>::of(observe_units(units, points.bus_address));
    } catch (const Failure& failure) {
        seen.units = Sight<std::vector<UnitSeen>>::unseen(failure.what());
    }
    seen.identityd_log = last_lines("aziot-identityd.service", lines_read, seen.applied.since);
    seen.containers = list_containers(points.docker_socket, docker_deadline);
    const Sight<FileSeen> device_info = see_file(tree, device_info_path);
    if (!device_info.value)
        seen.device_info = Sight<std::optional<DeviceInfo>>::unseen(device_info.why);
    else
        seen.device_info = Sight<std::optional<DeviceInfo>>::of(
            device_info.value->present ? parse_device_info(device_info.value->text) : std::nullopt);
}

}  // namespace

Observations observe(const Tree& tree, Instant now, const ObservationPoints& points) {
    Observations seen;
    seen.now = now;
    seen.live = tree.live();
    seen.config = see_file(tree, places::config);
    find_identity(tree, seen);
    if (seen.certificate_path.empty())
        seen.certificate = Sight<FileSeen>::unseen("no certificate file is known");
    else
        seen.certificate = see_file(tree, seen.certificate_path);
    try {
        seen.applied = applied_state(tree);
    } catch (const Failure& failure) {
        seen.applied = {false, failure.what(), {}};
    }
    try {
        if (seen.config.value) seen.files = judge_files(tree, read_users(tree), seen.certificate_path, seen.key_path);
    } catch (const Failure& failure) {
        seen.files.push_back(skipped("files.owner-and-mode", "The files could not be judged", failure.what()));
    }
    if (seen.live) {
        see_services(tree, points, seen);
    } else {
        const std::string why = "below --root no service is looked at";
        seen.units = Sight<std::vector<UnitSeen>>::unseen(why);
        seen.containers = Sight<std::vector<ContainerSeen>>::unseen(why);
        seen.device_info = Sight<std::optional<DeviceInfo>>::unseen(why);
    }
    return seen;
}

}  // namespace eflow
