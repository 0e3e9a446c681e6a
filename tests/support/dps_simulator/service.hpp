#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/dps_simulator/directory.hpp"
#include "tests/support/dps_simulator/hub.hpp"
#include "tests/support/dps_simulator/message.hpp"

namespace eflow::dps {

/// DPS's device side, the IoT Hub behind it as far as identityd and edged use it, and a registry for edgeAgent's image.
/// Holds the registrations and the hub's modules; the directory may change between two requests.
class Service {
public:
    /// One request at the time `now`. Never throws on what a client sends.
    Response handle(const Directory& directory, const Request& request, Instant now);

private:
    struct Registration {
        std::string device_id;
        std::string hub;
        std::string created;
        std::string updated;
        std::string thumbprint;
        bool by_group = false;
        bool done = false;
    };
    struct Operation {
        std::string registration_id;
        std::string thumbprint;
        int polls_left = 0;
        std::optional<int> failure;  ///< errorCode of an allocation that failed
        std::string failure_message;
    };

    Response put_register(const Directory& directory, const Request& request, const std::string& scope,
                          const std::string& registration_id, Instant now);
    Response get_operation(const Directory& directory, const Request& request, const std::string& registration_id,
                           const std::string& operation_id, Instant now);
    Response look_up(const Directory& directory, const Request& request, const std::string& registration_id,
                     Instant now);
    Response hub(const Directory& directory, const Request& request, const std::string& device_id,
                 const std::string& module_id, Instant now);
    std::optional<Response> fault_for(const Directory& directory, const std::string& endpoint, Instant now);
    /// `prefix` and twelve hex digits that no other answer has.
    std::string unique(const char* prefix);

    std::map<std::string, Registration> registrations_;  ///< by registration ID, lower case
    std::map<std::string, Operation> operations_;        ///< by operation ID
    Hub hub_;
    std::map<std::size_t, int> faults_used_;
    std::string faults_text_;
    unsigned long counter_ = 0;
};

}  // namespace eflow::dps
