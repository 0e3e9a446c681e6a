#include "vm-agent/config/watch_settings.hpp"

#include <charconv>
#include <set>

#include "shared/failure.hpp"
#include "shared/manifest.hpp"
#include "shared/toml_reader.hpp"

namespace eflow {

namespace {

[[noreturn]] void refuse(const std::string& why, const std::string& remedy) {
    throw Failure(ExitCode::refused, "/etc/eflow-agent/watch.toml: " + why, remedy);
}

void know_all(const Toml& table, const std::string& where, const std::set<std::string>& known) {
    for (const auto& entry : table.table()->entries) {
        if (known.count(entry.key) > 0) continue;
        const std::string key = entry.key.substr(0, 64);
        const auto near = nearest(key, known);
        refuse("there is no key '" + where + key + "'", near ? "Did you mean " + where + *near + "?" : "Take it out.");
    }
}

std::string text_at(const Toml& table, const std::string& key) {
    const Toml* value = table.find(key);
    if (value == nullptr) return {};
    if (value->text() == nullptr) refuse(key + " is no string", "Put it in quotation marks.");
    return *value->text();
}

}  // namespace

WatchSettings parse_watch_settings(std::string_view text) {
    auto read = read_toml(text);
    if (const auto* fault = std::get_if<TomlFault>(&read))
        refuse("it is no TOML: line " + std::to_string(fault->line) + ": " + fault->what,
               fault->remedy + " Then: systemctl reload eflow-agent");
    const Toml root = std::move(std::get<TomlText>(read).root);
    know_all(root, "", {"schema", "metrics"});
    const Toml* schema = root.find("schema");
    if (schema == nullptr || schema->integer() == nullptr || *schema->integer() != 1)
        refuse("schema is not 1", "Its first line is: schema = 1");
    WatchSettings settings;
    if (root.find("metrics") == nullptr) return settings;
    const Toml& metrics = *root.find("metrics");
    if (metrics.table() == nullptr) refuse("metrics is no table", "Write [metrics] and its keys below.");
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
        if (!address.unix_path.starts_with('/') || address.unix_path.size() > 107)
            bad("not an absolute path that fits");
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
