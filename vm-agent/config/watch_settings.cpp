#include "vm-agent/config/watch_settings.hpp"

#include <charconv>
#include <set>

#include <toml.hpp>

#include "shared/failure.hpp"
#include "shared/manifest.hpp"
#include "shared/toml_guard.hpp"

namespace eflow {

namespace {

[[noreturn]] void refuse(const std::string& why, const std::string& remedy) {
    throw Failure(ExitCode::refused, "/etc/eflow-agent/watch.toml: " + why, remedy);
}

void know_all(const toml::value& table, const std::string& where, const std::set<std::string>& known) {
    for (const auto& [key, value] : table.as_table()) {
        if (known.count(key) > 0) continue;
        const auto near = nearest(key.substr(0, 64), known);
        refuse("there is no key '" + where + key.substr(0, 64) + "'",
               near ? "Did you mean " + where + *near + "?" : "Take it out.");
    }
}

std::string text_at(const toml::value& table, const std::string& key) {
    if (!table.contains(key)) return {};
    if (!table.at(key).is_string()) refuse(key + " is no string", "Put it in quotation marks.");
    return table.at(key).as_string().str;
}

}  // namespace

WatchSettings parse_watch_settings(std::string_view text) {
    if (const auto hazard = toml_hazard(text)) refuse(*hazard, "Write it anew as plain TOML.");
    toml::value root;
    try {
        std::istringstream stream{std::string(text)};
        root = toml::parse(stream, "watch.toml");
    } catch (const std::exception& fault) {
        const std::string told = fault.what();
        refuse("it is no TOML: " + told.substr(0, told.find('\n')), "Mend it, then: systemctl reload eflow-agent");
    }
    know_all(root, "", {"schema", "metrics"});
    if (!root.contains("schema") || !root.at("schema").is_integer() || root.at("schema").as_integer() != 1)
        refuse("schema is not 1", "Its first line is: schema = 1");
    WatchSettings settings;
    if (!root.contains("metrics")) return settings;
    const toml::value& metrics = root.at("metrics");
    if (!metrics.is_table()) refuse("metrics is no table", "Write [metrics] and its keys below.");
    know_all(metrics, "metrics.", {"listen", "textfile"});
    settings.metrics_listen = text_at(metrics, "listen");
    settings.metrics_textfile = text_at(metrics, "textfile");
    if (!settings.metrics_listen.empty()) parse_metrics_address(settings.metrics_listen);
    if (!settings.metrics_textfile.empty() &&
        (!settings.metrics_textfile.starts_with('/') || !settings.metrics_textfile.ends_with(".prom")))
        refuse("metrics.textfile is not the absolute path of a .prom file",
               "node_exporter reads files that end in .prom from its textfile folder.");
    return settings;
}

MetricsAddress parse_metrics_address(const std::string& text) {
    const auto bad = [&](const char* why) {
        throw Failure(ExitCode::refused, "metrics cannot be served on \"" + text.substr(0, 120) + "\": " + why,
                      "Give \"127.0.0.1:PORT\", \"[::1]:PORT\" or \"unix:/run/eflow-agent/metrics.sock\".");
    };
    MetricsAddress address;
    if (text.starts_with("unix:")) {
        address.unix_path = text.substr(5);
        // sun_path of a sockaddr_un holds 108 bytes with its end.
        if (!address.unix_path.starts_with('/') || address.unix_path.size() > 107) bad("not an absolute path that fits");
        return address;
    }
    const auto colon = text.rfind(':');
    if (colon == std::string::npos) bad("no port");
    address.host = text.substr(0, colon);
    if (address.host == "localhost") address.host = "127.0.0.1";
    if (address.host == "[::1]") address.host = "::1";
    if (address.host != "127.0.0.1" && address.host != "::1") bad("not a loopback address");
    const char* first = text.data() + colon + 1;
    const char* last = text.data() + text.size();
    const auto [end, fault] = std::from_chars(first, last, address.port);
    if (fault != std::errc() || end != last || address.port == 0) bad("no port from 1 to 65535");
    return address;
}

}  // namespace eflow
