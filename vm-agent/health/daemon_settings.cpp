#include "vm-agent/health/daemon_settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

#include "shared/manifest.hpp"
#include "shared/written_text.hpp"

namespace eflow {

namespace {

using nlohmann::json;

enum class Type { text, number, flag, texts, list, object, texts_by_name };

struct Key {
    std::string_view name;
    Type type;
};

// moby, daemon/config/config.go and config_linux.go: the json names of Config, CommonConfig, BridgeConfig, DNSConfig,
// LogConfig, TLSOptions and MetricsConfig, of 20.10 to 28.
constexpr std::array keys{
    Key{"allow-direct-routing", Type::flag}, Key{"allow-nondistributable-artifacts", Type::texts}, Key{"api-cors-header", Type::text},
    Key{"authorization-plugins", Type::texts}, Key{"bip", Type::text}, Key{"bip6", Type::text}, Key{"bridge", Type::text},
    Key{"bridge-accept-fwmark", Type::text}, Key{"builder", Type::object}, Key{"cdi-spec-dirs", Type::texts},
    Key{"cgroup-parent", Type::text}, Key{"containerd", Type::text}, Key{"containerd-namespace", Type::text},
    Key{"containerd-plugin-namespace", Type::text}, Key{"cpu-rt-period", Type::number}, Key{"cpu-rt-runtime", Type::number},
    Key{"cri-containerd", Type::flag}, Key{"data-root", Type::text}, Key{"debug", Type::flag},
    Key{"default-address-pools", Type::list}, Key{"default-cgroupns-mode", Type::text}, Key{"default-gateway", Type::text},
    Key{"default-gateway-v6", Type::text}, Key{"default-ipc-mode", Type::text}, Key{"default-network-opts", Type::object},
    Key{"default-runtime", Type::text}, Key{"default-shm-size", Type::text}, Key{"default-ulimits", Type::object},
    Key{"dns", Type::texts}, Key{"dns-opts", Type::texts}, Key{"dns-search", Type::texts}, Key{"exec-opts", Type::texts},
    Key{"exec-root", Type::text}, Key{"experimental", Type::flag}, Key{"features", Type::object},
    Key{"firewall-backend", Type::text}, Key{"fixed-cidr", Type::text}, Key{"fixed-cidr-v6", Type::text},
    Key{"group", Type::text}, Key{"host-gateway-ip", Type::text}, Key{"host-gateway-ips", Type::texts}, Key{"hosts", Type::texts},
    Key{"icc", Type::flag}, Key{"init", Type::flag}, Key{"init-path", Type::text}, Key{"insecure-registries", Type::texts},
    Key{"ip", Type::text}, Key{"ip-forward", Type::flag}, Key{"ip-forward-no-drop", Type::flag}, Key{"ip-masq", Type::flag},
    Key{"ip6tables", Type::flag}, Key{"iptables", Type::flag}, Key{"ipv6", Type::flag}, Key{"labels", Type::texts},
    Key{"live-restore", Type::flag}, Key{"log-driver", Type::text}, Key{"log-format", Type::text}, Key{"log-level", Type::text},
    Key{"log-opts", Type::texts_by_name}, Key{"max-concurrent-downloads", Type::number},
    Key{"max-concurrent-uploads", Type::number}, Key{"max-download-attempts", Type::number}, Key{"metrics-addr", Type::text},
    Key{"min-api-version", Type::text}, Key{"mtu", Type::number}, Key{"network-control-plane-mtu", Type::number},
    Key{"network-diagnostic-port", Type::number}, Key{"no-new-privileges", Type::flag}, Key{"node-generic-resources", Type::texts},
    Key{"oom-score-adjust", Type::number}, Key{"pidfile", Type::text}, Key{"proxies", Type::texts_by_name},
    Key{"raw-logs", Type::flag}, Key{"registry-mirrors", Type::texts}, Key{"rootless", Type::flag}, Key{"runtimes", Type::object},
    Key{"seccomp-profile", Type::text}, Key{"selinux-enabled", Type::flag}, Key{"shutdown-timeout", Type::number},
    Key{"storage-driver", Type::text}, Key{"storage-opts", Type::texts}, Key{"swarm-default-advertise-addr", Type::text},
    Key{"tls", Type::flag}, Key{"tlscacert", Type::text}, Key{"tlscert", Type::text}, Key{"tlskey", Type::text},
    Key{"tlsverify", Type::flag}, Key{"userland-proxy", Type::flag}, Key{"userland-proxy-path", Type::text},
    Key{"userns-remap", Type::text}};

constexpr std::array<std::string_view, 3> proxy_keys{"http-proxy", "https-proxy", "no-proxy"};
// moby, daemon/logger/jsonfilelog ValidateLogOpt; daemon/logger/local has the first three.
constexpr std::array<std::string_view, 8> json_file_options{"max-size", "max-file", "compress",  "labels",
                                                            "labels-regex", "env",   "env-regex", "tag"};
constexpr std::array<std::string_view, 3> local_options{"max-size", "max-file", "compress"};
constexpr std::array<std::string_view, 10> log_drivers{"json-file", "local",   "journald", "syslog",  "gelf",
                                                       "fluentd",   "awslogs", "splunk",   "gcplogs", "none"};

constexpr int deepest = 16;

const char* wanted(Type type) {
    switch (type) {
        case Type::text: return "a string";
        case Type::number: return "a whole number without quotes";
        case Type::flag: return "true or false without quotes";
        case Type::texts: return "an array of strings";
        case Type::list: return "an array";
        case Type::object: return "an object";
        case Type::texts_by_name: return "an object of strings";
    }
    return "";
}

bool all_strings(const json& values) {
    return std::all_of(values.begin(), values.end(), [](const json& one) { return one.is_string() || one.is_null(); });
}

bool fits(const json& value, Type type) {
    if (value.is_null()) return true;  // Go leaves the setting as it is
    switch (type) {
        case Type::text: return value.is_string();
        case Type::number: return value.is_number_integer();
        case Type::flag: return value.is_boolean();
        case Type::texts: return value.is_array() && all_strings(value);
        case Type::list: return value.is_array();
        case Type::object: return value.is_object();
        case Type::texts_by_name: return value.is_object() && all_strings(value);
    }
    return false;
}

bool same_but_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return (x | 32) == (y | 32); });
}

bool is_address(std::string_view text) {
    if (text.find(':') != std::string_view::npos)
        return text.find_first_not_of("0123456789abcdefABCDEF:.%") == std::string_view::npos || text.find('%') != std::string_view::npos;
    for (int part = 0; part < 4; ++part) {
        unsigned number = 256;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || number > 255) return false;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (part < 3 && !text.starts_with('.')) return false;
        if (part < 3) text.remove_prefix(1);
    }
    return text.empty();
}

/// What stands where a parser stopped, as people get there.
std::string hint(std::string_view text, std::size_t byte) {
    const std::size_t at = byte > 0 ? byte - 1 : 0;
    const std::string_view rest = text.substr(std::min(at, text.size()));
    const std::string_view before = text.substr(0, std::min(at, text.size()));
    const auto last = before.find_last_not_of(" \t\r\n");
    if (rest.empty()) return "it ends too early";
    if (rest.starts_with("\xe2\x80") || rest.starts_with("\xe2")) return "typographic quotes; JSON has \" alone";
    if (rest.starts_with('\'')) return "single quotes; JSON has \" alone";
    if (rest.starts_with('/') || rest.starts_with('#')) return "a comment; JSON has none";
    if (last != std::string_view::npos && before[last] == ',' && (rest.starts_with('}') || rest.starts_with(']')))
        return "a comma after the last entry";
    if (last != std::string_view::npos && before[last] == '}' && rest.starts_with('{')) return "a second object after the first";
    if (rest.starts_with('"')) return "a comma or a colon is missing before it";
    return "not JSON from here on";
}

class Reading {
public:
    explicit Reading(std::string text) : text_(std::move(text)) {}

    DaemonSettings read() {
        if (text_.find_first_not_of(" \t\r\n\v\f") == std::string::npos) return std::move(settings_);
        json root;
        try {
            // What nests deeper than any setting is read past and not kept.
            root = json::parse(text_, [](int depth, json::parse_event_t, json&) { return depth <= deepest; });
        } catch (const json::parse_error& error) {
            return unreadable("it is no JSON at " + place_in(text_, error.byte) + ": " + hint(text_, error.byte));
        } catch (const json::exception&) {
            return unreadable("a number in it is out of range for JSON's reader");
        }
        if (root.is_null()) return std::move(settings_);
        if (!root.is_object()) return unreadable("it is no JSON object: line 1 must begin with {");
        for (const auto& [name, value] : root.items()) judge(name, value);
        take(root);
        judge_values();
        return std::move(settings_);
    }

private:
    DaemonSettings unreadable(std::string fault) {
        settings_.readable = false;
        settings_.faults.push_back(std::move(fault));
        return std::move(settings_);
    }

    /// The name with the line where it stands first.
    [[nodiscard]] std::string placed(const std::string& path) const {
        const auto dot = path.rfind('.');
        const auto at = text_.find('"' + (dot == std::string::npos ? path : path.substr(dot + 1)) + '"');
        if (at == std::string::npos) return path;
        const std::string place = place_in(text_, at + 1);
        return path + " (" + place.substr(0, place.find(',')) + ")";
    }

    void judge(const std::string& name, const json& value) {
        const auto known = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == name; });
        if (known == keys.end()) return judge_unknown(name);
        if (!fits(value, known->type)) return judge_type(name, value, known->type);
        if (name == "proxies" && value.is_object())
            for (const auto& one : value.items()) require(name + "." + one.key(), one.key(), proxy_keys);
    }

    void judge_type(const std::string& name, const json& value, Type type) {
        if (type == Type::texts_by_name && value.is_object()) {
            for (const auto& [key, one] : value.items()) {
                if (one.is_string() || one.is_null()) continue;
                fault(placed(name + "." + key) + " is " + one.type_name() + "; dockerd takes a string there" +
                      (one.is_number() || one.is_boolean() ? ", in quotes" : ""));
            }
            return;
        }
        fault(placed(name) + " is " + (value.is_array() || value.is_object() ? "of another form" : value.type_name()) +
              "; dockerd takes " + wanted(type) + " there");
    }

    /// dockerd refuses what it does not know. Which keys those are differs by version, so only what resembles a known
    /// one is told.
    void judge_unknown(const std::string& name) {
        std::vector<std::string_view> names;
        for (const auto& key : keys) names.push_back(key.name);
        const auto twin = std::find_if(names.begin(), names.end(), [&](auto one) { return same_but_case(one, name); });
        const auto near = twin != names.end() ? std::optional<std::string>(*twin)
                                              : nearest(std::string_view(name).substr(0, 64), names);
        if (near && *near != name) fault(placed(name.substr(0, 64)) + " is no setting of dockerd's; did you mean " + *near + "?");
    }

    template <class Known>
    void require(const std::string& path, const std::string& name, const Known& known) {
        if (std::find(known.begin(), known.end(), name) != known.end()) return;
        const auto near = nearest(std::string_view(name).substr(0, 64), known);
        fault(placed(path.substr(0, 96)) + " is no setting of dockerd's" + (near ? "; did you mean " + *near + "?" : ""));
    }

    void take(const json& root) {
        const auto text = [](const json& from, const char* name) {
            const auto found = from.find(name);
            return found != from.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
        };
        settings_.log_driver = text(root, "log-driver").value_or("");
        if (const auto options = root.find("log-opts"); options != root.end() && options->is_object()) {
            for (const auto& one : options->items()) log_options_.push_back(one.key());
            settings_.max_size = text(*options, "max-size").value_or("");
            settings_.max_file = text(*options, "max-file").value_or("");
        }
        if (const auto servers = root.find("dns"); servers != root.end() && servers->is_array())
            for (const auto& one : *servers)
                if (one.is_string()) settings_.dns.push_back(one.get<std::string>());
        if (const auto proxies = root.find("proxies"); proxies != root.end() && proxies->is_object()) {
            settings_.https_proxy = text(*proxies, "https-proxy");
            settings_.no_proxy = text(*proxies, "no-proxy");
        }
    }

    void judge_values() {
        for (const auto& server : settings_.dns)
            if (!is_address(server)) fault(placed("dns") + " names a server that is no IP address");
        const std::string& driver = settings_.log_driver;
        if (std::find(log_drivers.begin(), log_drivers.end(), driver) == log_drivers.end() && !driver.empty())
            if (const auto near = nearest(std::string_view(driver).substr(0, 64), log_drivers))
                fault(placed("log-driver") + " names no driver; did you mean " + *near + "?");
        for (const auto& option : log_options_) {
            if (driver.empty() || driver == "json-file") require("log-opts." + option, option, json_file_options);
            if (driver == "local") require("log-opts." + option, option, local_options);
        }
    }

    void fault(std::string text) { settings_.faults.push_back(std::move(text)); }

    std::string text_;
    DaemonSettings settings_;
    std::vector<std::string> log_options_;
};

}  // namespace

bool DaemonSettings::bounds_logs() const {
    if (log_driver.empty() || log_driver == "json-file") return !max_size.empty() && !max_size.starts_with('-');
    return true;
}

DaemonSettings read_daemon_settings(std::string_view bytes) {
    const bool marked = bytes.starts_with("\xef\xbb\xbf") || bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff");
    if (!marked && bytes.find('\0') != std::string_view::npos) {
        DaemonSettings settings;
        settings.readable = false;
        settings.faults.emplace_back("it is no JSON: there are zero bytes in it (UTF-16 without a mark?); save it as UTF-8");
        return settings;
    }
    auto text = written_text(bytes);
    if (!text) {
        // Go replaces what is no UTF-8 and reads on.
        text = std::string(bytes);
        std::replace_if(text->begin(), text->end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    }
    return Reading(std::move(*text)).read();
}

}  // namespace eflow
