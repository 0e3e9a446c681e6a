// aziot-edged: waits for an identity, makes ready (network, Edge CA), then sees to it that edgeAgent exists and runs,
// through the Docker Engine (aziot-edged/src/{main,provision,watchdog}.rs, edgelet-docker/src/runtime.rs). Modules
// other than edgeAgent are edgeAgent's business.
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include <poll.h>
#include <sys/signalfd.h>
#include <csignal>

#include <boost/system/system_error.hpp>

#include "tests/lab/standins/standin.hpp"

namespace {

using nlohmann::json;

constexpr const char* identityd = "/run/aziot/identityd.sock";
constexpr const char* keyd = "/run/aziot/keyd.sock";
constexpr const char* certd = "/run/aziot/certd.sock";
const std::string owner = "Microsoft.Azure.Devices.Edge.Agent";
const std::string owner_filter =
    "/containers/json?all=true&filters=%7B%22label%22%3A%5B%22net.azure-devices.edge.owner%3D" + owner + "%22%5D%7D";

/// An error of edged is one line: "what: why" (aziot-edged/src/error.rs).
[[noreturn]] void fail(const std::string& what, const std::string& why = {}, int code = 1) {
    throw lab::Fatal({why.empty() ? what : what + ": " + why}, code);
}

/// The Docker Engine; what it says no to is logged with its reason before the operation is told to have failed
/// (edgelet-docker/src/runtime.rs, `log::warn!("{e:?}")`).
class Engine {
public:
    explicit Engine(const std::string& uri) : socket_(uri.substr(std::string("unix://").size())) {}

    lab::Answer send(const std::string& method, const std::string& target, const json& body = {}) const {
        try {
            return lab::call(socket_, method, "/v1.41" + target, body);
        } catch (const boost::system::system_error& fault) {
            lab::warn("container runtime error\nCaused by:\n    0: client error (Connect)\n    1: " +
                      lab::os_error(fault.code().value()));
            fail("container runtime error");
        }
    }

    /// As send, with an answer that is no error.
    lab::Answer must(const std::string& method, const std::string& target, const json& body = {}) const {
        lab::Answer answer = send(method, target, body);
        if (answer.status >= 300) {
            lab::warn("container runtime error\nCaused by:\n    HTTP " + lab::status_text(answer.status) + ": " +
                      lab::message_of(answer));
            fail("container runtime error");
        }
        return answer;
    }

private:
    std::string socket_;
};

class Edged {
public:
    explicit Edged(const toml::value& config)
        : config_(config),
          engine_(config.contains("moby_runtime") ? lab::text_in(config.at("moby_runtime"), "uri")
                                                  : std::string("unix:///var/run/docker.sock")),
          home_(lab::text_in(config, "homedir")) {}

    void run() {
        for (const char* folder : {"cache", "mnt", "gc"}) {
            std::error_code fault;
            std::filesystem::create_directories(home_ + "/" + folder, fault);
            if (fault)
                fail(std::string("Failed to create ") + folder + " directory " + home_ + "/" + folder,
                     lab::os_error(fault.value()));
        }
        const json device = wait_for_identity();
        make_runtime();
        check_edge_ca();
        // Like upstream, only from here on: before, SIGTERM simply ends it.
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        sigprocmask(SIG_BLOCK, &mask, nullptr);
        signals_ = signalfd(-1, &mask, SFD_CLOEXEC);
        stop_modules();
        update_cache(device);
        const auto [first, count] = lab::passed_sockets();
        lab::info("Starting management API...");
        lab::info("Starting watchdog with 60 second period...");
        lab::info("Starting workload API...");
        do {
            try {
                watchdog(device);
            } catch (const std::exception& fault) {
                lab::warn(std::string("Error in watchdog: ") + fault.what());
            }
        } while (!terminated(lab::duration("LAB_WATCHDOG_MS", 60), first, count));
        lab::info("Received signal; shutting down");
        lab::info("Watchdog stopped");
        stop_modules();
        lab::info("watchdog finished");
    }

private:
    /// Waits that long, answering the management and workload sockets. True when asked to end.
    bool terminated(std::chrono::milliseconds time, int first, int count) {
        const auto until = std::chrono::steady_clock::now() + time;
        std::vector<pollfd> waited{{signals_, POLLIN, 0}};
        for (int i = 0; i < count; ++i) waited.push_back({first + i, POLLIN, 0});
        for (;;) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
            if (left.count() <= 0) return false;
            if (::poll(waited.data(), waited.size(), static_cast<int>(left.count())) <= 0) continue;
            if (waited[0].revents != 0) return true;
            for (std::size_t i = 1; i < waited.size(); ++i)
                if (waited[i].revents != 0)
                    lab::serve_one(waited[i].fd, [&](const lab::Call& call) { return answer(call); });
        }
    }

    lab::Answer answer(const lab::Call& call) {
        if (call.method != "GET" || call.target.rfind("/modules", 0) != 0) return lab::refusal(404, {"not found"});
        json modules = json::array();
        for (const auto& container : engine_.must("GET", owner_filter).body)
            modules.push_back({{"name", container.at("Names").at(0).get<std::string>().substr(1)},
                               {"status", {{"runtimeStatus", {{"status", container.at("State")}}}}}});
        return {200, {{"modules", modules}}};
    }

    /// provision.rs get_device_info: what identityd itself refuses is answered by registering again, without the cache;
    /// a service that is not there yet is waited for.
    json wait_for_identity() {
        if (lab::text_in(config_, "auto_reprovisioning_mode") == "AlwaysOnStartup" &&
            !reprovisioned("Reprovision on startup failed"))
            fail("Reprovision on startup failed");
        for (;;) {
            lab::info("Obtaining Edge device provisioning data...");
            try {
                const lab::Answer answer = lab::ask(
                    identityd, "POST", std::string("/identities/device") + lab::api_version, {{"type", "aziot"}});
                if (answer.status == 200) {
                    json device = answer.body.at("spec");
                    lab::info("Device is " + device.at("deviceId").get<std::string>() + " on " +
                              device.at("hubName").get<std::string>());
                    return device;
                }
                lab::warn("Failed to obtain device identity: " + lab::message_of(answer));
                lab::info("Requesting device reprovision");
                reprovisioned("Failed to reprovision");
            } catch (const lab::Fatal& fault) {
                lab::warn(std::string("Failed to obtain device identity: ") + fault.what());
                lab::warn("Identity Service was unreachable. Waiting for Identity Service startup.");
            }
            lab::pause("LAB_IDENTITY_RETRY_MS", 5);
        }
    }

    bool reprovisioned(const std::string& complaint) {
        std::error_code ignored;
        std::filesystem::remove_all(home_ + "/cache", ignored);
        const lab::Answer answer = lab::ask(
            identityd, "POST", std::string("/identities/device/reprovision") + lab::api_version, json::object());
        if (answer.status < 300) return true;
        lab::warn(complaint + ": " + lab::message_of(answer));
        return false;
    }

    /// runtime.rs make_runtime and create_network_if_missing.
    void make_runtime() {
        lab::info("Initializing module runtime...");
        const std::string network = "azure-iot-edge";
        lab::info("Using runtime network id " + network);
        try {
            const lab::Answer known =
                engine_.must("GET", "/networks?filters=%7B%22name%22%3A%7B%22" + network + "%22%3Atrue%7D%7D");
            if (known.body.empty()) engine_.must("POST", "/networks/create", {{"Name", network}});
        } catch (const lab::Fatal&) {
            fail("Failed to initialize module runtime", "runtime operation error: initialize module runtime");
        }
        lab::info("Successfully initialized module runtime");
    }

    /// edgelet-http-workload/src/lib.rs check_edge_ca.
    void check_edge_ca() {
        const std::string id = "aziot-edged-ca";
        const lab::Answer key = lab::ask(keyd, "POST", "/keypair/" + id + lab::api_version);
        if (key.status != 200) fail(lab::message_of(key));
        if (lab::ask(certd, "GET", "/certificates/" + id + lab::api_version).status == 200) {
            lab::info("Using existing Edge CA certificate");
            return;
        }
        lab::info("Requesting new Edge CA certificate...");
        if (lab::ask(certd, "PUT", "/certificates/" + id + lab::api_version).status >= 300)
            fail("failed to create edge ca cert");
        lab::info("Created new Edge CA certificate");
    }

    void stop_modules() {
        lab::info("Stopping all modules...");
        try {
            for (const auto& container : engine_.must("GET", owner_filter).body)
                engine_.send("POST", "/containers/" + container.at("Id").get<std::string>() + "/stop?t=30");
            lab::info("All modules stopped");
        } catch (const std::exception& fault) {
            lab::warn(std::string("Failed to stop modules: ") + fault.what());
        }
    }

    /// provision.rs:90-137 update_device_cache: another device, or none known, and all modules go.
    void update_cache(const json& device) {
        lab::info("Detecting if device information has changed...");
        const std::string path = home_ + "/cache/provisioning_state";
        const std::string now =
            device.at("deviceId").get<std::string>() + "@" + device.at("hubName").get<std::string>();
        std::string before;
        std::ifstream(path) >> before;
        if (before == now) {
            lab::info("Device information has not changed");
            return;
        }
        lab::info("Change to device information detected");
        lab::info("Removing all modules...");
        for (const auto& container : engine_.must("GET", owner_filter).body)
            engine_.must("DELETE", "/containers/" + container.at("Id").get<std::string>() + "?force=true");
        lab::info("Removed all modules");
        lab::info("Updating cached device information");
        std::filesystem::create_directories(home_ + "/cache");
        std::ofstream(path) << now;
    }

    void watchdog(const json& device) {
        lab::info("Watchdog checking Edge runtime status");
        const auto& agent = config_.at("agent");
        const std::string name = lab::text_in(agent, "name");
        const lab::Answer seen = engine_.send("GET", "/containers/" + name + "/json");
        const std::string state = seen.status == 200 ? seen.body.at("State").at("Status") : "missing";
        if (state == "running") {
            lab::info("Edge runtime is running");
        } else if (state == "missing") {
            create_and_start(agent, name, device);
        } else if (state == "dead") {
            lab::info("Edge runtime status is dead, removing and recreating module...");
            engine_.must("DELETE", "/containers/" + name + "?force=true");
            create_and_start(agent, name, device);
        } else {
            lab::info("Edge runtime status is " + std::string(state == "exited" ? "stopped" : state) +
                      ", starting module now...");
            start(name);
        }
    }

    /// watchdog.rs create_and_start_agent: the hub's module first (agent_gen_id), then always a pull.
    void create_and_start(const toml::value& agent, const std::string& name, const json& device) {
        const lab::Answer updated =
            lab::ask(identityd, "PUT", std::string("/identities/modules/$edgeAgent") + lab::api_version + "&type=aziot",
                     {{"type", "aziot"}, {"moduleId", "$edgeAgent"}});
        if (updated.status != 200) fail("Failed to update $edgeAgent identity", lab::message_of(updated));
        lab::info("Creating and starting Edge runtime module " + name + "...");
        const std::string image = lab::text_in(agent.at("config"), "image");
        if (lab::text_in(agent, "imagePullPolicy") != "never") {
            lab::info("Pulling image via tag " + image + "...");
            try {
                const auto colon = image.rfind(':');
                engine_.must("POST",
                             "/images/create?fromImage=" + image.substr(0, colon) + "&tag=" + image.substr(colon + 1));
            } catch (const lab::Fatal&) {
                fail("Failed to pull Edge runtime module", "registry operation error: pull image \"" + image + "\"");
            }
            lab::info("Successfully pulled image " + image);
        }
        lab::info("Creating module " + name + "...");
        json environment = {"IOTEDGE_MODULEID=$edgeAgent", "Mode=iotedged",
                            "IOTEDGE_DEVICEID=" + device.at("deviceId").get<std::string>(),
                            "IOTEDGE_IOTHUBHOSTNAME=" + device.at("hubName").get<std::string>()};
        if (agent.contains("env"))
            for (const auto& [key, value] : agent.at("env").as_table())
                environment.push_back(key + "=" + value.as_string().str);
        // Upstream puts it into its network; here the hub is on the loopback of the machine.
        const json body = {{"Image", image},
                           {"StopTimeout", 1},
                           {"Env", environment},
                           {"Labels",
                            {{"net.azure-devices.edge.owner", owner},
                             {"net.azure-devices.edge.original-image", image},
                             {"net.azure-devices.edge.create-options", "{}"},
                             {"net.azure-devices.edge.env", "{}"}}},
                           {"HostConfig", {{"NetworkMode", "host"}}}};
        try {
            engine_.must("POST", "/containers/create?name=" + name, body);
        } catch (const lab::Fatal&) {
            fail("Failed to create Edge runtime module", "runtime operation error: create module \"" + name + "\"");
        }
        lab::info("Created Edge runtime module " + name);
        start(name);
    }

    void start(const std::string& name) {
        lab::info("Starting module " + name + "...");
        try {
            engine_.must("POST", "/containers/" + name + "/start");
        } catch (const lab::Fatal&) {
            fail("Failed to start Edge runtime", "runtime operation error: start module \"" + name + "\"");
        }
        lab::info("Started Edge runtime module " + name);
    }

    toml::value config_;
    Engine engine_;
    std::string home_;
    int signals_ = -1;
};

toml::value settings() {
    try {
        return lab::configuration("edged");
    } catch (const lab::Fatal& fault) {
        // Its own exit code, upon which systemd leaves it alone (error.rs settings_err).
        fail("Failed to load settings", fault.what(), 153);
    }
}

}  // namespace

int main() {
    lab::info("Starting Azure IoT Edge Daemon");
    lab::info("Version - 1.5.21");
    try {
        Edged(settings()).run();
        return 0;
    } catch (const lab::Fatal& fault) {
        lab::error(fault.what());
        return fault.code;
    } catch (const std::exception& fault) {
        lab::error(fault.what());
        return 1;
    }
}
