// aziot-identityd: provisions with DPS X.509 as upstream does, and loses keys as upstream does
// (identity/aziot-identityd/src/identity.rs get_identity_credentials, lib.rs reprovision_device,
// aziot-cloud-client-async/src/dps).
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include "tests/lab/standins/cloud.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/pem.hpp"

namespace {

using lab::Causes;
using nlohmann::json;

constexpr const char* keyd = "/run/aziot/keyd.sock";
constexpr const char* certd = "/run/aziot/certd.sock";

/// error.rs: what failed, and whether it was the cloud.
struct Fault : lab::Fatal {
    enum class Kind { internal, dps, hub, parameter };
    Fault(Kind of, const Causes& why, bool is_network = false) : Fatal(chain(of, why)), kind(of), network(is_network) {}
    Kind kind;
    bool network;

private:
    static Causes chain(Kind kind, Causes why) {
        if (kind == Kind::parameter) return why;
        why.insert(why.begin(), std::string(kind == Kind::dps   ? "DPS client error"
                                            : kind == Kind::hub ? "Hub client error"
                                                                : "internal error"));
        return why;
    }
};

[[noreturn]] void no_credentials(const std::string& why) {
    throw Fault(Fault::Kind::internal, {"could not create certificate", why});
}

/// Runs a request to the cloud; what fails is DPS's or the hub's.
template <typename Ask>
auto of(Fault::Kind kind, const Ask& ask) {
    try {
        return ask();
    } catch (const lab::cloud::Fault& fault) {
        throw Fault(kind, fault.causes, fault.network);
    }
}

class Identityd {
public:
    explicit Identityd(const toml::value& config)
        : config_(config),
          home_(lab::text_in(config, "homedir")),
          provisioning_(config.contains("provisioning") ? config.at("provisioning") : toml::value(toml::table())) {}

    /// `at_start`: a device_info from an earlier run spares the way to DPS, and the hub's no is worth one more
    /// registration (lib.rs reprovision_device).
    void reprovision(bool at_start) {
        lab::info(std::string("Provisioning starting. Reason: ") + (at_start ? "Startup" : "Api"));
        if (!at_start) {
            ::unlink(device_info().c_str());
            device_ = {};
        }
        provision(at_start);
        lab::info("Provisioning complete.");
        lab::info(std::string("Identity reconciliation started. Reason: ") + (at_start ? "Startup" : "Api"));
        try {
            reconcile();
        } catch (const Fault& fault) {
            if (fault.kind != Fault::Kind::hub || !at_start) throw;
            if (fault.network) {
                lab::warn("Network not available for Identity reconciliation. Using offline backup from last run.");
                return;
            }
            lab::info("Could not reconcile Identities with current device data. Reprovisioning.");
            try {
                provision(false);
            } catch (const Fault& again) {
                if (!again.network) throw;
                lab::warn("Reprovisioning failed to communicate with DPS. Using offline backup from last run.");
                return;
            }
            reconcile();
        }
        lab::info("Identity reconciliation complete.");
    }

    lab::Answer answer(const lab::Call& call) {
        const std::string path = call.target.substr(0, call.target.find('?'));
        const std::string modules = "/identities/modules/";
        try {
            if (path == "/identities/device" && (call.method == "GET" || call.method == "POST"))
                return {200, identity({})};
            if (path == "/identities/device/reprovision" && call.method == "POST") {
                reprovision(false);
                return {200, json::object()};
            }
            if (path.rfind(modules, 0) == 0 && call.method == "PUT")
                return {200, update_module(path.substr(modules.size()))};
        } catch (const Fault& fault) {
            // http/mod.rs to_http_error.
            return lab::refusal(fault.kind == Fault::Kind::internal    ? 500
                                : fault.kind == Fault::Kind::parameter ? 400
                                                                       : 404,
                                fault.causes);
        }
        return lab::refusal(404, {"not found"});
    }

private:
    struct Device {
        std::string hub;
        std::string id;
    };

    [[nodiscard]] std::string device_info() const { return home_ + "/device_info"; }

    [[nodiscard]] json identity(const json& module) const {
        if (device_.id.empty()) throw Fault(Fault::Kind::parameter, {"device identity not found"});
        json spec = {{"hubName", device_.hub}, {"gatewayHost", device_.hub}, {"deviceId", device_.id}};
        if (module.is_null()) {
            spec["auth"] = {{"type", "x509"}, {"keyHandle", "device-id"}, {"certId", "device-id"}};
        } else {
            spec["moduleId"] = module.at("moduleId");
            spec["genId"] = module.at("generationId");
        }
        return {{"type", "aziot"}, {"spec", spec}};
    }

    void provision(bool backup_will_do) {
        if (lab::text_in(provisioning_, "source") != "dps") throw lab::Fatal({"only dps provisioning stands in here"});
        const auto& attestation = provisioning_.at("attestation");
        credentials_ = credentials(attestation);
        if (backup_will_do && restore()) {
            lab::info("Provisioned with backup for " + device_.id + ".");
        } else {
            of(Fault::Kind::dps, [&] { register_with_dps(attestation); });
        }
        lab::info("Successfully provisioned with DPS.");
    }

    /// Any failure of certd is taken for "there is no certificate": with a subject for a CSR at hand, the key pair is
    /// deleted and a new one made at its path. This is upstream's behaviour, and why the agent places keys as it does.
    lab::cloud::Credentials credentials(const toml::value& attestation) {
        const std::string key_id = lab::text_in(attestation, "identity_pk");
        const std::string cert_id = lab::text_in(attestation, "identity_cert");
        const lab::Answer key = asked(keyd, "/keypair/" + key_id + lab::api_version);
        const lab::Answer cert = asked(certd, "/certificates/" + cert_id + lab::api_version);
        if (cert.status == 200) {
            const std::string pem = cert.body.at("pem");
            const auto read = eflow::read_certificates(pem, cert_id);
            if (key.status != 200) no_credentials(lab::message_of(key));
            if (std::holds_alternative<eflow::Finding>(read)) no_credentials("no certs in stack");
            std::string chain;
            for (const auto& certificate : std::get<std::vector<eflow::Certificate>>(read)) chain += certificate.pem();
            return {chain, key.body.at("privateKey")};
        }
        if (!attestation.contains("registration_id"))
            no_credentials("identity cert does not exist; cannot create new cert as registration ID is unknown");
        const auto must = [](const lab::Answer& answer) {
            if (answer.status >= 300) no_credentials(lab::message_of(answer));
        };
        if (key.status == 200) must(lab::ask(keyd, "DELETE", "/keypair/" + key_id + lab::api_version));
        must(lab::ask(keyd, "POST", "/keypair/" + key_id + lab::api_version));
        const lab::Answer issued = lab::ask(certd, "PUT", "/certificates/" + cert_id + lab::api_version);
        no_credentials(lab::message_of(issued));
    }

    /// A service that is down is a failure like any other.
    static lab::Answer asked(const char* socket, const std::string& target) {
        try {
            return lab::ask(socket, "GET", target);
        } catch (const lab::Fatal& fault) {
            return {503, {{"message", fault.what()}}};
        }
    }

    bool restore() {
        if (::access(device_info().c_str(), F_OK) != 0) return false;
        try {
            std::istringstream text(lab::read_file(device_info()));
            const toml::value stored = toml::parse(text, device_info());
            device_ = {lab::text_in(stored, "hub_name"), lab::text_in(stored, "device_id")};
            if (!device_.hub.empty() && !device_.id.empty()) return true;
        } catch (const std::exception&) {
        }
        lab::warn("Ignoring invalid device info backup: could not parse device information state");
        ::unlink(device_info().c_str());
        return false;
    }

    /// A request with the attempts and the time that identityd's settings give it (aziot-identityd-config lib.rs:62).
    [[nodiscard]] lab::cloud::Request request(const std::string& method, const std::string& target,
                                              const json& body = {}) const {
        const auto setting = [&](const char* name, int otherwise) {
            return config_.contains(name) ? static_cast<int>(config_.at(name).as_integer()) : otherwise;
        };
        lab::cloud::Request made{method, target, body};
        made.retries = setting("cloud_retries", 1);
        made.timeout = setting("cloud_timeout_sec", 70);
        return made;
    }

    std::string registration_id(const toml::value& attestation) {
        const std::string configured = lab::text_in(attestation, "registration_id");
        if (!configured.empty()) return configured;
        const auto chain = eflow::read_certificates(credentials_.chain, "device-id");
        const auto name = std::get<std::vector<eflow::Certificate>>(chain).front().common_name();
        if (!name) no_credentials("cannot determine cert subject");
        return *name;
    }

    /// lib.rs load_dps_request_payload: a file that is read when it is needed.
    json payload() {
        const std::string uri =
            provisioning_.contains("payload") ? lab::text_in(provisioning_.at("payload"), "uri") : std::string();
        if (uri.empty()) return {};
        try {
            return json::parse(lab::read_file(lab::path_of(uri)));
        } catch (const std::exception& fault) {
            lab::error("Error loading DPS payload: Some(Payload { uri: " + uri + " })");
            throw Fault(Fault::Kind::parameter,
                        {"parameter \"provisioning.payload\" has an invalid value", fault.what()});
        }
    }

    void register_with_dps(const toml::value& attestation) {
        const lab::cloud::Endpoint endpoint(lab::text_in(provisioning_, "global_endpoint"));
        const std::string id = registration_id(attestation);
        const std::string base = "/" + lab::text_in(provisioning_, "scope_id") + "/registrations/" + id;
        const std::string version = "?api-version=2021-06-01";
        json body = {{"registrationId", id}};
        if (const json extra = payload(); !extra.is_null()) body["payload"] = extra;
        lab::info("Sending DPS registration request.");
        const auto started =
            lab::cloud::send(endpoint, credentials_, request("PUT", base + "/register" + version, body));
        const std::string operation =
            lab::cloud::field(lab::cloud::of_dps(started, {202}, "[202]"), "operationId", started.body);
        for (;;) {
            lab::pause("LAB_DPS_POLL_MS", 5);
            lab::info("Checking DPS registration status.");
            // Polls are not retried, and have the default timeout (dps/mod.rs:166 ff.).
            const auto polled = lab::cloud::send(
                endpoint, credentials_, {"GET", base + "/operations/" + operation + version, json(), false, 0, 30});
            const json seen = lab::cloud::of_dps(polled, {200, 202}, "[200, 202]");
            const std::string status = lab::cloud::field(seen, "status", polled.body);
            if (status == "assigning") {
                lab::info("DPS registration is still in progress.");
                continue;
            }
            const json& state = seen.at("registrationState");
            if (status == "failed")
                throw lab::cloud::Fault({lab::cloud::field(state, "errorMessage", polled.body)}, false);
            if (status != "assigned")
                throw lab::cloud::Fault({"unknown variant `" + status +
                                         "`, expected one of `assigned`, `assigning`, `failed` at line 1 column " +
                                         std::to_string(polled.body.size())},
                                        false);
            device_ = {lab::cloud::field(state, "assignedHub", polled.body),
                       lab::cloud::field(state, "deviceId", polled.body)};
            lab::info("Assigned to IoT hub: " + device_.hub);
            lab::info("DPS registration complete.");
            return;
        }
    }

    json hub(lab::cloud::Request what, const std::string& module) {
        what.target = "/devices/" + device_.id + "/modules" + (module.empty() ? "" : "/" + module) +
                      "?api-version=2017-11-08-preview";
        return of(Fault::Kind::hub, [&] {
            return lab::cloud::of_hub(
                lab::cloud::send(lab::cloud::Endpoint("https://" + device_.hub), credentials_, what));
        });
    }

    /// Lists the device's modules in the hub; only then is the assignment written down.
    void reconcile() {
        hub(request("GET", ""), "");
        try {
            lab::write_file(device_info(),
                            "hub_name = \"" + device_.hub + "\"\nlocal_gateway_hostname = \"" + device_.hub +
                                "\"\ndevice_id = \"" + device_.id + "\"\n",
                            0644, "aziotid");
        } catch (const lab::Fatal& fault) {
            throw Fault(Fault::Kind::internal, {"could not save device information state", fault.what()});
        }
    }

    /// identity.rs update_module_identity: what edged does before it creates edgeAgent. Upstream derives the module's
    /// keys with keyd; here they are none.
    json update_module(const std::string& name) {
        if (device_.id.empty()) throw Fault(Fault::Kind::parameter, {"device identity not found"});
        const json module = hub(request("GET", ""), name);
        lab::cloud::Request change = request("PUT", "",
                                             {{"moduleId", name},
                                              {"deviceId", device_.id},
                                              {"generationId", module.value("generationId", "")},
                                              {"authentication", {{"type", "sas"}}}});
        change.if_match = true;
        return identity(hub(change, name));
    }

    toml::value config_;
    std::string home_;
    toml::value provisioning_;
    lab::cloud::Credentials credentials_;
    Device device_;
};

}  // namespace

int main() {
    return lab::run_service([] {
        Identityd service(lab::configuration("identityd"));
        lab::info("Loaded openssl'd Default provider");
        try {
            service.reprovision(true);
        } catch (const lab::Fatal& fault) {
            lab::error("Failed to provision with IoT Hub, and no valid device backup was found: " +
                       fault.causes.front());
            throw;
        }
        lab::serve([&](const lab::Call& call) { return service.answer(call); });
    });
}
