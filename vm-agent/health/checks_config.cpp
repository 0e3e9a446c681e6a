#include <filesystem>

#include "shared/failure.hpp"
#include "shared/manifest.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/health/check.hpp"

namespace eflow {

namespace {

Finding applied(const Observations& seen) {
    constexpr auto id = "config.applied";
    if (seen.applied.applied) return ok(id, "The services run with this config.toml");
    return warning(id, "config.toml has not been applied", seen.applied.why, "sudo iotedge config apply");
}

Finding matches_manifest(const Observations& seen, const ProvisioningSeen& provisioning) {
    constexpr auto id = "config.matches-manifest";
    if (!seen.manifest.value) return skipped(id, "The manifest was not read", seen.manifest.why);
    if (!seen.manifest.value->present)
        return skipped(id, "No manifest to hold it against", "/etc/eflow-agent/device.toml does not exist");
    try {
        const Manifest manifest = parse_manifest(seen.manifest.value->text, "/etc/eflow-agent");
        std::string detail;
        const auto compare = [&](const char* what, const std::string& wanted, const std::string& is) {
            if (wanted != is) detail += (detail.empty() ? "" : "\n") + std::string(what) + " is '" + is + "', not '" + wanted + "'";
        };
        compare("id_scope", manifest.scope_id, provisioning.id_scope.value_or(""));
        const auto wanted = DpsEndpoint::parse(manifest.global_endpoint.value_or(std::string(DpsEndpoint::global)));
        const auto is = DpsEndpoint::parse(provisioning.global_endpoint.value_or(""));
        if (const auto* endpoint = std::get_if<DpsEndpoint>(&wanted)) {
            const auto* written = std::get_if<DpsEndpoint>(&is);
            compare("global_endpoint", endpoint->url(),
                    written != nullptr ? written->url() : provisioning.global_endpoint.value_or(""));
        }
        if (provisioning.registration_id) compare("registration_id", manifest.registration_id, *provisioning.registration_id);
        if (detail.empty()) return ok(id, "config.toml says what the manifest says");
        return failed(id, "config.toml says something else than the manifest", detail,
                      "sudo eflow-agent provision --manifest /etc/eflow-agent/device.toml");
    } catch (const Failure& failure) {
        return failed(id, "The manifest cannot be used", failure.what(), "Mend /etc/eflow-agent/device.toml.");
    }
}

}  // namespace

Findings judge_config_area(const Observations& seen) {
    if (!seen.config.value || !seen.config.value->present)
        return {skipped("config.well-formed", "config.toml was not judged",
                        seen.config.value ? "it does not exist" : seen.config.why)};
    Findings findings = judge_config(seen.config.value->text);
    if (const auto provisioning = read_provisioning(seen.config.value->text))
        findings.push_back(matches_manifest(seen, *provisioning));
    findings.push_back(applied(seen));
    return findings;
}

}  // namespace eflow
