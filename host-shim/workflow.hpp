#pragma once

#include <string>
#include <vector>

#include "host-shim/host.hpp"
#include "host-shim/options.hpp"
#include "host-shim/request.hpp"
#include "shared/report.hpp"

namespace eflow {

// provision, as a list of steps computed from what is wanted and what was seen, run against a Host.
//
// THE INTERFACE TO THE VM (for whoever writes the agent's side, or stands in for the VM in a test)
//
// Everything goes through two cmdlets. Copy-EflowVmFile -pushFile brings one file, bundle.tar, into
// /run/eflow-shim-HEX. Invoke-EflowVmCommand runs `echo BASE64 | base64 -d | sudo sh -s -- HEX [WORDS]`, where BASE64
// is host-shim/scripts/vm-common.sh and one more of them. In the order of a first run:
//
//   prepare HEX          makes /run/eflow-shim-HEX for the SSH user (SUDO_UID), tells the agent's path and version and,
//   when
//                        there is one, its `status --json`
//   (copy)               bundle.tar: bundle/device.toml, bundle/identity.cert.pem, bundle/identity.key.pem, and the
//   agent
//                        itself as eflow-agent when the VM has none or an older one of ours
//   judge HEX WORDS      eflow-agent post-install --bundle DIR --dry-run --json WORDS      exit code and report are
//   sent back (Provision-EflowVm)  of the module, which writes config.toml with copies of its own finish HEX WORDS
//   eflow-agent install-self --json (when the agent came in the bundle), then
//                        eflow-agent post-install --bundle DIR --json WORDS; report sent back; the folder is wiped
//   clean HEX            only when finish did not say that it removed the folder
//
// DIR is /run/eflow-shim-HEX/work/bundle, root's, 0700. device.toml names the identity's files by their names beside
// it. WORDS are --timeout Ns, --force and --allow-after-2038. The agent prints one schema-1 report on standard output.

enum class StepKind { deploy, dns, start, prepare, copy, judge, provision, finish, clean, verify };

struct Step {
    StepKind kind;
    std::string id;     ///< stable: in the report, in finding ids as "shim.ID"
    std::string title;  ///< what a person reads
};

/// The steps of provisioning. Pure.
std::vector<Step> plan_provision(const Options& options, const Request& request, const HostFacts& facts);

/// Looks, judges, and does the steps; what was staged goes whatever happens. The report's exit code is the agent's when
/// the agent had the last word.
Report provision(const Options& options, Host& host);

}  // namespace eflow
