#include <algorithm>

#include <nlohmann/json.hpp>

#include "vm-agent/health/check.hpp"
#include "shared/json_text.hpp"
#include "vm-agent/health/summary.hpp"

namespace eflow {

namespace {

using nlohmann::json;

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

/// The parsed daemon.json: an empty object when there is no file, nothing when it cannot be used.
std::optional<json> daemon(const Observations& seen) {
    if (!seen.daemon_json.value) return std::nullopt;
    if (!seen.daemon_json.value->present) return json::object();
    json parsed = parse_json(seen.daemon_json.value->text);
    if (!parsed.is_object()) return std::nullopt;
    return parsed;
}

Finding judge_logs(const Observations& seen, const std::optional<json>& engine) {
    constexpr auto id = "host.log-rotation";
    if (!engine)
        return skipped(id, "/etc/docker/daemon.json was not read",
                       seen.daemon_json.value ? "it is no JSON object" : seen.daemon_json.why);
    const auto text = [](const json& object, const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const std::string driver = text(*engine, "log-driver");
    if (driver == "journald" || driver == "local" || driver == "none") return ok(id, "Modules log to " + driver);
    const auto options = engine->find("log-opts");
    if (options != engine->end() && options->is_object() && !text(*options, "max-size").empty() &&
        !text(*options, "max-file").empty())
        return ok(id, "Modules' logs are rotated",
                  text(*options, "max-file") + " files of " + text(*options, "max-size"));
    return warning(
        id, "Modules' logs grow without bound",
        "/etc/docker/daemon.json sets neither a bounded log-driver nor max-size and max-file",
        R"(In /etc/docker/daemon.json: {"log-driver":"local"}; then restart docker: https://aka.ms/iotedge-prod-checklist-logs)");
}

Finding judge_dns(const Observations& seen, const std::optional<json>& engine) {
    constexpr auto id = "host.dns-server";
    if (!engine)
        return skipped(id, "/etc/docker/daemon.json was not read",
                       seen.daemon_json.value ? "it is no JSON object" : seen.daemon_json.why);
    const auto servers = engine->find("dns");
    if (servers != engine->end() && servers->is_array() && !servers->empty())
        return ok(id, "The container engine has DNS servers", servers->dump());
    return warning(id, "The container engine has no DNS servers of its own",
                   "modules use those of the machine, which fails where they are not reachable from a container",
                   R"(In /etc/docker/daemon.json: {"dns":["ADDRESS"]}: https://aka.ms/iotedge-prod-checklist-dns)");
}

Finding judge_proxy(const Observations& seen) {
    constexpr auto id = "host.proxy-consistent";
    std::map<std::string, std::string> proxies;  // by who uses them
    for (const char* name : {"aziot-edged.service", "aziot-identityd.service", docker_service}) {
        const auto found = seen.unit_proxies.find(name);
        if (found == seen.unit_proxies.end()) {
            if (!seen.units.value) return skipped(id, "The services' environments were not seen", seen.units.why);
            proxies[name] = "";
            continue;
        }
        // identityd reads HTTPS_PROXY, then https_proxy (http-common/src/proxy.rs).
        const auto& variables = found->second;
        const auto upper = variables.find("HTTPS_PROXY");
        const auto lower = variables.find("https_proxy");
        proxies[name] = upper != variables.end() ? upper->second : lower != variables.end() ? lower->second : "";
    }
    if (const auto& provisioning = provisioning_in(seen)) proxies["edgeAgent"] = provisioning->agent_proxy;
    const bool same = std::all_of(proxies.begin(), proxies.end(),
                                  [&](const auto& one) { return one.second == proxies.begin()->second; });
    if (same) return ok(id, proxies.begin()->second.empty() ? "No proxy is set" : "All use the same proxy");
    std::string detail;
    for (const auto& [name, proxy] : proxies)
        detail += (detail.empty() ? "" : "\n") + name + ": " + (proxy.empty() ? "none" : "one is set");
    return warning(id, "Services use different proxies", detail,
                   "Set https_proxy alike for docker, aziot-identityd and aziot-edged (systemctl edit UNIT), and in "
                   "[agent.env] of config.toml.");
}

}  // namespace

Findings judge_host_area(const Observations& seen) {
    const auto engine = daemon(seen);
    return {judge_clock(seen), judge_disks(seen), judge_logs(seen, engine), judge_dns(seen, engine), judge_proxy(seen)};
}

}  // namespace eflow
