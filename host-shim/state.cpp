#include "host-shim/state.hpp"

#include <nlohmann/json.hpp>

#include "shared/json_text.hpp"

namespace eflow {

State state_for(const Request& request) {
    State state;
    state.sha256 = request.leaf ? request.leaf->sha256 : "";
    state.scope_id = request.device.scope_id;
    state.registration_id = request.device.registration_id;
    state.global_endpoint = request.device.global_endpoint.value_or("");
    return state;
}

bool State::covers(const Request& request) const {
    const State wanted = state_for(request);
    return !sha256.empty() && sha256 == wanted.sha256 && scope_id == wanted.scope_id &&
           registration_id == wanted.registration_id && global_endpoint == wanted.global_endpoint;
}

std::string to_json(const State& state) {
    return nlohmann::json({{"schema", 1},
                           {"sha256", state.sha256},
                           {"scope_id", state.scope_id},
                           {"registration_id", state.registration_id},
                           {"global_endpoint", state.global_endpoint},
                           {"deployed_by", state.deployed_by},
                           {"module_provisioned", state.module_provisioned},
                           {"finished", state.finished}})
               .dump(2) +
           "\n";
}

State state_from(std::string_view text) {
    const nlohmann::json object = parse_json(text);
    State state;
    if (!object.is_object() || object.value("schema", nlohmann::json()) != 1) return state;
    try {
        state.sha256 = object.at("sha256").get<std::string>();
        state.scope_id = object.at("scope_id").get<std::string>();
        state.registration_id = object.at("registration_id").get<std::string>();
        state.global_endpoint = object.at("global_endpoint").get<std::string>();
        state.deployed_by = object.at("deployed_by").get<std::string>();
        state.module_provisioned = object.at("module_provisioned").get<bool>();
        state.finished = object.at("finished").get<bool>();
    } catch (const nlohmann::json::exception&) {
        return {};
    }
    return state;
}

}  // namespace eflow
