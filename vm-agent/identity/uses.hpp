#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shared/finding.hpp"
#include "vm-agent/identity/certificate.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {

/// What a judgement of these is called: the finding's id ("identity.edge-ca") and the thing in words, as it stands inside a
/// sentence ("Edge CA", "EST identity").
struct UseLabel {
    std::string id;
    std::string what;
};

/// A file as it was read, with the name that it goes by in texts and commands.
struct FileBytes {
    std::string_view bytes;
    std::string_view name;
};

/// All judgements here are pure, and give at most one failed finding (everything that is wrong, a line each) and at most one
/// warning (what is no fault yet: an end within 30 days, a weak signature, certificates that nothing needs); one `ok` when
/// there is neither. All of them have the label's id. A key that was not looked at is nothing: what needs it is left out.

/// The pair with which edged issues the modules' certificates ([edge_ca] cert, pk): a CA (basicConstraints, keyCertSign when
/// key usage is there), first in its file, belonging to the key by a signature, within its dates, of a kind that keyd serves.
/// Source: edgelet-http-workload/src/module/cert/mod.rs signs with the first certificate of the file, aziot-keys key_pair.rs.
[[nodiscard]] Findings judge_edge_ca_pair(const UseLabel& label, const FileBytes& certificate,
                                          const std::optional<FileBytes>& key, Instant now, Reading reading);

/// The bundle that modules and edgeHub get to trust (trust_bundle_cert): PEM, every block sound, one certificate or more.
/// Dates are advice: a bundle may carry what has expired.
[[nodiscard]] Findings judge_trust_bundle_file(const UseLabel& label, const FileBytes& file, Instant now, Reading reading);

/// A pair that signs in as a TLS client without DPS's rules on names: manual X.509, an EST identity or bootstrap identity.
/// As the DPS identity, but any CN, and no limit of 2038.
[[nodiscard]] Findings judge_client_pair(const UseLabel& label, const FileBytes& certificate,
                                         const std::optional<FileBytes>& key, Instant now, Reading reading);

}  // namespace eflow
