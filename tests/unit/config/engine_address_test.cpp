#include "vm-agent/config/engine_address.hpp"

#include <gtest/gtest.h>

namespace eflow {
namespace {

TEST(EngineAddress, IsWhatConfigTomlNames) {
    EXPECT_TRUE(engine_address(std::nullopt).is_default);
    for (const char* usual : {"unix:///var/run/docker.sock", "unix:///run/docker.sock", "unix:/run/docker.sock",
                              "unix://localhost/var/run/docker.sock"})
        EXPECT_EQ(engine_address(usual), EngineAddress{}) << usual;
    const EngineAddress other = engine_address("unix:///run/iotedge%2Ddocker.sock");
    EXPECT_FALSE(other.is_default);
    EXPECT_EQ(other.socket, "/run/iotedge-docker.sock");
    EXPECT_EQ(other.command(), "docker -H unix:///run/iotedge-docker.sock");
    EXPECT_EQ(engine_address("unix:///run/a b.sock").command(), "docker -H 'unix:///run/a b.sock'");
    for (const char* none : {"http://10.0.0.2:2375", "fd://docker", "unix://host/x.sock", "unix:relative", "nonsense", ""}) {
        EXPECT_EQ(engine_address(none).socket, "") << none;
        EXPECT_NE(engine_address(none).why, "") << none;
    }
}

}  // namespace
}  // namespace eflow
