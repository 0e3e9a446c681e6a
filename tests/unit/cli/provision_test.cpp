#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/failure.hpp"
#include "shared/report.hpp"
#include "tests/support/test_certificates.hpp"
#include "vm-agent/cli/run.hpp"
#include "vm-agent/placement/rendered.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::now;
using testing::Pair;

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
                                 good ? 0U : 1U,
                                 {}});
        if (!good) outcome.units.back().last_lines = state_.last_lines;
        return outcome;
    }

    void stop() override { ++state_.stops; }

    State& state_;
};

class Provision : public ::testing::Test {
protected:
    Provision() {
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
            const Pair issuer = make(testing::Wish::authority("Issuer"));
            const Pair leaf = make({}, &issuer);
            write(top_ / (std::string(which) + ".pem"), leaf.pem() + issuer.pem());
            write(top_ / (std::string(which) + ".key"), leaf.key_pem());
        }
    }
    ~Provision() override { fs::remove_all(top_); }

    static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

    /// Runs provision on the "machine" with identity `which`.
    Report provision(const std::string& which, std::vector<std::string> more = {}) {
        std::vector<std::string> arguments{"--json",
                                           "provision",
                                           "--scope-id",
                                           "0ne00A1B2C3",
                                           "--registration-id",
                                           "device-1",
                                           "--cert",
                                           (top_ / (which + ".pem")).string(),
                                           "--key",
                                           (top_ / (which + ".key")).string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_json(arguments);
    }

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
            seen.units = Sight<std::vector<UnitSeen>>::of({});
            seen.device_info = Sight<std::optional<DeviceInfo>>::of(DeviceInfo{"hub", "device-1"});
            seen.identityd_log = identityd_log_;
            seen.containers = Sight<std::vector<ContainerSeen>>::of(containers_);
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
    std::vector<std::string> identityd_log_;
    std::vector<ContainerSeen> containers_{{"edgeAgent", "i", "running", "Up", {}}};
};

TEST_F(Provision, AppliesWaitsAndSaysThatNoDeploymentIsExpected) {
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::done);
    EXPECT_EQ(report.phase, Phase::awaiting_deployment);
    EXPECT_EQ(services_.applies, 1);
    EXPECT_THAT(report.data.dump(), HasSubstr("417"));
}

TEST_F(Provision, AgainAppliesNothing) {
    provision("a");
    const auto before = snapshot();
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::done);
    EXPECT_EQ(services_.applies, 1);
    EXPECT_EQ(snapshot(), before);
    for (const auto& change : report.changes) EXPECT_EQ(change.action, Action::kept) << change.path;
}

TEST_F(Provision, WhatWasPlacedButNotAppliedIsAppliedLater) {
    EXPECT_EQ(provision("a", {"--no-apply"}).exit_code, ExitCode::done);
    EXPECT_EQ(services_.applies, 0);
    EXPECT_EQ(provision("a").exit_code, ExitCode::done);
    EXPECT_EQ(services_.applies, 1);
}

TEST_F(Provision, AFailingApplyOnANewDeviceRestoresByteForByte) {
    const auto before = snapshot();
    services_.outcomes = {false};
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::apply_failed);
    EXPECT_THAT(to_json(report), HasSubstr("something else broke"));
    EXPECT_EQ(services_.stops, 1);
    auto after = snapshot();
    // The folders that apply itself made for its files stay; the files do not.
    for (const char* path : rendered_files) {
        EXPECT_EQ(after.count(path + 1), 0U);
        after.erase(fs::path(path + 1).parent_path());
        after.erase(fs::path(path + 1).parent_path().parent_path());
    }
    EXPECT_EQ(after, before);
}

TEST_F(Provision, AFailingApplyOfANewCertificateRestoresTheOldOne) {
    write(root_ / "etc/aziot/config.toml", "# mine\n");
    provision("a");
    auto before = snapshot();
    const std::string old_config = services_.configs.back();
    services_.outcomes = {true, false};
    const Report report = provision("b");
    EXPECT_EQ(report.exit_code, ExitCode::apply_failed);
    EXPECT_EQ(services_.applies, 3) << "the old configuration is applied again";
    EXPECT_EQ(services_.configs.back(), old_config);
    auto after = snapshot();
    for (const char* path : rendered_files) {
        before.erase(path + 1);
        after.erase(path + 1);
    }
    EXPECT_EQ(after, before);
}

TEST_F(Provision, WhenTheOldStateWillNotRunEitherItSaysWhatToDo) {
    provision("a");
    services_.outcomes = {true, false, false};
    const Report report = provision("b");
    EXPECT_EQ(report.exit_code, ExitCode::not_restored);
    EXPECT_THAT(report.data.dump(), HasSubstr("By hand: sudo iotedge config apply"));
}

TEST_F(Provision, AnApplyThatCannotBeTriedLeavesTheOldState) {
    const auto before = snapshot();
    services_.unreachable = true;
    EXPECT_EQ(provision("a").exit_code, ExitCode::machine_lacks);
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Provision, ARefusalByTheCloudIsNamedAsOne) {
    services_.outcomes = {false};
    services_.last_lines = {"2026-06-01T00:00:00Z [ERR!] - caused by: DPS client error",
                            "2026-06-01T00:00:00Z [ERR!] - caused by: Unauthorized"};
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::cloud_refused);
    EXPECT_EQ(report.phase, Phase::not_provisioned);
    EXPECT_THAT(report.findings, Contains(::testing::Field(&Finding::id, "cloud.registration")));
}

TEST_F(Provision, ARefusalThatComesLateIsTakenBackToo) {
    identityd_log_ = {"[ERR!] - caused by: DPS client error", "[ERR!] - caused by: CA certificate not found."};
    EXPECT_EQ(provision("a").exit_code, ExitCode::cloud_refused);
    EXPECT_FALSE(fs::exists(root_ / "etc/aziot/config.toml"));
    EXPECT_FALSE(fs::exists(root_ / "var/aziot"));
    for (const char* path : rendered_files) EXPECT_FALSE(fs::exists(root_ / (path + 1)));
}

TEST_F(Provision, AnUnreachableCloudUndoesNothing) {
    services_.outcomes = {false};
    services_.last_lines = {"[ERR!] - caused by: DPS client error", "[ERR!] - caused by: client error (Connect)"};
    identityd_log_ = services_.last_lines;
    const Report report = provision("a", {"--timeout", "0s"});
    EXPECT_EQ(report.exit_code, ExitCode::timed_out);
    EXPECT_EQ(report.phase, Phase::provisioning);
    EXPECT_THAT(report.data.value("because", ""), HasSubstr("cannot reach DPS"));
    EXPECT_EQ(keys().size(), 1U) << "the change stands";
}

TEST_F(Provision, OldMaterialGoesOnlyOnceTheNewOneIsHealthy) {
    provision("a");
    const auto old_keys = keys();
    containers_.clear();
    EXPECT_EQ(provision("b", {"--timeout", "0s"}).exit_code, ExitCode::timed_out);
    EXPECT_EQ(keys().size(), 2U) << "the change stands, and the old key too";
    containers_.push_back({"edgeAgent", "i", "running", "Up", {}});
    EXPECT_EQ(provision("b").exit_code, ExitCode::done);
    EXPECT_EQ(keys().size(), 1U);
    EXPECT_NE(keys(), old_keys);
}

TEST_F(Provision, DeprovisionStopsAndRemoves) {
    const auto before = snapshot();
    provision("a");
    const Report report = run_json({"--json", "deprovision"});
    EXPECT_EQ(report.exit_code, ExitCode::done);
    EXPECT_EQ(services_.stops, 1);
    EXPECT_FALSE(fs::exists(root_ / "etc/aziot/config.toml"));
    EXPECT_FALSE(fs::exists(root_ / "var/aziot"));
    for (const char* path : rendered_files) EXPECT_FALSE(fs::exists(root_ / (path + 1)));
}

TEST_F(Provision, WithoutRootNothingIsTouched) {
    is_root_ = false;
    const auto before = snapshot();
    const Report report = provision("a");
    EXPECT_EQ(report.exit_code, ExitCode::machine_lacks);
    EXPECT_THAT(report.data.dump(), HasSubstr("sudo"));
    EXPECT_EQ(snapshot(), before);
}

}  // namespace
}  // namespace eflow
