#include "vm-agent/health/check.hpp"

namespace eflow {

namespace {

Finding reachable(const char* id, const char* what, const std::optional<ReachSeen>& reach, const std::string& why) {
    if (!reach) return skipped(id, std::string(what) + " was not tried", why);
    if (reach->trusted) return ok(id, std::string(what) + " answers", reach->host + " (" + reach->address + ")");
    if (reach->connected)
        return failed(
            id, std::string(what) + " answers with a certificate that is not trusted", reach->host + ": " + reach->why,
            "Something between here and the cloud speaks TLS in its place (an inspecting proxy?), or this machine "
            "lacks its root certificates.");
    return failed(id, std::string(what) + " cannot be reached", reach->host + ": " + reach->why,
                  reach->host.find(':') == std::string::npos
                      ? "Open port 443 to it, or set the proxy."
                      : "Open that port, which is the one of edgeAgent's protocol, or set UpstreamProtocol = \"AmqpWs\" in "
                        "[agent.env] of config.toml, which needs 443 alone.");
}

}  // namespace

Findings judge_cloud_area(const Observations& seen, const Reasons& reasons) {
    Findings findings;
    if (!seen.dps && !seen.hub) {
        findings.push_back(skipped("cloud.resolves", "No name was looked up", seen.no_reach));
    } else {
        std::string unresolved;
        for (const auto* reach : {&seen.dps, &seen.hub})
            if (*reach && (*reach)->address.empty())
                unresolved += (unresolved.empty() ? "" : "\n") + (*reach)->host + ": " + (*reach)->why;
        findings.push_back(unresolved.empty()
                               ? ok("cloud.resolves", "The cloud's names resolve")
                               : failed("cloud.resolves", "A name of the cloud does not resolve", unresolved,
                                        "Check the DNS servers: resolvectl status; cat /etc/resolv.conf"));
    }
    findings.push_back(reachable("cloud.dps-reachable", "DPS", seen.dps, seen.no_reach));
    findings.push_back(reachable("cloud.hub-reachable", "The hub", seen.hub,
                                 seen.dps ? "no hub has been assigned yet" : seen.no_reach));
    const Diagnosis* registration = reasons.registration();
    if (registration == nullptr && seen.device_info.value && *seen.device_info.value) {
        findings.push_back(ok("cloud.registration", "The device is registered",
                              (*seen.device_info.value)->device_id + " at " + (*seen.device_info.value)->hub_name));
    } else {
        findings.push_back(judge_registration(registration));
    }
    return findings;
}

}  // namespace eflow
