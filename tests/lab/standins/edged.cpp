// aziot-edged: waits for an identity, then sees to it that edgeAgent exists and runs, through the Docker Engine
// (aziot-edged/src/{main,provision,watchdog}.rs). Modules other than edgeAgent are edgeAgent's business.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <poll.h>
#include <sys/signalfd.h>
#include <csignal>

#include "tests/lab/standins/standin.hpp"

namespace {

using nlohmann::json;

constexpr const char* identityd = "/run/aziot/identityd.sock";
constexpr const char* owner_filter =
    "/containers/json?all=true&filters=%7B%22label%22%3A%5B%22net.azure-devices.edge.owner%3D"
    "Microsoft.Azure.Devices.Edge.Agent%22%5D%7D";

class Edged {
public:
    explicit Edged(const toml::value& config) : config_(config) {
        const std::string uri = config.contains("moby_runtime") ? lab::text_in(config.at("moby_runtime"), "uri")
                                                                : std::string("unix:///var/run/docker.sock");
        docker_ = uri.substr(std::string("unix://").size());
        home_ = lab::text_in(config, "homedir");
    }

    void run() {
        std::filesystem::create_directories(home_ + "/cache");
        json device;
        wait_for_identity(device);
        // Like upstream, only from here on: before, SIGTERM simply ends it.
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        sigprocmask(SIG_BLOCK, &mask, nullptr);
        signals_ = signalfd(-1, &mask, SFD_CLOEXEC);
        stop_modules();
        forget_modules_of_another_device(device);
        const auto [first, count] = lab::passed_sockets();
        lab::info("Starting watchdog with 60 second period...");
        do {
            try {
                watchdog();
            } catch (const std::exception& fault) {
                lab::warn(std::string("Error in watchdog: ") + fault.what());
            }
        } while (!terminated(lab::milliseconds("LAB_WATCHDOG_MS", 60000), first, count));
        lab::info("Watchdog stopped");
        stop_modules();
    }

private:
    /// Waits that long, answering the management and workload sockets. True when asked to end.
    bool terminated(int milliseconds, int first = -1, int count = 0) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
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

    lab::Answer docker(const std::string& method, const std::string& target, const json& body = {}) {
        return lab::call(docker_, method, "/v1.41" + target, body);
    }

    lab::Answer answer(const lab::Call& call) {
        if (call.method != "GET" || call.target.rfind("/modules", 0) != 0) return {404, {{"message", "not found"}}};
        json modules = json::array();
        for (const auto& container : docker("GET", owner_filter).body)
            modules.push_back({{"name", container.at("Names").at(0).get<std::string>().substr(1)},
                               {"status", {{"runtimeStatus", {{"status", container.at("State")}}}}}});
        return {200, {{"modules", modules}}};
    }

    void wait_for_identity(json& device) {
        for (;;) {
            try {
                lab::info("Obtaining Edge device provisioning data...");
                const lab::Answer answer =
                    lab::call(identityd, "GET", std::string("/identities/device") + lab::api_version);
                if (answer.status == 200) {
                    device = answer.body.at("spec");
                    lab::info("Device is " + device.at("deviceId").get<std::string>() + " on " +
                              device.at("hubName").get<std::string>());
                    return;
                }
                lab::warn("Failed to obtain device identity: " + answer.body.value("message", ""));
            } catch (const std::exception& fault) {
                lab::warn(std::string("Failed to obtain device identity: ") + fault.what());
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(lab::milliseconds("LAB_IDENTITY_RETRY_MS", 5000)));
        }
    }

    void stop_modules() {
        lab::info("Stopping all modules...");
        try {
            for (const auto& container : docker("GET", owner_filter).body)
                docker("POST", "/containers/" + container.at("Id").get<std::string>() + "/stop?t=30");
            lab::info("All modules stopped");
        } catch (const std::exception& fault) {
            lab::warn(std::string("Failed to stop modules: ") + fault.what());
        }
    }

    void forget_modules_of_another_device(const json& device) {
        const std::string path = home_ + "/cache/provisioning_state";
        const std::string now = device.dump();
        std::string before;
        try {
            before = lab::read_file(path);
        } catch (const std::exception&) {
        }
        if (before != now) {
            if (!before.empty()) {
                lab::info("Change to device information detected");
                for (const auto& container : docker("GET", owner_filter).body)
                    docker("DELETE", "/containers/" + container.at("Id").get<std::string>() + "?force=true");
            }
            std::ofstream(path) << now;
        }
    }

    void watchdog() {
        lab::info("Watchdog checking Edge runtime status");
        const auto& agent = config_.at("agent");
        const std::string name = lab::text_in(agent, "name");
        const lab::Answer seen = docker("GET", "/containers/" + name + "/json");
        if (seen.status == 404) {
            create_and_start(name, lab::text_in(agent.at("config"), "image"));
            return;
        }
        const std::string state = seen.body.at("State").at("Status");
        if (state == "running") {
            lab::info("Edge runtime is running");
        } else if (state == "dead") {
            docker("DELETE", "/containers/" + name + "?force=true");
            create_and_start(name, lab::text_in(agent.at("config"), "image"));
        } else {
            lab::info("Edge runtime status is " + state + ", starting module now...");
            must(docker("POST", "/containers/" + name + "/start"), "start " + name);
            lab::info("Started Edge runtime module " + name);
        }
    }

    void create_and_start(const std::string& name, const std::string& image) {
        lab::info("Creating and starting Edge runtime module " + name + "...");
        if (docker("GET", "/images/" + image + "/json").status != 200)
            throw std::runtime_error("Failed to pull image " + image + ": there is no registry in the lab");
        const json body = {{"Image", image},
                           {"StopTimeout", 1},
                           {"Labels",
                            {{"net.azure-devices.edge.owner", "Microsoft.Azure.Devices.Edge.Agent"},
                             {"net.azure-devices.edge.original-image", image},
                             {"net.azure-devices.edge.create-options", "{}"},
                             {"net.azure-devices.edge.env", "{}"}}},
                           {"HostConfig", {{"NetworkMode", "none"}}}};
        must(docker("POST", "/containers/create?name=" + name, body), "create " + name);
        must(docker("POST", "/containers/" + name + "/start"), "start " + name);
    }

    static void must(const lab::Answer& answer, const std::string& what) {
        if (answer.status >= 300) throw std::runtime_error("Failed to " + what + ": " + answer.body.dump());
    }

    toml::value config_;
    std::string docker_;
    std::string home_;
    int signals_ = -1;
};

}  // namespace

int main() {
    return lab::run_service("aziot-edged", [] { Edged(lab::configuration("edged")).run(); });
}
