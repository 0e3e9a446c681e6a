#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "shared/failure.hpp"
#include "shared/report.hpp"
#include "tests/support/test_certificates.hpp"
#include "vm-agent/cli/run.hpp"
#include "vm-agent/placement/rendered.hpp"

namespace eflow::testing {

namespace fs = std::filesystem;

/// The services as `iotedge config apply` leaves them: the rendered files are written, and the next of `outcomes`
/// decides.
struct FakeServices final : Services {
    struct State {
        fs::path root;
        std::vector<bool> outcomes;  ///< of the coming applies; what follows the last is good
        std::vector<std::string> last_lines{"something else broke"};
        bool unreachable = false;  ///< systemd cannot be asked
        int applies = 0;
        int stops = 0;
        std::vector<std::string> configs;  ///< the config.toml that each apply saw
        std::function<void()> on_apply;    ///< what else happens while one runs
    };
    explicit FakeServices(State& state) : state_(state) {}

    [[nodiscard]] bool can_apply() const override { return true; }

    ApplyOutcome apply(std::chrono::seconds) override {
        if (state_.unreachable) throw Failure(ExitCode::machine_lacks, "no bus");
        const std::size_t number = static_cast<std::size_t>(state_.applies++);
        std::ifstream config(state_.root / "etc/aziot/config.toml");
        std::ostringstream text;
        text << config.rdbuf();
        state_.configs.push_back(text.str());
        if (state_.on_apply) state_.on_apply();
        for (const char* path : rendered_files) {
            const fs::path file = state_.root / (path + 1);
            fs::create_directories(file.parent_path());
            fs::remove(file);
            std::ofstream(file) << "# rendered\n";
        }
        ApplyOutcome outcome;
        const bool good = number >= state_.outcomes.size() || state_.outcomes[number];
        outcome.units.push_back({"aziot-identityd.service",
                                 "done",
                                 good ? "active" : "activating",
                                 good ? "running" : "auto-restart",
                                 good ? "success" : "exit-code",
                                 good ? 0 : 1,
                                 good ? 0U : 1U});
        if (!good) outcome.journals["aziot-identityd.service"] = state_.last_lines;
        return outcome;
    }

    void stop() override { ++state_.stops; }

    State& state_;
};

/// A machine below a temporary folder for the whole command line in-process: identities a and b to be placed on it, and
/// services and observations that a test sets.
class OnMachine : public ::testing::Test {
protected:
    OnMachine() {
        char name[] = "/tmp/eflow-cli-XXXXXX";
        top_ = mkdtemp(name);
        root_ = top_ / "root";
        for (const char* folder : {"etc/aziot", "var/lib"}) fs::create_directories(root_ / folder);
        for (const char* folder : {"", "etc", "etc/aziot", "var", "var/lib"})
            fs::permissions(root_ / folder, fs::perms(0755));
        fs::permissions(top_, fs::perms(0755));
        std::ofstream passwd(root_ / "etc/passwd");
        std::ofstream group(root_ / "etc/group");
        for (const char* user : {"root", "aziotks", "aziotcs"}) {
            passwd << user << ":x:" << getuid() << ":" << getgid() << "::/:/bin/false\n";
            group << user << ":x:" << getgid() << ":\n";
        }
        services_.root = root_;
        for (const char* which : {"a", "b"}) {
            const Pair issuer = make(Wish::authority("Issuer"));
            const Pair leaf = make({}, &issuer);
            write(top_ / (std::string(which) + ".pem"), leaf.pem() + issuer.pem());
            write(top_ / (std::string(which) + ".key"), leaf.key_pem());
        }
    }
    ~OnMachine() override { fs::remove_all(top_); }

    static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

    Report run_json(const std::vector<std::string>& arguments) {
        std::ostringstream out;
        std::ostringstream err;
        World world;
        world.out = &out;
        world.err = &err;
        world.now = now;
        world.machine_root = root_;
        world.is_root = [this] { return is_root_; };
        world.services = [this] { return std::make_unique<FakeServices>(services_); };
        world.observe = [this](const Tree& tree, Instant at) {
            Observations seen;
            seen.now = at;
            const auto config = tree.read("/etc/aziot/config.toml", 1 << 20);
            seen.config = Sight<FileSeen>::of(config ? FileSeen{true, std::string(config->reveal())} : FileSeen{});
            seen.certificate = Sight<FileSeen>::unseen("not in this test");
            seen.applied.applied = true;
            seen.files = files_;
            seen.units = Sight<std::vector<UnitSeen>>::of({});
            seen.device_info = Sight<std::optional<DeviceInfo>>::of(DeviceInfo{"hub", "device-1"});
            seen.journals["aziot-identityd.service"] = identityd_log_;
            seen.containers = Sight<std::vector<ContainerSeen>>::of(containers_);
            if (containers_.empty()) return seen;
            for (const auto& line : agent_log_) seen.memory.agent.hear(line, Stamp(at));
            return seen;
        };
        const int code = run(arguments, world);
        Report report = report_from_json(out.str());
        EXPECT_EQ(static_cast<int>(report.exit_code), code);
        return report;
    }

    /// Everything outside the agent's own state: mode, bytes and time of change by path.
    std::map<std::string, std::string> snapshot() const {
        std::map<std::string, std::string> all;
        for (const auto& entry : fs::recursive_directory_iterator(root_)) {
            const std::string name = fs::relative(entry.path(), root_);
            if (name.starts_with("var/lib/eflow-agent")) continue;
            struct stat status {};
            lstat(entry.path().c_str(), &status);
            std::ostringstream text;
            text << std::oct << status.st_mode << " ";
            if (entry.is_regular_file()) {
                std::ifstream file(entry.path());
                text << status.st_mtim.tv_sec << "." << status.st_mtim.tv_nsec << " " << file.rdbuf();
            }
            all[name] = text.str();
        }
        return all;
    }

    std::vector<std::string> keys() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(root_ / "var/aziot/secrets"))
            names.push_back(entry.path().filename());
        return names;
    }

    fs::path top_;
    fs::path root_;
    FakeServices::State services_;
    bool is_root_ = true;
    Findings files_;  ///< what the files check says
    std::vector<std::string> identityd_log_;
    std::vector<std::string> agent_log_{"[INF] - Edge agent connected to IoT Hub via Amqp_Tcp_Only.",
                                        "[INF] - Deployment config in edge agent's desired properties is empty."};
    std::vector<ContainerSeen> containers_{{"edgeAgent", "i", "running", "Up", {}}};
};

}  // namespace eflow::testing
