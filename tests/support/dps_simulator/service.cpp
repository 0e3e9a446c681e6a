#include "tests/support/dps_simulator/service.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <regex>

#include <nlohmann/json.hpp>

#include "tests/support/dps_simulator/registry.hpp"

namespace eflow::dps {

namespace {

using nlohmann::json;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text;
}

std::string percent_decoded(const std::string& text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned byte = 0;
        if (text[i] == '%' && i + 2 < text.size() && std::sscanf(text.c_str() + i + 1, "%2x", &byte) == 1) {
            plain += static_cast<char>(byte);
            i += 2;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

/// `/a/b/c?query` as its parts, decoded; the query apart.
struct Target {
    std::vector<std::string> parts;
    std::string query;

    explicit Target(const std::string& text) {
        const auto mark = text.find('?');
        const std::string path = text.substr(0, mark);
        if (mark != std::string::npos) query = text.substr(mark + 1);
        for (std::size_t from = 1; from < path.size();) {
            const auto to = std::min(path.find('/', from), path.size());
            parts.push_back(percent_decoded(path.substr(from, to - from)));
            from = to + 1;
        }
    }
};

/// Any dated version: the SDKs send their own constants, identityd 2021-06-01.
bool has_api_version(const std::string& query) {
    static const std::regex version("(^|&)api-version=[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?(&|$)");
    return std::regex_search(query, version);
}

Response error(int status, int code, const std::string& message, const std::string& tracking_id, Instant now) {
    Response response = json_response(
        status, {{"errorCode", code}, {"trackingId", tracking_id}, {"message", message}, {"timestampUtc", utc(now)}});
    response.headers["x-ms-request-id"] = tracking_id;
    return response;
}

Response wrong_method(const std::string& tracking_id, Instant now) {
    return error(405, 405000, "Method not allowed", tracking_id, now);
}

}  // namespace

std::string utc(Instant now) {
    const std::time_t seconds = now.time_since_epoch().count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[40];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.0000000Z", &parts);
    return text;
}

Response json_response(int status, const json& body) {
    Response response;
    response.status = status;
    response.headers = {{"content-type", "application/json; charset=utf-8"},
                        {"strict-transport-security", "max-age=31536000; includeSubDomains"}};
    response.body = body.dump();
    return response;
}

std::string Service::unique(const char* prefix) {
    char digits[20];
    std::snprintf(digits, sizeof digits, "%012lx", ++counter_);
    return std::string(prefix) + digits;
}

std::optional<Response> Service::fault_for(const Directory& directory, const std::string& endpoint, Instant now) {
    if (faults_text_ != directory.faults_text) {
        faults_text_ = directory.faults_text;
        faults_used_.clear();
    }
    for (std::size_t i = 0; i < directory.faults.size(); ++i) {
        const Fault& fault = directory.faults[i];
        if (fault.on != endpoint || faults_used_[i] >= fault.times) continue;
        ++faults_used_[i];
        const std::string id = unique("fa000000-0000-4000-8000-");
        Response response;
        switch (fault.kind) {
            case Fault::Kind::cut: response.status = 0; break;
            case Fault::Kind::slow:
                response.status = -1;  // answered properly, later
                response.delay = fault.delay;
                break;
            case Fault::Kind::throttle:
                response = endpoint == "hub"
                               ? hub_error(429, "ErrorCode:ThrottlingException;Operations are being throttled", now)
                               : error(429, 429001,
                                       "Operations are being throttled for this tenant. Please retry later.", id, now);
                break;
            case Fault::Kind::error:
                response = endpoint == "hub" ? hub_error(fault.status, fault.message, now)
                                             : error(fault.status, fault.error_code, fault.message, id, now);
                break;
            case Fault::Kind::raw:
                response.status = fault.status;
                if (!fault.content_type.empty()) response.headers["content-type"] = fault.content_type;
                response.body = fault.message;
                break;
        }
        if (fault.retry_after) response.headers["retry-after"] = std::to_string(*fault.retry_after);
        return response;
    }
    return std::nullopt;
}

Response Service::handle(const Directory& directory, const Request& request, Instant now) {
    const Target target(request.target);
    const auto& parts = target.parts;
    const std::string id = unique("7c000000-0000-4000-8000-");

    // /v2/… is a registry's, /devices/{id}/modules[/{name}] the hub's; the rest is
    // /{idScope}/registrations/{registrationId}[/…].
    if (!parts.empty() && parts[0] == "v2") {
        const auto fault = fault_for(directory, "registry", now);
        Response pulled = fault && fault->status >= 0 ? *fault : answer_pull(directory.images, request.target);
        if (fault) pulled.delay = fault->delay;
        return pulled;
    }
    const bool hub_request = (parts.size() == 3 || parts.size() == 4) && parts[0] == "devices" && parts[2] == "modules";
    const bool registering = parts.size() == 4 && parts[3] == "register";
    const bool polling = parts.size() == 5 && parts[3] == "operations";
    const bool looking_up = parts.size() == 3 && !hub_request;
    if (!hub_request && (parts.size() < 3 || parts[1] != "registrations" || !(registering || polling || looking_up)))
        return error(404, 404000, "Not found", id, now);
    if (!has_api_version(target.query)) return error(400, 400003, "Invalid API version", id, now);

    auto fault = fault_for(directory, hub_request ? "hub" : polling ? "operations" : "register", now);
    if (fault && fault->status >= 0) return *fault;

    const auto answer = [&] {
        if (hub_request) return hub(directory, request, parts[1], parts.size() == 4 ? parts[3] : "", now);
        if (std::find(directory.scopes.begin(), directory.scopes.end(), parts[0]) == directory.scopes.end())
            return error(404, 404201, "Device Provisioning Service not found!", id, now);
        if (registering)
            return request.method == "PUT" ? put_register(directory, request, parts[0], parts[2], now)
                                           : wrong_method(id, now);
        if (polling)
            return request.method == "GET" ? get_operation(directory, request, parts[2], parts[4], now)
                                           : wrong_method(id, now);
        return request.method == "POST" ? look_up(directory, request, parts[2], now) : wrong_method(id, now);
    };
    Response response = answer();
    if (fault) response.delay = fault->delay;
    return response;
}

Response Service::put_register(const Directory& directory, const Request& request, const std::string& scope,
                               const std::string& registration_id, Instant now) {
    const std::string id = unique("2b000000-0000-4000-8000-");
    if (request.content_type.rfind("application/json", 0) != 0)
        return error(415, 415000, "Unsupported media type", id, now);
    const json body = json::parse(request.body, nullptr, false);
    if (!body.is_object() || !body.contains("registrationId") || !body.at("registrationId").is_string() ||
        lower(body.at("registrationId").get<std::string>()) != lower(registration_id))
        return error(400, 400004, "The registration ID of the body is not that of the URI", id, now);

    const Decision decision = match(directory, registration_id, request.chain, now);
    if (decision.kind == Decision::Kind::refused) return error(401, 401002, decision.why, id, now);
    if (decision.kind == Decision::Kind::disabled)
        return json_response(200,
                             {{"operationId", ""},
                              {"status", "disabled"},
                              {"registrationState", {{"registrationId", registration_id}, {"status", "disabled"}}}});

    Operation operation;
    operation.registration_id = lower(registration_id);
    operation.thumbprint = request.chain.front().sha256();
    operation.polls_left = directory.polls_assigning;
    if (!directory.hub) {
        operation.failure = 401001;
        operation.failure_message = "IotHub not found";
    }
    const std::string operation_id = unique("4.5cda764d087b4e5a.6c6a7983-b979-44eb-8611-");
    operations_[operation_id] = operation;
    if (directory.hub) {
        Registration& registration = registrations_[operation.registration_id];
        registration.device_id = decision.device_id;
        registration.hub = *directory.hub;
        if (registration.created.empty()) registration.created = utc(now);
        registration.updated = utc(now);
        registration.thumbprint = operation.thumbprint;
        registration.by_group = decision.by_group;
        registration.done = false;
    }
    Response response =
        json_response(202, {{"operationId", operation_id},
                            {"status", "assigning"},
                            {"registrationState", {{"registrationId", registration_id}, {"status", "assigning"}}}});
    response.headers["retry-after"] = std::to_string(directory.retry_after);
    response.headers["location"] = "/" + scope + "/registrations/" + registration_id + "/operations/" + operation_id;
    return response;
}

Response Service::get_operation(const Directory& directory, const Request& request, const std::string& registration_id,
                                const std::string& operation_id, Instant now) {
    const std::string id = unique("3d000000-0000-4000-8000-");
    const auto found = operations_.find(operation_id);
    if (found == operations_.end() || found->second.registration_id != lower(registration_id))
        return error(404, 404202, "Operation not found", id, now);
    Operation& operation = found->second;
    if (request.chain.empty() || request.chain.front().sha256() != operation.thumbprint)
        return error(401, 401002, "Unauthorized", id, now);

    json state = {{"registrationId", registration_id}, {"lastUpdatedDateTimeUtc", utc(now)}};
    if (operation.polls_left > 0) {
        --operation.polls_left;
        state["status"] = "assigning";
        Response response =
            json_response(202, {{"operationId", operation_id}, {"status", "assigning"}, {"registrationState", state}});
        response.headers["retry-after"] = std::to_string(directory.retry_after);
        return response;
    }
    if (operation.failure) {
        state["status"] = "failed";
        state["errorCode"] = *operation.failure;
        state["errorMessage"] = operation.failure_message;
        return json_response(200, {{"operationId", operation_id}, {"status", "failed"}, {"registrationState", state}});
    }
    Registration& registration = registrations_[operation.registration_id];
    registration.done = true;
    state["status"] = "assigned";
    state["substatus"] = "initialAssignment";
    state["createdDateTimeUtc"] = registration.created;
    state["assignedHub"] = registration.hub;
    state["deviceId"] = registration.device_id;
    state["etag"] = "IjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCI=";
    return json_response(200, {{"operationId", operation_id}, {"status", "assigned"}, {"registrationState", state}});
}

Response Service::look_up(const Directory& directory, const Request& request, const std::string& registration_id,
                          Instant now) {
    const std::string id = unique("5e000000-0000-4000-8000-");
    const Decision decision = match(directory, registration_id, request.chain, now);
    if (decision.kind == Decision::Kind::refused) return error(401, 401002, decision.why, id, now);
    const auto found = registrations_.find(lower(registration_id));
    if (found == registrations_.end()) return error(404, 404201, "Registration not found", id, now);
    const Registration& registration = found->second;
    return json_response(200, {{"registrationId", registration_id},
                               {"createdDateTimeUtc", registration.created},
                               {"lastUpdatedDateTimeUtc", registration.updated},
                               {"assignedHub", registration.hub},
                               {"deviceId", registration.device_id},
                               {"status", registration.done ? "assigned" : "assigning"}});
}

Response Service::hub(const Directory& directory, const Request& request, const std::string& device_id,
                      const std::string& module_id, Instant now) {
    const auto registered = std::find_if(registrations_.begin(), registrations_.end(), [&](const auto& entry) {
        return entry.second.device_id == device_id && entry.second.done;
    });
    const bool known = registered != registrations_.end() && !request.chain.empty();
    // The hub keeps the thumbprint of an individual enrollment's leaf, and trusts a group's CA.
    const bool admitted =
        known && (registered->second.by_group
                      ? match(directory, registered->first, request.chain, now).kind == Decision::Kind::admitted
                      : registered->second.thumbprint == request.chain.front().sha256());
    if (!admitted) return hub_error(401, "ErrorCode:IotHubUnauthorizedAccess;Unauthorized", now);
    return hub_.answer(request, device_id, module_id, now);
}

}  // namespace eflow::dps
