#include "shared/deployment.hpp"

#include <gtest/gtest.h>

#include "shared/failure.hpp"

namespace eflow {
namespace {

TEST(Deployment, IsReadWhole) {
    const auto deployment = parse_deployment(R"(
[host.deploy]
cpu = 4
memory_mb = 2048
disk_gb = 20
accept_eula = true
[host.deploy.network]
switch = "Plant"
switch_type = "Internal"
address = "172.20.1.2"
prefix_length = 24
gateway = "172.20.1.1"
dns_servers = ["10.0.0.53", "10.0.0.54"]
)");
    ASSERT_TRUE(deployment);
    EXPECT_EQ(deployment->cpu, 4);
    EXPECT_TRUE(deployment->accept_eula);
    EXPECT_FALSE(deployment->accept_optional_telemetry);
    EXPECT_EQ(deployment->dns_servers.size(), 2U);
    EXPECT_TRUE(faults_of(*deployment).empty());
    EXPECT_FALSE(parse_deployment("schema = 1"));
    EXPECT_FALSE(parse_deployment("[host]"));
}

TEST(Deployment, FaultsAreNamedTogether) {
    try {
        parse_deployment(
            "[host.deploy]\ncpus = 4\nmemory_mb = \"x\"\n[host.deploy.network]\nswitch = 3\ndns_servers = [1]\n");
        FAIL();
    } catch (const Failure& failure) {
        const std::string text = failure.what();
        for (const char* part :
             {"host.deploy.cpus is unknown, did you mean cpu?", "host.deploy.memory_mb must be a whole number",
              "host.deploy.network.switch must be a text", "dns_servers must be an array of texts"})
            EXPECT_NE(text.find(part), std::string::npos) << text;
    }
    EXPECT_THROW(parse_deployment("[host]\ndeploi = 1"), Failure);
    EXPECT_THROW(parse_deployment("[host]\ndeploy = 1"), Failure);
    EXPECT_THROW(parse_deployment("host = 1"), Failure);
}

TEST(Deployment, WhatDeployEflowWouldNotTake) {
    const auto faulty = [](auto change) {
        Deployment deployment;
        change(deployment);
        return faults_of(deployment).size();
    };
    EXPECT_EQ(faulty([](Deployment& d) { d.memory_mb = 1025; }), 1U);
    EXPECT_EQ(faulty([](Deployment& d) { d.memory_mb = 512; }), 1U);
    EXPECT_EQ(faulty([](Deployment& d) { d.disk_gb = 1; }), 1U);
    EXPECT_EQ(faulty([](Deployment& d) { d.switch_type = "Private"; }), 2U);
    EXPECT_EQ(faulty([](Deployment& d) { d.address = "10.0.0.1"; }), 1U);
    for (const char* bad : {"10.0.0", "10.0.0.256", "10.0.0.1.2", "a.b.c.d", "10..0.1", "", "10.0.0.1 "})
        EXPECT_EQ(faulty([&](Deployment& d) { d.dns_servers = {bad}; }), 1U) << bad;
    EXPECT_EQ(faulty([](Deployment& d) { d.dns_servers = {"255.255.255.255", "0.0.0.0"}; }), 0U);
}

}  // namespace
}  // namespace eflow
