#include "vm-agent/watch/bus_source.hpp"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "tests/unit/machine/fake_systemd.hpp"

namespace eflow::testing {
namespace {

class BusSources : public WithBus {};

TEST_F(BusSources, AUnitThatChangesWhileOthersAreReadIsAsItBecame) {
    const std::string early = "aziot-certd.service";
    const std::string late = "aziot-keyd.service";
    systemd_.emplace(bus_->address, std::map<std::string, FakeSystemd::Unit>{{early, {}}, {late, {}}});
    bool changed = false;
    systemd_->asked = [&](const std::string& unit, const std::string& property) {
        if (unit == late && property == "ActiveState" && !std::exchange(changed, true))
            systemd_->change(early, "failed", "failed");
    };

    boost::asio::io_context loop;
    std::vector<UnitSeen> seen;
    std::vector<std::string> told;
    BusSource::Handlers handlers;
    handlers.read = [&](std::vector<UnitSeen> units, const UnitProxies&) {
        seen = std::move(units);
        loop.stop();
    };
    handlers.changed = [&](const std::string& unit, const UnitChange& change) {
        told.push_back(unit + " " + change.active.value_or(""));
    };
    handlers.job_failed = [](const std::string&, const std::string&) {};
    handlers.lost = [&](const std::string& why) {
        ADD_FAILURE() << why;
        loop.stop();
    };
    BusSource source(loop, bus_->address, {early, late}, std::move(handlers));
    source.start();
    loop.run();
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[0].active + " " + seen[0].sub, "failed failed") << "systemd has told of it, and never will again";
    EXPECT_EQ(seen[1].active + " " + seen[1].sub, "active running");
    EXPECT_EQ(told, std::vector<std::string>{early + " failed"});
}

}  // namespace
}  // namespace eflow::testing
