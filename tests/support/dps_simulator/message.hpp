#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "vm-agent/identity/certificate.hpp"

namespace eflow::dps {

struct Request {
    std::string method;
    std::string target;  ///< as on the wire, with the query
    std::string content_type;
    std::string body;
    std::vector<Certificate> chain;  ///< what the client sent in the handshake, leaf first; may be empty
    bool if_match = false;           ///< whether the header If-Match was sent
};

/// Status 0: cut the connection without a word.
struct Response {
    int status = 200;
    std::map<std::string, std::string> headers;
    std::string body;
    std::chrono::milliseconds delay{0};
};

[[nodiscard]] Response json_response(int status, const nlohmann::json& body);

/// As the services write times: 2026-01-31T12:00:00.0000000Z.
[[nodiscard]] std::string utc(Instant now);

}  // namespace eflow::dps
