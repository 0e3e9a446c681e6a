#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host-shim/host.hpp"
#include "host-shim/options.hpp"
#include "shared/deployment.hpp"
#include "shared/finding.hpp"
#include "shared/manifest.hpp"
#include "shared/secret.hpp"

namespace eflow {

/// What is wanted, from the manifest or the autodeploy configuration, with the command line's word last. `findings`
/// says what is wrong with it; a text that no valid identifier could be made of never leaves this program.
struct Request {
    Manifest device;  ///< certificate and private_key are paths on this host
    std::optional<Deployment> deployment;
    std::string certificate_pem;
    SecretBytes key_pem;
    std::optional<LeafFacts> leaf;
    Findings findings;

    [[nodiscard]] bool refused() const { return gravest(findings) == Severity::failed; }
};

/// Reads every file that `options` name and judges what the host can judge: the form of the identifiers, the files
/// there and PEM and unencrypted, the CN. Throws Failure(refused) when a manifest cannot be used at all.
Request make_request(const Options& options, Host& host);

/// device.toml as it goes into the bundle: the identity's files by the names they have there.
std::string bundle_manifest(const Manifest& device);

/// eflow-userconfig.json (schema 1.1 of eflowAutoDeploy.ps1): what concerns us, and a warning that names the rest that
/// is set. Empty texts and 0 mean "not set" there. Throws Failure(refused) on JSON that is none, or that provisions
/// otherwise than with DpsX509.
struct AutodeployConfig {
    Manifest device;
    Deployment deployment;
    Findings findings;
};
AutodeployConfig parse_autodeploy(std::string_view text);

}  // namespace eflow
