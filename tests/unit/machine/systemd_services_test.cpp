#include "vm-agent/machine/systemd_services.hpp"
#include "vm-agent/machine/units.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/failure.hpp"
#include "tests/unit/machine/fake_systemd.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::FakeSystemd;
using ::testing::HasSubstr;

class SystemdServicesTest : public testing::WithBus {
protected:
    static std::map<std::string, FakeSystemd::Unit> healthy() {
        std::map<std::string, FakeSystemd::Unit> units;
        for (const char* name : aziot_services) units[name] = {};
        for (const char* name : {"aziot-keyd.service", "aziot-certd.service", "aziot-tpmd.service"}) {
            units[name].active = "inactive";  // socket-activated: ready
            units[name].sub = "dead";
        }
        return units;
    }

    /// An `iotedge` that does what upstream's does here: the jobs run, and it exits 0 whatever became of them.
    ApplyOutcome apply(std::map<std::string, FakeSystemd::Unit> units, const std::string& script_end = "exit 0") {
        systemd_.emplace(bus_->address, std::move(units));
        const fs::path iotedge = folder_ / "iotedge";
        std::ofstream(iotedge) << "#!/bin/sh\n[ \"$*\" = 'config apply -c /etc/aziot/config.toml' ] || exit 99\n"
                               << "dbus-send --bus='" << bus_->address
                               << "' --print-reply --dest=org.freedesktop.systemd1 /org/freedesktop/systemd1 "
                                  "org.freedesktop.systemd1.Manager.Apply >/dev/null || exit 98\necho Done.\n"
                               << script_end << "\n";
        fs::permissions(iotedge, fs::perms(0755));
        SystemdServices::Options options;
        options.bus_address = bus_->address;
        options.iotedge = iotedge;
        options.settle = 100ms;
        SystemdServices services(options);
        EXPECT_TRUE(services.can_apply());
        return services.apply(30s);
    }
};

TEST_F(SystemdServicesTest, AGoodApplyIsGood) {
    const ApplyOutcome outcome = apply(healthy());
    EXPECT_TRUE(outcome.ok()) << outcome.why();
    EXPECT_EQ(outcome.units.size(), 5U);
    EXPECT_EQ(outcome.units.front().job, "done");
    EXPECT_EQ(systemd_->subscribed, 1);
    EXPECT_THAT(outcome.output, HasSubstr("Done."));
}

TEST_F(SystemdServicesTest, ExitCode0IsNotBelievedWhenAJobFailed) {
    auto units = healthy();
    units["aziot-edged.service"].job = "failed";
    const ApplyOutcome outcome = apply(units);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_FALSE(outcome.ok());
    EXPECT_THAT(outcome.why(), HasSubstr("aziot-edged.service"));
    EXPECT_THAT(outcome.why(), HasSubstr("its job ended as failed"));
}

TEST_F(SystemdServicesTest, AServiceThatDiesRightAfterItsStartIsSeen) {
    auto units = healthy();
    units["aziot-identityd.service"].dies_after_job = true;
    const ApplyOutcome outcome = apply(units);
    EXPECT_FALSE(outcome.ok());
    EXPECT_THAT(outcome.why(), HasSubstr("aziot-identityd.service: activating (auto-restart), exit status 1"));
}

TEST_F(SystemdServicesTest, AFailedCommandIsToldWithItsOutput) {
    const ApplyOutcome outcome = apply(healthy(), "echo 'Command failed: no such user' >&2; exit 1");
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_FALSE(outcome.ok());
    EXPECT_THAT(outcome.why(), HasSubstr("no such user"));
}

TEST_F(SystemdServicesTest, UnitsThatAreNotInstalledAreLeftOut) {
    auto units = healthy();
    units.erase("aziot-tpmd.service");
    EXPECT_EQ(apply(units).units.size(), 4U);
    const auto seen = observe_units(open_bus(bus_->address).get(), {"aziot-tpmd.service", "aziot-edged.service"}).units;
    EXPECT_EQ(seen[0].load, "not-found");
    EXPECT_EQ(seen[1].active, "active");
}

TEST_F(SystemdServicesTest, StopStopsAllFive) {
    apply(healthy());
    SystemdServices::Options options;
    options.bus_address = bus_->address;
    SystemdServices(options).stop();
    EXPECT_EQ(systemd_->stopped, 5);
}

TEST_F(SystemdServicesTest, NoBusIsAFailureThatSaysSo) {
    SystemdServices::Options options;
    options.bus_address = "unix:path=" + (folder_ / "none").string();
    try {
        SystemdServices(options).stop();
        FAIL();
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code(), ExitCode::machine_lacks);
        EXPECT_THAT(failure.what(), HasSubstr("system bus"));
    }
}

}  // namespace
}  // namespace eflow
