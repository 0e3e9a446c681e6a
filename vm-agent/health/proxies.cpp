#include "vm-agent/health/proxies.hpp"

#include <algorithm>
#include <array>

#include "vm-agent/health/check.hpp"

namespace eflow {

namespace {

constexpr auto id = "host.proxy-consistent";
constexpr auto remedy =
    "Set https_proxy alike for docker, aziot-identityd and aziot-edged (sudo systemctl edit UNIT; daemon.json's \"proxies\" "
    "goes first for docker), and in [agent.env] of config.toml.";

struct ProxyUser {
    std::string name;
    std::string proxy;
    std::string no_proxy;
    bool is_engine = false;
};

std::string lowered(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

std::string scheme_of(std::string_view url) {
    const auto end = url.find("://");
    return end == std::string_view::npos ? "" : lowered(std::string(url.substr(0, end)));
}

/// Without what makes no difference: case, a closing slash, a scheme that the engine adds itself.
std::string normal(const ProxyUser& user) {
    std::string url = lowered(user.proxy);
    while (url.ends_with('/')) url.pop_back();
    if (user.is_engine && !url.empty() && scheme_of(url).empty()) url = "http://" + url;
    return url;
}

std::string shown(const std::string& url) {
    if (url.empty()) return "none";
    const auto slashes = url.find("://");
    const auto begin = slashes == std::string::npos ? 0 : slashes + 3;
    const auto at = url.rfind('@', url.find('/', begin));
    if (at == std::string::npos || at < begin) return url;
    return url.substr(0, begin) + "***" + url.substr(at);
}

/// The variable in upper case goes first, for Go's readers and for identityd.
std::string variable(const std::map<std::string, std::string>& all, const char* upper, const char* lower) {
    for (const char* name : {upper, lower})
        if (const auto found = all.find(name); found != all.end() && !found->second.empty()) return found->second;
    return {};
}

std::vector<ProxyUser> users_of(const Observations& seen, const DaemonSettings& engine) {
    std::vector<ProxyUser> users;
    std::vector<const char*> units{"aziot-edged.service", "aziot-identityd.service"};
    // The environment of docker.service says nothing of an engine elsewhere.
    if (seen.engine.is_default) units.push_back(docker_service);
    for (const char* name : units) {
        ProxyUser user{name, "", "", name == std::string_view(docker_service)};
        if (const auto found = seen.unit_proxies.find(name); found != seen.unit_proxies.end()) {
            user.proxy = variable(found->second, "HTTPS_PROXY", "https_proxy");
            user.no_proxy = variable(found->second, "NO_PROXY", "no_proxy");
        }
        if (user.is_engine && engine.https_proxy) user.proxy = *engine.https_proxy;
        users.push_back(std::move(user));
    }
    if (const auto& provisioning = provisioning_in(seen)) users.push_back({"edgeAgent", provisioning->agent_proxy, "", false});
    return users;
}

/// What about this proxy its user cannot use, or nothing.
std::string unusable(const ProxyUser& user) {
    if (user.proxy.empty()) return {};
    if (user.proxy.find_first_of(" \t\"'") != std::string::npos) return "a blank or a quote stands in it";
    const std::string scheme = scheme_of(user.proxy);
    if (scheme.empty()) return user.is_engine ? "" : "it has no scheme: http://HOST:PORT is wanted";
    if (user.is_engine) return {};
    if (scheme == "https") return "https:// means TLS to the proxy itself; IoT Edge is to speak HTTP to it: http://HOST:PORT";
    if (scheme != "http") return "its scheme is not http";
    return {};
}

/// Whether an entry of NO_PROXY takes in this host (golang.org/x/net/http/httpproxy, which others follow).
bool takes_in(std::string entry, const std::string& host) {
    entry = lowered(std::move(entry));
    if (const auto colon = entry.rfind(':'); colon != std::string::npos) entry.resize(colon);
    if (entry.starts_with("*.")) entry.erase(0, 1);
    if (entry == "*") return true;
    if (entry.empty() || host.empty()) return false;
    if (entry.starts_with('.')) return host.ends_with(entry);
    return host == entry || host.ends_with("." + entry);
}

/// The hosts of the cloud that `list` would keep away from the proxy, if it were heeded.
std::string kept_away(const Observations& seen, const std::string& list) {
    std::vector<std::string> hosts;
    if (const auto& provisioning = provisioning_in(seen)) {
        const auto endpoint = DpsEndpoint::parse(provisioning->global_endpoint.value_or(""));
        if (const auto* parsed = std::get_if<DpsEndpoint>(&endpoint)) hosts.push_back(lowered(parsed->host()));
    }
    if (seen.device_info.value && *seen.device_info.value) hosts.push_back(lowered((*seen.device_info.value)->hub_name));
    std::string names;
    for (std::size_t at = 0; at <= list.size();) {
        const auto end = std::min(list.find_first_of(", ", at), list.size());
        const std::string entry = list.substr(at, end - at);
        at = end + 1;
        const bool cloud = std::any_of(hosts.begin(), hosts.end(), [&](const auto& host) { return takes_in(entry, host); });
        // Before the device is registered its hub is not known; every hub's name ends so.
        const bool any_hub = entry.find("azure-devices") != std::string::npos;
        if (!entry.empty() && (cloud || any_hub)) names += (names.empty() ? "" : ", ") + entry;
    }
    return names;
}

void add_line(std::string& text, const std::string& line) {
    text += (text.empty() ? "" : "\n") + line;
}

}  // namespace

Finding judge_proxies(const Observations& seen, const DaemonSettings& engine) {
    if (!seen.units.value) return skipped(id, "The services' environments were not seen", seen.units.why);
    const std::vector<ProxyUser> users = users_of(seen, engine);
    std::string list;
    std::string wrong;
    std::string ignored;
    std::string heeded_by_none;
    for (const auto& user : users) {
        const std::string fault = unusable(user);
        add_line(list, user.name + ": " + shown(user.proxy) + (fault.empty() ? "" : " (" + fault + ")"));
        if (!fault.empty()) wrong = fault;
        if (user.proxy.empty() || user.no_proxy.empty() || user.is_engine) continue;
        if (const auto names = kept_away(seen, user.no_proxy); !names.empty()) add_line(ignored, user.name + ": NO_PROXY has " + names);
        add_line(heeded_by_none, user.name + " ignores its NO_PROXY");
    }
    std::string dropped;
    for (const auto& one : seen.dropped_lines)
        add_line(dropped, one.path + ", line " + std::to_string(one.line) + ": the closing quote is missing, so systemd drops it");
    const bool same = std::all_of(users.begin(), users.end(), [&](const ProxyUser& one) { return normal(one) == normal(users.front()); });
    if (!dropped.empty())
        return warning(id, "A line with a service's environment is dropped", dropped + "\n" + list,
                       "Close the quote in that line; then sudo systemctl daemon-reload, and restart that service.");
    if (!wrong.empty()) return warning(id, "A proxy is written in a way that its user cannot use", list, remedy);
    if (!same) return warning(id, "Services use different proxies", list, remedy);
    if (!ignored.empty())
        return warning(id, "NO_PROXY is not heeded by IoT Edge's services: they go to DPS and hub through the proxy",
                       ignored + "\n" + list,
                       "Let the proxy pass these names on; or, where they can be reached without it, take https_proxy out for "
                       "aziot-identityd and aziot-edged.");
    if (users.front().proxy.empty()) return ok(id, "No proxy is set");
    return ok(id, "All use the same proxy", heeded_by_none.empty() ? list : list + "\n" + heeded_by_none);
}

}  // namespace eflow
