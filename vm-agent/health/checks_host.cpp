#include <algorithm>

#include "shared/eflow_support.hpp"
#include "shared/links.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/health/daemon_settings.hpp"
#include "vm-agent/health/proxies.hpp"
#include "vm-agent/health/summary.hpp"

namespace eflow {

namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;

Finding judge_clock(const Observations& seen) {
    constexpr auto id = "host.clock";
    const auto& certificates = certificates_in(seen);
    if (!certificates.empty() && certificates.front().not_before() > seen.now)
        return failed(id, "The clock is behind the beginning of the certificate",
                      "here it is " + to_text(seen.now) + ", and " + seen.certificate_path + " begins at " +
                          to_text(certificates.front().not_before()),
                      "Set the clock: timedatectl; chronyc makestep");
    if (!seen.clock.value) return skipped(id, "The clock was not looked at", seen.clock.why);
    if (seen.clock.value->synchronised) return ok(id, "The clock is synchronised");
    return warning(
        id, "The clock is not synchronised",
        "the kernel reckons with an error of " +
            std::to_string(std::chrono::duration_cast<std::chrono::seconds>(seen.clock.value->error).count()) + " s",
        "TLS fails when the clock is off: timedatectl, and start chronyd or systemd-timesyncd.");
}

Finding judge_disks(const Observations& seen) {
    constexpr auto id = "host.disk-space";
    if (seen.disks.empty()) return skipped(id, "No disk was looked at", "");
    std::string full;
    std::string low;
    std::string room;
    for (const auto& disk : seen.disks) {
        if (disk.total == 0) continue;
        const std::string text = disk.path + ": " + std::to_string(disk.free / mebibyte) + " MiB of " +
                                 std::to_string(disk.total / mebibyte) + " MiB free";
        auto& list = disk.free < disk.total / 50 || disk.free < 8 * mebibyte ? full
                     : disk.free < disk.total / 10                           ? low
                                                                             : room;
        list += (list.empty() ? "" : "\n") + text;
    }
    const std::string remedy =
        "See what takes it: docker system df; journalctl --disk-usage; du -xh --max-depth 2 /var";
    if (!full.empty()) return failed(id, "There is no room left", full, remedy);
    if (!low.empty()) return warning(id, "Room is getting short", low, remedy);
    return ok(id, "There is room", room);
}

constexpr auto daemon_json = "/etc/docker/daemon.json";

/// What the engine is set to, as far as it was seen; nothing when the file was not.
std::optional<DaemonSettings> engine_settings(const Observations& seen) {
    if (!seen.daemon_json.value) return std::nullopt;
    if (!seen.daemon_json.value->present) return DaemonSettings{};
    return read_daemon_settings(seen.daemon_json.value->text);
}

/// dockerd reads its settings once; a file that it would refuse shows at the next start, after a reboot perhaps.
Finding judge_settings(const Observations& seen, const std::optional<DaemonSettings>& engine) {
    constexpr auto id = "host.engine-settings";
    if (!engine) return skipped(id, std::string(daemon_json) + " was not read", seen.daemon_json.why);
    if (engine->faults.empty())
        return ok(id, seen.daemon_json.value->present ? "dockerd can start with its daemon.json" : "dockerd has no daemon.json, and needs none");
    std::string detail = daemon_json;
    for (const auto& fault : engine->faults) detail += (detail == daemon_json ? ": " : "\n") + fault;
    constexpr auto remedy =
        "Correct it; then sudo dockerd --validate --config-file /etc/docker/daemon.json shows whether it is right (Docker 23), and "
        "sudo systemctl restart docker takes it.";
    const UnitSeen* docker = unit(seen, docker_service);
    if (docker != nullptr && docker->active == "failed")
        return failed(id, "dockerd does not start with /etc/docker/daemon.json", detail, remedy);
    return warning(id, "dockerd will not start again: it refuses /etc/docker/daemon.json", detail, remedy);
}

std::string why_unread(const Observations& seen, const std::optional<DaemonSettings>& engine) {
    return engine ? "it is no JSON that dockerd could read: see host.engine-settings" : seen.daemon_json.why;
}

Finding judge_logs(const Observations& seen, const std::optional<DaemonSettings>& engine) {
    constexpr auto id = "host.log-rotation";
    if (!engine || !engine->readable)
        return skipped(id, std::string(daemon_json) + " was not read", why_unread(seen, engine));
    if (!engine->bounds_logs())
        return warning(
            id, "Modules' logs grow without bound", "/etc/docker/daemon.json sets neither another log-driver nor max-size",
            R"(In /etc/docker/daemon.json: {"log-driver":"local"}; then restart docker: )" + std::string(links::logs));
    if (engine->max_size.empty()) return ok(id, "Modules log to " + engine->log_driver);
    return ok(id, "Modules' logs are bounded",
              (engine->max_file.empty() ? std::string("1 file of ") : engine->max_file + " files of ") + engine->max_size);
}

Finding judge_dns(const Observations& seen, const std::optional<DaemonSettings>& engine) {
    constexpr auto id = "host.dns-server";
    if (!engine || !engine->readable)
        return skipped(id, std::string(daemon_json) + " was not read", why_unread(seen, engine));
    if (!engine->dns.empty()) {
        std::string servers;
        for (const auto& server : engine->dns) servers += (servers.empty() ? "" : ", ") + server;
        return ok(id, "The container engine has DNS servers", servers);
    }
    return warning(id, "The container engine has no DNS servers of its own",
                   "modules use those of the machine, which fails where they are not reachable from a container",
                   R"(In /etc/docker/daemon.json: {"dns":["ADDRESS"]}: )" + std::string(links::dns));
}

}  // namespace

Findings judge_host_area(const Observations& seen) {
    const auto engine = engine_settings(seen);
    Findings findings{judge_clock(seen),           judge_disks(seen),       judge_settings(seen, engine),
                      judge_logs(seen, engine),    judge_dns(seen, engine), judge_proxies(seen, engine.value_or(DaemonSettings{}))};
    if (seen.is_eflow_vm) findings.push_back(judge_eflow_support(seen.now));
    return findings;
}

}  // namespace eflow
