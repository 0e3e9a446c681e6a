#include <CLI/CLI.hpp>

#include "vm-agent/cli/request.hpp"

namespace eflow {

void declare_options(CLI::App& app, ProvisionOptions& options) {
    app.add_option("--manifest", options.manifest, "Read everything from this device.toml; flags win over it")
        ->type_name("FILE");
    app.add_option("--scope-id", options.scope_id, "ID Scope of the DPS instance")->type_name("S");
    app.add_option("--registration-id", options.registration_id, "Registration ID; equals the certificate's CN")
        ->type_name("R");
    app.add_option("--cert", options.certificate, "Full-chain certificate, PEM: the leaf first")->type_name("FILE");
    app.add_option("--key", options.key, "Private key of the leaf, PEM, unencrypted")->type_name("FILE");
    app.add_option("--global-endpoint", options.global_endpoint, "DPS endpoint")
        ->type_name("URL")
        ->description("DPS endpoint (default " + std::string(DpsEndpoint::global) + ")");
    app.add_option("--payload", options.payload, "JSON on the device that identityd sends when it registers")
        ->type_name("FILE");
    app.add_option("--trust-bundle", options.trust_bundle, "CA certificates on the device for its modules")
        ->type_name("FILE");
    app.add_option("--enrollment", options.enrollment, "individual or group (default group)")
        ->check(CLI::IsMember({"individual", "group"}))
        ->type_name("KIND");
    app.add_option("--hostname", options.hostname, "Hostname for config.toml")->type_name("H");
    app.add_flag("--dry-run", options.dry_run, "Show the plan and the diff of config.toml; change nothing");
    app.add_flag("--no-apply", options.no_apply, "Place everything, but do not run iotedge config apply");
    app.add_flag("--no-wait", options.no_wait,
                 "Do not wait: neither for another change under way nor for the device to come up");
    app.add_option("--timeout", options.timeout, "How long to wait for the device to come up (default 5min)")
        ->type_name("TIME");
    app.add_flag("--allow-after-2038", options.allow_after_2038,
                 "Accept certificates that expire on or after 2038-01-01");
    app.add_flag("--force", options.force, "Replace another provisioning method that stands in config.toml");
}

}  // namespace eflow
