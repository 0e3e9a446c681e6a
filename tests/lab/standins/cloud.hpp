#pragma once

#include <optional>
#include <string>

#include "tests/lab/standins/standin.hpp"

/// identityd's side of HTTPS to DPS and the hub (http-common/src/request.rs, aziot-cloud-client-async).
namespace lab::cloud {

/// A request that got no answer, or none that can be read. `network`: what identityd takes for the network being away
/// (identityd/src/error.rs:25: TimedOut and NotConnected alone).
struct Fault : Fatal {
    Fault(Causes chain, bool is_network) : Fatal(std::move(chain)), network(is_network) {}
    bool network;
};

struct Credentials {
    std::string chain;
    std::string key;
};

/// https://HOST[:PORT][/]
struct Endpoint {
    std::string host;
    std::string port = "443";

    explicit Endpoint(const std::string& url);
};

struct Request {
    std::string method;
    std::string target;
    nlohmann::json body;  ///< null: none
    bool if_match = false;
    int retries = 0;      ///< after the first attempt, 3 s apart; polls have none
    double timeout = 30;  ///< seconds, the default of a request
};

struct Response {
    unsigned status = 0;
    std::string body;
};

/// Sends it, again when it failed, with longer waits while throttled; every failure is a warning. Throws Fault, also
/// when the answer says that it is something else than JSON.
Response send(const Endpoint& endpoint, const Credentials& credentials, const Request& request);

/// The parsed answer with an expected status; else Fault with what DPS said: `code` and `message` must be there
/// (dps/schema.rs ServiceError). `expected` is Rust's debug form, e.g. "[202]".
nlohmann::json of_dps(const Response& response, std::initializer_list<unsigned> statuses, const char* expected);
/// Likewise of the hub, whose errors have `Message`, and whose 500 counts as the network's (hub/mod.rs).
nlohmann::json of_hub(const Response& response);

/// A field of an answer; Fault in serde's words when it is not there.
std::string field(const nlohmann::json& object, const char* name, const std::string& body);

}  // namespace lab::cloud
