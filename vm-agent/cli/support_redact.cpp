#include "vm-agent/cli/support_redact.hpp"

#include <algorithm>
#include <array>

#include "shared/json_text.hpp"
#include "vm-agent/config/redact.hpp"

namespace eflow {

namespace {

using nlohmann::json;

constexpr auto gone = "***";
constexpr std::size_t shortest_variable = 8;  // shorter values stand everywhere by chance

/// "NAME=value" with the value taken out unless its name is known to hold no secret.
std::string variable(std::string_view text, Scrubber& scrubber) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return gone;
    const auto name = text.substr(0, equals);
    const auto value = text.substr(equals + 1);
    std::vector<std::string> found;
    const std::string shown = without_secret_forms(value, &found);
    for (const auto& secret : found) scrubber.know(secret);
    if (is_open_variable(name)) return std::string(name) + "=" + shown;
    if (value.size() >= shortest_variable) scrubber.know(value);
    return std::string(name) + "=" + gone;
}

/// The members of `from` that are named.
json picked(const json& from, std::initializer_list<const char*> keys) {
    json out = json::object();
    if (!from.is_object()) return out;
    for (const char* key : keys)
        if (const auto found = from.find(key); found != from.end()) out[key] = *found;
    return out;
}

json member(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() ? *found : json();
}

json labels(const json& all) {
    constexpr std::array open{"net.azure-devices.edge.owner",          "net.azure-devices.edge.original-image",
                              "net.azure-devices.edge.restart-policy", "net.azure-devices.edge.desired-status",
                              "net.azure-devices.edge.version",        "net.azure-devices.edge.image-pull-policy"};
    json out = json::object();
    if (!all.is_object()) return out;
    for (const auto& [name, value] : all.items()) {
        const bool shown =
            std::find(open.begin(), open.end(), name) != open.end() || name.starts_with("org.opencontainers.image.");
        out[name] = shown ? value : json(gone);
    }
    return out;
}

json words(const json& list) {
    if (!list.is_array()) return json();
    return json(std::to_string(list.size()) + " words, left out");
}

}  // namespace

json scrubbed(const json& document, const Scrubber& scrubber) {
    if (document.is_string()) return scrubber.clean(document.get_ref<const std::string&>());
    if (document.is_array()) {
        json out = json::array();
        for (const auto& one : document) out.push_back(scrubbed(one, scrubber));
        return out;
    }
    if (!document.is_object()) return document;
    json out = json::object();
    for (const auto& [name, value] : document.items()) {
        const bool hidden = is_secret_name(name) && !value.is_structured();
        out[scrubber.clean(name)] = hidden ? json(gone) : scrubbed(value, scrubber);
    }
    return out;
}

json redacted_inspection(const json& inspection, Scrubber& scrubber) {
    json out = picked(inspection, {"Id", "Name", "Created", "Image", "RestartCount", "Driver", "Platform", "SizeRw"});
    const json state = member(inspection, "State");
    out["State"] = picked(state, {"Status", "Running", "Paused", "Restarting", "OOMKilled", "Dead", "Pid", "ExitCode",
                                  "Error", "StartedAt", "FinishedAt"});
    if (const json health = member(state, "Health"); health.is_object())
        out["State"]["Health"] = picked(health, {"Status", "FailingStreak"});
    const json config = member(inspection, "Config");
    out["Config"] = picked(config, {"Hostname", "User", "Image", "WorkingDir", "Tty", "ExposedPorts", "StopSignal"});
    out["Config"]["Labels"] = labels(member(config, "Labels"));
    out["Config"]["Env"] = json::array();
    if (const json environment = member(config, "Env"); environment.is_array())
        for (const auto& one : environment)
            out["Config"]["Env"].push_back(one.is_string() ? variable(one.get_ref<const std::string&>(), scrubber)
                                                           : gone);
    out["Config"]["Cmd"] = words(member(config, "Cmd"));
    out["Config"]["Entrypoint"] = words(member(config, "Entrypoint"));
    const json host = member(inspection, "HostConfig");
    out["HostConfig"] =
        picked(host, {"Binds", "NetworkMode", "PortBindings", "RestartPolicy", "Privileged", "ReadonlyRootfs", "CapAdd",
                      "CapDrop", "Memory", "NanoCpus", "PidMode", "IpcMode"});
    // The driver's options may hold the token of a log collector.
    out["HostConfig"]["LogConfig"] = picked(member(host, "LogConfig"), {"Type"});
    out["Mounts"] = json::array();
    if (const json mounts = member(inspection, "Mounts"); mounts.is_array())
        for (const auto& mount : mounts)
            out["Mounts"].push_back(picked(mount, {"Type", "Name", "Source", "Destination", "Mode", "RW"}));
    const json network = member(inspection, "NetworkSettings");
    out["NetworkSettings"] = picked(network, {"Ports"});
    if (const json networks = member(network, "Networks"); networks.is_object())
        for (const auto& [name, one] : networks.items())
            out["NetworkSettings"]["Networks"][name] = picked(one, {"IPAddress", "Gateway", "MacAddress"});
    return out;
}

std::string redacted_properties(std::string_view text, Scrubber& scrubber) {
    constexpr std::string_view environment = "Environment=";
    std::string out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!line.starts_with(environment)) {
            out.append(line).append("\n");
            continue;
        }
        // systemctl quotes "NAME=a value"; a blank inside of quotes parts nothing.
        out += environment;
        std::string word;
        char quote = '\0';
        const auto take = [&] {
            if (!word.empty()) out += (out.ends_with('=') ? "" : " ") + variable(word, scrubber);
            word.clear();
        };
        for (const char c : line.substr(environment.size())) {
            if (quote == '\0' && (c == '"' || c == '\''))
                quote = c;
            else if (c == quote)
                quote = '\0';
            else if (c == ' ' && quote == '\0')
                take();
            else
                word += c;
        }
        take();
        out += "\n";
    }
    return out;
}

}  // namespace eflow
