#include "tests/support/dps_simulator/hub.hpp"

namespace eflow::dps {

using nlohmann::json;

Response hub_error(int status, const std::string& message, Instant now) {
    return json_response(status, {{"Message", message}, {"ExceptionMessage", "Tracking ID:0-TimeStamp:" + utc(now)}});
}

Response Hub::answer(const Request& request, const std::string& device, const std::string& module, Instant now) {
    auto& modules = modules_[device];
    const auto create = [&](const std::string& name, const json& asked) {
        modules[name] = {{"moduleId", name},
                         {"deviceId", device},
                         {"managedBy", asked.value("managedBy", "IotEdge")},
                         {"generationId", std::to_string(638'000'000'000'000'000L + now.time_since_epoch().count())},
                         {"authentication", asked.value("authentication", json{{"type", "none"}})}};
    };
    if (modules.empty())
        for (const char* name : {"$edgeAgent", "$edgeHub"}) create(name, json::object());

    if (module.empty()) {
        if (request.method != "GET") return hub_error(405, "ErrorCode:MethodNotAllowed", now);
        json all = json::array();
        for (const auto& [name, one] : modules) all.push_back(one);
        return json_response(200, all);
    }
    const auto found = modules.find(module);
    if (request.method == "PUT") {
        const json asked = json::parse(request.body, nullptr, false);
        if (!asked.is_object() || asked.value("moduleId", "") != module)
            return hub_error(400, "ErrorCode:ArgumentInvalid;BadRequest", now);
        // With If-Match it is an update, without one a creation (hub/mod.rs, create_module and update_module).
        if (!request.if_match && found != modules.end())
            return hub_error(409,
                             "ErrorCode:ModuleAlreadyExistsOnDevice;A module with ID '" + module + "' on device ID '" +
                                 device + "' is already registered.",
                             now);
        if (found == modules.end()) {
            create(module, asked);
        } else if (asked.contains("authentication")) {
            found->second["authentication"] = asked.at("authentication");
        }
        return json_response(200, modules.at(module));
    }
    if (found == modules.end())
        return hub_error(404, "ErrorCode:ModuleNotFound;Module " + module + " on device " + device + " not found.",
                         now);
    if (request.method == "DELETE") {
        modules.erase(found);
        return {204, {}, {}, {}};
    }
    if (request.method == "GET") return json_response(200, found->second);
    return hub_error(405, "ErrorCode:MethodNotAllowed", now);
}

}  // namespace eflow::dps
