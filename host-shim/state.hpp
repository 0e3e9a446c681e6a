#pragma once

#include <string>
#include <string_view>

#include "host-shim/request.hpp"

namespace eflow {

/// What a run leaves for the next one, in %ProgramData%\eflow-shim\state.json. No secret is in it.
struct State {
    std::string sha256;  ///< of the leaf
    std::string scope_id;
    std::string registration_id;
    std::string global_endpoint;
    std::string deployed_by;          ///< SID of the account that ran Deploy-Eflow through us
    bool module_provisioned = false;  ///< Provision-EflowVm said OK for this identity
    bool finished = false;            ///< and the agent's post-install did too

    /// It speaks of the identity that `request` wants.
    [[nodiscard]] bool covers(const Request& request) const;
};

State state_for(const Request& request);
std::string to_json(const State& state);
/// What to_json wrote; an empty state for anything else, since a lost state costs only time.
State state_from(std::string_view text);

}  // namespace eflow
