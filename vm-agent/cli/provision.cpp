#include <memory>

#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/carry_out.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {

namespace {

void require(const std::string& value, const char* flag, const char* manifest_key) {
    if (value.empty())
        throw Failure(ExitCode::usage, std::string(flag) + " is missing",
                      std::string("Give ") + flag + ", or a manifest with --manifest that sets " + manifest_key + ".");
}

Outcome provision(const Context& context, const ProvisionOptions& options) {
    const Tree tree = tree_of(context);
    const Manifest wanted = with_flags(manifest_of(options), options);
    require(wanted.scope_id, "--scope-id", "provisioning.scope_id");
    require(wanted.registration_id, "--registration-id", "provisioning.registration_id");
    require(wanted.certificate, "--cert", "identity.certificate");
    require(wanted.private_key, "--key", "identity.private_key");
    return carry_out(context, tree, "provision", options, [&] {
        const IdentityFiles files{wanted.certificate, wanted.private_key,
                                  read_input(wanted.certificate, InputLimits::file_bytes),
                                  read_input(wanted.private_key, InputLimits::file_bytes)};
        return judge_request(wanted, files, options.allow_after_2038, tree, context.world.now);
    });
}

}  // namespace

Handler declare_provision(CLI::App& app) {
    auto options = std::make_shared<ProvisionOptions>();
    declare_options(app, *options);
    return [options](const Context& context) { return provision(context, *options); };
}

}  // namespace eflow
