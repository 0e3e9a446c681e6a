#include "vm-agent/config/judge.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "shared/identity.hpp"
#include "vm-agent/config/document.hpp"
#include "vm-agent/config/known_keys.hpp"
#include "vm-agent/config/upstream_judge.hpp"
#include "vm-agent/config/url.hpp"

namespace eflow {

namespace {

constexpr int least_timeout = 70;  // aziot_identityd_config::deserialize_cloud_timeout
constexpr std::size_t longest_hostname = 64;
constexpr auto well_formed_id = "config.well-formed";

/// One finding a complaint, in the order of the file; a single ok when there is none.
Findings well_formed(const TomlText& text) {
    Findings findings;
    for (auto& one : judge_types(text.root)) {
        const bool whole_file = one.path.empty() && one.what == no_provisioning;
        std::string detail =
            whole_file ? one.what
                       : "line " + std::to_string(one.line) + ": " + shown_path(one.path) + " " + std::move(one.what);
        findings.push_back(one.refused ? failed(well_formed_id, "iotedge config apply would refuse config.toml",
                                                std::move(detail), std::move(one.remedy))
                                       : warning(well_formed_id, "A value of config.toml does not do what it says",
                                                 std::move(detail), std::move(one.remedy)));
    }
    if (!text.newer.empty()) {
        std::string lines;
        for (const auto& [line, what] : text.newer)
            if (lines.size() < 300)
                lines += (lines.empty() ? "" : "\n") + ("line " + std::to_string(line) + ": " + what);
        findings.push_back(
            warning(well_formed_id, "config.toml uses TOML 1.1, which IoT Edge before 1.6 cannot read", lines,
                    "Write it as TOML 1.0 as long as this device runs IoT Edge 1.4 or 1.5: tables in braces "
                    "on one line, without a comma before }."));
    }
    if (findings.empty()) findings.push_back(ok(well_formed_id, "config.toml has the form IoT Edge reads"));
    return findings;
}

/// What the clouds' scopes and endpoints begin and end with (azure-docs, DPS in sovereign clouds).
struct Cloud {
    std::string_view scope;
    std::string_view domain;
    std::string_view name;
};
constexpr std::array clouds{Cloud{"0ne", ".azure-devices-provisioning.net", "public Azure"},
                            Cloud{"0us", ".azure-devices-provisioning.us", "Azure Government"},
                            Cloud{"0cn", ".azure-devices-provisioning.cn", "Azure in China"}};

/// What upstream takes is a warning here, whatever DPS would say to it.
Finding taken_all_the_same(Finding finding) {
    if (finding.severity == Severity::failed) finding.severity = Severity::warning;
    return finding;
}

/// A text of [provisioning] as far as source is "dps" or missing: with another one nothing reads it.
std::optional<std::string> of_dps(const Toml& root, std::string_view key) {
    if (text_at(root, {"provisioning", "source"}).value_or("dps") != "dps") return std::nullopt;
    return text_at(root, {"provisioning", key});
}

Finding scope_id(const Toml& root) {
    constexpr auto id = "config.scope-id";
    const auto text = of_dps(root, "id_scope");
    if (!text) return skipped(id, "There is no ID scope to judge", "this device is not provisioned through DPS");
    const auto judged = IdScope::parse(*text);
    if (const auto* finding = std::get_if<Finding>(&judged)) return taken_all_the_same(*finding);
    if (std::get<IdScope>(judged).unusual())
        return warning(id, "The ID scope looks unusual",
                       "'" + *text + "' is not 0ne, 0us or 0cn and eight hexadecimal digits",
                       "Compare it with the ID Scope on the overview page of the DPS instance.");
    return ok(id, "The ID scope has the form DPS gives", *text);
}

Finding endpoint(const Toml& root) {
    constexpr auto id = "config.endpoint";
    const auto text = of_dps(root, "global_endpoint");
    if (!text) return skipped(id, "There is no endpoint to judge", "this device is not provisioned through DPS");
    const auto url = parse_url(*text);
    const auto judged = DpsEndpoint::parse(*text);
    if (!url)
        return failed(id, "The global endpoint is no URL",
                      "'" + *text + "' lacks its scheme, or its host or port is none",
                      "Write https://HOST/, usually " + std::string(DpsEndpoint::global));
    if (const auto* finding = std::get_if<Finding>(&judged)) return taken_all_the_same(*finding);
    if (auto mixed = cloud_mismatch(text_at(root, {"provisioning", "id_scope"}).value_or(""), url->host))
        return std::move(*mixed);
    return ok(id, "The global endpoint is an https address", *text);
}

Finding timeouts(const Toml& root) {
    constexpr auto id = "config.timeouts";
    const Toml* timeout = root.find("cloud_timeout_sec");
    if (timeout == nullptr) return ok(id, "The cloud timeout is the default of 70 s");
    const bool huge = std::holds_alternative<std::uint64_t>(timeout->value());
    if (huge || (timeout->integer() != nullptr && *timeout->integer() >= least_timeout))
        return ok(id, "The cloud timeout is long enough");
    return failed(
        id, "iotedge config apply would refuse the cloud timeout",
        "line " + std::to_string(timeout->line()) + ": cloud_timeout_sec must be a number of at least 70 seconds",
        "Take the line out, or write 70 or more (the shipped template's 10 is refused).");
}

/// apply takes any text; `iotedge check` and the certificates that modules are issued do not
/// (check/checks/hostname.rs).
Finding hostname(const Toml& root) {
    constexpr auto id = "config.hostname";
    const Toml* value = root.find("hostname");
    if (value == nullptr) return ok(id, "The hostname is the machine's own");
    if (value->text() == nullptr) return skipped(id, "Not judged", "hostname is no text");
    const std::string& name = *value->text();
    const auto allowed = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
    };
    const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), allowed) && name.front() != '-' &&
                       name.back() != '-' && name.front() != '.' && name.find("..") == std::string::npos;
    if (!plain)
        return warning(id, "The hostname is not one that other devices can resolve",
                       "line " + std::to_string(value->line()) + ": only letters, digits, dashes and dots (RFC 1035)",
                       "Write the machine's own name: hostnamectl hostname");
    if (name.size() > longest_hostname)
        return warning(id, "The hostname is too long for a certificate",
                       std::to_string(name.size()) + " characters, more than 64",
                       "Modules that connect by this name will fail; choose a shorter one.");
    return ok(id, "The hostname has a valid form", name);
}

}  // namespace

std::optional<Finding> cloud_mismatch(std::string_view scope, std::string_view host) {
    const auto of_scope =
        std::find_if(clouds.begin(), clouds.end(), [&](const Cloud& one) { return scope.starts_with(one.scope); });
    const auto of_host =
        std::find_if(clouds.begin(), clouds.end(), [&](const Cloud& one) { return host.ends_with(one.domain); });
    if (of_scope == clouds.end() || of_host == clouds.end() || of_scope == of_host) return std::nullopt;
    return warning("config.endpoint", "The ID scope and the global endpoint are of different clouds",
                   "a scope that begins with " + std::string(of_scope->scope) + " is of " +
                       std::string(of_scope->name) + ", the endpoint " + std::string(host) + " of " +
                       std::string(of_host->name),
                   "With this scope the endpoint is https://global" + std::string(of_scope->domain) + "/");
}

Findings judge_config(std::string_view text) {
    const auto read = read_document(text);
    if (const auto* finding = std::get_if<Finding>(&read)) {
        Findings findings{*finding};
        for (const char* id :
             {"config.known-keys", "config.scope-id", "config.endpoint", "config.timeouts", "config.hostname"})
            findings.push_back(skipped(id, "Not judged", "config.toml cannot be read"));
        return findings;
    }
    const auto& document = std::get<TomlText>(read);
    Findings findings = well_formed(document);
    append(findings, judge_keys(document.root));
    for (const auto check : {scope_id, endpoint, timeouts, hostname}) findings.push_back(check(document.root));
    return findings;
}

std::optional<ProvisioningSeen> read_provisioning(std::string_view text) {
    const auto read = read_document(text);
    const auto* document = std::get_if<TomlText>(&read);
    if (document == nullptr || document->root.find("provisioning") == nullptr) return std::nullopt;
    const Toml& root = document->root;
    ProvisioningSeen seen;
    seen.source = text_at(root, {"provisioning", "source"}).value_or("");
    seen.method = text_at(root, {"provisioning", "attestation", "method"})
                      .value_or(text_at(root, {"provisioning", "authentication", "method"}).value_or(""));
    seen.id_scope = text_at(root, {"provisioning", "id_scope"});
    seen.global_endpoint = text_at(root, {"provisioning", "global_endpoint"});
    seen.registration_id = text_at(root, {"provisioning", "attestation", "registration_id"});
    seen.identity_cert = text_at(root, {"provisioning", "attestation", "identity_cert"});
    seen.identity_pk = text_at(root, {"provisioning", "attestation", "identity_pk"});
    seen.payload = text_at(root, {"provisioning", "payload", "uri"});
    seen.agent_proxy = text_at(root, {"agent", "env", "https_proxy"})
                           .value_or(text_at(root, {"agent", "env", "HTTPS_PROXY"}).value_or(""));
    return seen;
}

bool can_be_read(std::string_view text) {
    return std::holds_alternative<TomlText>(read_document(text));
}

bool could_be_applied(std::string_view text) {
    return gravest(judge_config(text)) != Severity::failed && read_provisioning(text).has_value();
}

}  // namespace eflow
