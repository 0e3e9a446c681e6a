#pragma once

#include <string>
#include <vector>

#include "shared/finding.hpp"

namespace eflow {

/// What identityd's log says of its last way to DPS. identityd keeps of DPS's answer the message alone, no status and
/// no error code: `caused by: DPS client error`, then `caused by: MESSAGE` (aziot-identityd error.rs,
/// aziot-cloud-client-async dps, http-common request.rs).
struct DpsAnswer {
    enum class Kind {
        nothing,       ///< no failure is told of, or a later success
        out_of_reach,  ///< no answer: name, network, TLS, proxy, time
        throttled,     ///< 429 to the end of its retries
        trouble,       ///< an error of the service's own (5xx)
        refused,       ///< DPS said no: waiting does not help
    };
    Kind kind = Kind::nothing;
    std::string text;  ///< as logged
};

/// Reads lines of identityd's journal, oldest first.
DpsAnswer read_dps_answer(const std::vector<std::string>& lines);

/// The finding cloud.registration for it: failed when DPS said no, a warning while identityd tries on. Not for
/// `nothing`.
Finding judge_dps_answer(const DpsAnswer& answer);

}  // namespace eflow
