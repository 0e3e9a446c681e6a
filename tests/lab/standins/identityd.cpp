// aziot-identityd: provisions with DPS X.509 as upstream does, and loses keys as upstream does
// (identity/aziot-identityd/src/identity.rs get_identity_credentials, lib.rs reprovision_device,
// aziot-cloud-client-async/src/dps).
#include <thread>
#include <utility>  // asio/awaitable.hpp of Boost 1.74 uses std::exchange without it

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <unistd.h>

#include "tests/lab/standins/standin.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/pem.hpp"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using nlohmann::json;

constexpr const char* keyd = "/run/aziot/keyd.sock";
constexpr const char* certd = "/run/aziot/certd.sock";

/// The cloud was out of reach, as against having said no.
struct NetworkFault : lab::Fatal {
    using Fatal::Fatal;
};
/// The hub refused: worth one fresh registration.
struct HubFault : lab::Fatal {
    using Fatal::Fatal;
};

struct Credentials {
    std::string chain;
    std::string key;
};

struct Device {
    std::string hub;
    std::string id;
};

/// https://HOST[:PORT][/]
struct Endpoint {
    std::string host;
    std::string port = "443";

    explicit Endpoint(const std::string& url) {
        const auto start = url.find("://");
        std::string rest = start == std::string::npos ? url : url.substr(start + 3);
        rest = rest.substr(0, rest.find('/'));
        const auto colon = rest.find(':');
        host = rest.substr(0, colon);
        if (colon != std::string::npos) port = rest.substr(colon + 1);
    }
};

lab::Answer ask_cloud(const Endpoint& endpoint, const Credentials& credentials, const std::string& method,
                      const std::string& target, const json& body, int timeout_seconds) {
    try {
        asio::ssl::context context(asio::ssl::context::tls_client);
        context.set_default_verify_paths();
        context.load_verify_file("/etc/ssl/certs/ca-certificates.crt");
        context.set_verify_mode(asio::ssl::verify_peer);
        context.use_certificate_chain(asio::buffer(credentials.chain));
        context.use_private_key(asio::buffer(credentials.key), asio::ssl::context::pem);
        asio::io_context loop;
        beast::ssl_stream<beast::tcp_stream> stream(loop, context);
        stream.set_verify_callback(asio::ssl::rfc2818_verification(endpoint.host));
        SSL_set_tlsext_host_name(stream.native_handle(), endpoint.host.c_str());
        asio::ip::tcp::resolver resolver(loop);
        auto& socket = beast::get_lowest_layer(stream);
        socket.socket().open(asio::ip::tcp::v4());
        const timeval patience{timeout_seconds, 0};
        setsockopt(socket.socket().native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        asio::connect(socket.socket(), resolver.resolve(endpoint.host, endpoint.port));
        stream.handshake(asio::ssl::stream_base::client);
        http::request<http::string_body> request(http::string_to_verb(method), target, 11);
        request.set(http::field::host, endpoint.host);
        if (!body.is_null()) {
            request.set(http::field::content_type, "application/json; charset=utf-8");
            request.body() = body.dump();
        }
        request.prepare_payload();
        http::write(stream, request);
        beast::flat_buffer buffer;
        http::response<http::string_body> response;
        http::read(stream, buffer, response);
        lab::Answer answer{response.result_int(), json::parse(response.body(), nullptr, false)};
        if (answer.body.is_discarded()) throw lab::Fatal("expected value at line 1 column 1");
        return answer;
    } catch (const boost::system::system_error& fault) {
        // A certificate and a key that do not belong together fail while the connection is being made ready.
        if (fault.code().category() == asio::error::get_ssl_category() &&
            std::string(fault.what()).find("key values mismatch") != std::string::npos)
            throw lab::Fatal(fault.what());
        lab::warn("Failed to send HTTP request (attempt 1 of 1): client error (Connect)");
        throw NetworkFault("client error (Connect)\n" + fault.code().message());
    }
}

class Identityd {
public:
    explicit Identityd(const toml::value& config)
        : config_(config),
          home_(lab::text_in(config, "homedir")),
          provisioning_(config.contains("provisioning") ? config.at("provisioning") : toml::value(toml::table())) {}

    /// `backup_will_do`: at start a device_info from an earlier run spares the way to DPS.
    void reprovision(bool backup_will_do) {
        lab::info(std::string("Provisioning starting. Reason: ") + (backup_will_do ? "Startup" : "Api"));
        if (!backup_will_do) ::unlink(device_info().c_str());
        provision(backup_will_do);
        lab::info("Provisioning complete.");
        try {
            reconcile();
        } catch (const NetworkFault&) {
            lab::warn("Network not available for Identity reconciliation. Using offline backup from last run.");
        } catch (const HubFault& fault) {
            if (!backup_will_do) throw;
            lab::info("Could not reconcile Identities with current device data. Reprovisioning.");
            try {
                provision(false);
                reconcile();
            } catch (const NetworkFault&) {
                lab::warn("Reprovisioning failed to communicate with DPS. Using offline backup from last run.");
            }
        }
    }

    lab::Answer answer(const lab::Call& call) {
        const std::string path = call.target.substr(0, call.target.find('?'));
        lab::info("<-- " + call.method + " " + path);
        if (path == "/identities/device" && (call.method == "GET" || call.method == "POST"))
            return {200,
                    {{"type", "aziot"},
                     {"spec",
                      {{"hubName", device_.hub},
                       {"gatewayHost", device_.hub},
                       {"deviceId", device_.id},
                       {"auth", {{"type", "x509"}, {"keyHandle", "device-id"}, {"certId", "device-id"}}}}}}};
        if (path == "/identities/device/reprovision" && call.method == "POST") {
            try {
                reprovision(false);
                return {200, json::object()};
            } catch (const std::exception& fault) {
                lab::error(std::string("!!! ") + fault.what());
                return {500, {{"message", fault.what()}}};
            }
        }
        return {404, {{"message", "not found"}}};
    }

private:
    [[nodiscard]] std::string device_info() const { return home_ + "/device_info"; }

    void provision(bool backup_will_do) {
        if (lab::text_in(provisioning_, "source") != "dps") throw lab::Fatal("only dps provisioning stands in here");
        const auto& attestation = provisioning_.at("attestation");
        credentials_ = credentials(attestation);
        if (backup_will_do && restore()) {
            lab::info("Provisioned with backup for " + device_.id + ".");
            return;
        }
        try {
            register_with_dps(attestation);
        } catch (const NetworkFault& fault) {
            throw NetworkFault(std::string("DPS client error\n") + fault.what());
        } catch (const lab::Fatal& fault) {
            throw lab::Fatal(std::string("DPS client error\n") + fault.what());
        }
    }

    /// Any failure of certd is taken for "there is no certificate": with a subject for a CSR at hand, the key pair is
    /// deleted and a new one made at its path. This is upstream's behaviour, and why the agent places keys as it does.
    Credentials credentials(const toml::value& attestation) {
        const std::string key_id = lab::text_in(attestation, "identity_pk");
        const std::string cert_id = lab::text_in(attestation, "identity_cert");
        const lab::Answer key = ask(keyd, "/keypair/" + key_id + lab::api_version);
        const lab::Answer cert = ask(certd, "/certificates/" + cert_id + lab::api_version);
        if (cert.status == 200) {
            const std::string pem = cert.body.at("pem");
            const auto read = eflow::read_certificates(pem, cert_id);
            if (std::holds_alternative<eflow::Finding>(read))
                throw lab::Fatal("internal error\ncould not create certificate\nno certs in stack");
            if (key.status != 200)
                throw lab::Fatal("internal error\ncould not create certificate\nfailed to load identity cert key: " +
                                 key.body.value("message", ""));
            std::string chain;
            for (const auto& certificate : std::get<std::vector<eflow::Certificate>>(read)) chain += certificate.pem();
            return {chain, key.body.at("privateKey")};
        }
        if (!attestation.contains("registration_id"))
            throw lab::Fatal(
                "internal error\ncould not create certificate\nidentity cert does not exist; cannot create new cert as "
                "registration ID "
                "is unknown");
        if (key.status == 200) {
            const lab::Answer deleted = lab::call(keyd, "DELETE", "/keypair/" + key_id + lab::api_version);
            if (deleted.status >= 300)
                throw lab::Fatal("internal error\ncould not create certificate\n" + deleted.body.value("message", ""));
        }
        const lab::Answer created = lab::call(keyd, "POST", "/keypair/" + key_id + lab::api_version);
        if (created.status != 200)
            throw lab::Fatal("internal error\ncould not create certificate\n" + created.body.value("message", ""));
        const lab::Answer issued = lab::call(certd, "PUT", "/certificates/" + cert_id + lab::api_version);
        throw lab::Fatal("internal error\ncould not create certificate\n" + issued.body.value("message", ""));
    }

    /// A service that is down is a failure like any other.
    static lab::Answer ask(const char* socket, const std::string& target) {
        try {
            return lab::call(socket, "GET", target);
        } catch (const std::exception& fault) {
            return {503, {{"message", fault.what()}}};
        }
    }

    bool restore() {
        try {
            std::istringstream text(lab::read_file(device_info()));
            const toml::value stored = toml::parse(text, device_info());
            device_ = {lab::text_in(stored, "hub_name"), lab::text_in(stored, "device_id")};
            return !device_.hub.empty() && !device_.id.empty();
        } catch (const std::exception&) {
            return false;
        }
    }

    [[nodiscard]] int timeout() const {
        return config_.contains("cloud_timeout_sec") ? static_cast<int>(config_.at("cloud_timeout_sec").as_integer())
                                                     : 70;
    }

    /// http-common/src/request.rs parse: of an error body only its message survives.
    [[noreturn]] static void refused(const lab::Answer& answer, const char* expected) {
        if (answer.status == 429) throw lab::Fatal("429: Too many requests");
        if (answer.status < 400)
            throw lab::Fatal(std::string("Expected one of ") + expected + ", got " + std::to_string(answer.status));
        if (!answer.body.contains("message")) throw lab::Fatal("HTTP error " + std::to_string(answer.status));
        throw lab::Fatal(answer.body.at("message").get<std::string>());
    }

    void register_with_dps(const toml::value& attestation) {
        const Endpoint endpoint(lab::text_in(provisioning_, "global_endpoint"));
        std::string registration_id = lab::text_in(attestation, "registration_id");
        if (registration_id.empty()) {
            const auto chain = eflow::read_certificates(credentials_.chain, "device-id");
            const auto name = std::get<std::vector<eflow::Certificate>>(chain).front().common_name();
            if (!name) throw lab::Fatal("cannot determine cert subject");
            registration_id = *name;
        }
        const std::string base = "/" + lab::text_in(provisioning_, "scope_id") + "/registrations/" + registration_id;
        const std::string version = "?api-version=2021-06-01";
        lab::info("Sending DPS registration request.");
        const lab::Answer started = ask_cloud(endpoint, credentials_, "PUT", base + "/register" + version,
                                              {{"registrationId", registration_id}}, timeout());
        if (started.status != 202) refused(started, "[202]");
        const std::string operation = started.body.at("operationId");
        for (;;) {
            std::this_thread::sleep_for(std::chrono::milliseconds(lab::milliseconds("LAB_DPS_POLL_MS", 5000)));
            lab::info("Checking DPS registration status.");
            const lab::Answer polled =
                ask_cloud(endpoint, credentials_, "GET", base + "/operations/" + operation + version, {}, timeout());
            if (polled.status != 200 && polled.status != 202) refused(polled, "[200, 202]");
            const std::string status = polled.body.at("status");
            const json& state = polled.body.at("registrationState");
            if (status == "assigning") {
                lab::info("DPS registration is still in progress.");
                continue;
            }
            if (status == "failed") throw lab::Fatal(state.at("errorMessage").get<std::string>());
            if (status != "assigned") throw lab::Fatal("unknown variant `" + status + "`");
            device_ = {state.at("assignedHub"), state.at("deviceId")};
            lab::info("Assigned to IoT hub: " + device_.hub);
            lab::info("DPS registration complete.");
            lab::info("Successfully provisioned with DPS.");
            return;
        }
    }

    /// Lists the device's modules in the hub; only then is the assignment written down.
    void reconcile() {
        lab::info("Identity reconciliation started.");
        const lab::Answer listed =
            ask_cloud(Endpoint("https://" + device_.hub), credentials_, "GET",
                      "/devices/" + device_.id + "/modules?api-version=2020-09-30", {}, timeout());
        if (listed.status != 200) throw HubFault("Hub client error\n" + listed.body.value("Message", ""));
        lab::write_file(device_info(),
                        "hub_name = \"" + device_.hub + "\"\nlocal_gateway_hostname = \"" + device_.hub +
                            "\"\ndevice_id = \"" + device_.id + "\"\n",
                        0600, "aziotid");
        lab::info("Identity reconciliation complete.");
    }

    toml::value config_;
    std::string home_;
    toml::value provisioning_;
    Credentials credentials_;
    Device device_;
};

}  // namespace

int main() {
    return lab::run_service("aziot-identityd", [] {
        Identityd service(lab::configuration("identityd"));
        try {
            service.reprovision(true);
        } catch (const std::exception& fault) {
            const std::string causes = fault.what();
            lab::error("Failed to provision with IoT Hub, and no valid device backup was found: " +
                       causes.substr(0, causes.find('\n')));
            throw;
        }
        lab::serve([&](const lab::Call& call) { return service.answer(call); });
    });
}
