#include "tests/support/dps_simulator/service.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_certificates.hpp"

namespace eflow::dps {
namespace {

using nlohmann::json;
using testing::make;
using testing::now;
using testing::Pair;
using testing::Wish;
using Kind = Decision::Kind;

Wish leaf_of(const std::string& name) {
    Wish wish;
    wish.common_name = name;
    return wish;
}

class DpsSimulator : public ::testing::Test {
protected:
    Pair root_ = make(Wish::authority("Root"));
    Pair outer_ = make(Wish::authority("Outer"), &root_);
    Pair inner_ = make(Wish::authority("Inner"), &outer_);
    Pair leaf_ = make(leaf_of("device-1"), &inner_);
    std::vector<Certificate> chain_{leaf_.certificate, inner_.certificate, outer_.certificate};
    json directory_{{"scopes", {"0ne1"}}, {"hub", "hub.azure-devices.net"}, {"retryAfter", 3}};
    Service service_;

    void group(const std::string& id, const Pair& authority, const std::string& status = "enabled") {
        directory_["groups"].push_back(
            {{"enrollmentGroupId", id}, {"primary", authority.pem()}, {"provisioningStatus", status}});
    }
    void individual(const std::string& id, const Pair& leaf, const std::string& status = "enabled") {
        directory_["enrollments"].push_back(
            {{"registrationId", id}, {"deviceId", "desk"}, {"primary", leaf.pem()}, {"provisioningStatus", status}});
    }
    [[nodiscard]] Decision decide(const std::string& id = "device-1") const { return decide(id, chain_); }
    [[nodiscard]] Decision decide(const std::string& id, const std::vector<Certificate>& chain) const {
        return match(Directory::parse(directory_.dump()), id, chain, now);
    }
    Response send(const std::string& method, const std::string& target, const std::string& body = {}) {
        return service_.handle(Directory::parse(directory_.dump()),
                               {method, target, "application/json; charset=utf-8", body, chain_}, now);
    }
    Response put(const std::string& id = "device-1") {
        return send("PUT", "/0ne1/registrations/" + id + "/register?api-version=2021-06-01",
                    json{{"registrationId", id}}.dump());
    }
    Response poll(const Response& started) {
        return send("GET", started.headers.at("location") + "?api-version=2019-03-31", "{}");
    }
};

TEST_F(DpsSimulator, GroupsAreFoundUpTheChainAndTheFirstDecides) {
    EXPECT_EQ(decide().why, "CA certificate not found.");
    group("by root", root_);
    EXPECT_EQ(decide().kind, Kind::admitted) << "the root itself need not be sent";
    EXPECT_EQ(decide().device_id, "device-1");
    group("by inner", inner_, "disabled");
    EXPECT_EQ(decide().kind, Kind::disabled) << "nearer to the leaf, and not passed over";
}

TEST_F(DpsSimulator, AnIndividualEnrollmentComesFirst) {
    group("by inner", inner_);
    individual("device-1", leaf_);
    EXPECT_EQ(decide().device_id, "desk");
    EXPECT_EQ(decide("DEVICE-1").device_id, "desk") << "registration IDs know no case";
    directory_["enrollments"][0]["primary"] = inner_.pem();
    EXPECT_EQ(decide().why, "Invalid certificate.") << "its own leaf or none, whatever the group says";
    directory_["enrollments"][0]["secondary"] = leaf_.pem();
    EXPECT_EQ(decide().kind, Kind::admitted);
}

TEST_F(DpsSimulator, ADisabledIndividualBlocksItsCertificateEverywhere) {
    group("by inner", inner_);
    individual("another-id", leaf_, "disabled");
    EXPECT_EQ(decide().kind, Kind::disabled);
}

TEST_F(DpsSimulator, UploadedAuthoritiesAreKnownByName) {
    directory_["cas"]["plant root"] = root_.pem();
    directory_["groups"].push_back(json::object({{"enrollmentGroupId", "g"}, {"primaryCa", "plant root"}}));
    EXPECT_EQ(decide().kind, Kind::admitted);
    directory_["groups"] = json::array();
    directory_["enrollments"].push_back(json::object({{"registrationId", "device-1"}, {"primaryCa", "plant root"}}));
    EXPECT_EQ(decide().kind, Kind::admitted);
    directory_["cas"]["plant root"] = make(Wish::authority("Stranger")).pem();
    EXPECT_EQ(decide().why, "CA certificate not found.");
}

TEST_F(DpsSimulator, WhatIsWrongWithTheCertificateIsRefused) {
    group("by root", root_);
    EXPECT_EQ(decide("device-2").why, "Unauthorized") << "the CN is another";
    EXPECT_EQ(decide("device-1", {}).why, "Unauthorized");
    EXPECT_EQ(decide("device-1", {leaf_.certificate}).why, "CA certificate not found.") << "the chain is needed";
    Wish old = leaf_of("device-1");
    old.not_after = now - std::chrono::hours(1);
    EXPECT_EQ(decide("device-1", {make(old, &root_).certificate}).why, "Invalid certificate.");
    const Pair not_an_authority = make(leaf_of("no CA"), &root_);
    const Pair below = make(leaf_of("device-1"), &not_an_authority);
    EXPECT_NE(decide("device-1", {below.certificate, not_an_authority.certificate}).kind, Kind::admitted);
}

TEST_F(DpsSimulator, RegistersAsIdentitydAndTheSdksExpect) {
    group("g", inner_);
    const Response started = put();
    EXPECT_EQ(started.status, 202);
    EXPECT_EQ(started.headers.at("retry-after"), "3");
    EXPECT_THAT(started.headers.at("content-type"), ::testing::StartsWith("application/json"));
    const Response waiting = poll(started);
    EXPECT_EQ(waiting.status, 202);
    EXPECT_EQ(json::parse(waiting.body).at("registrationState").at("registrationId"), "device-1")
        << "identityd cannot parse an answer without it";
    const json done = json::parse(poll(started).body);
    EXPECT_EQ(done.at("status"), "assigned");
    EXPECT_EQ(done.at("registrationState").at("assignedHub"), "hub.azure-devices.net");
    EXPECT_EQ(done.at("registrationState").at("deviceId"), "device-1");
    EXPECT_EQ(send("GET", "/devices/device-1/modules?api-version=2020-09-30").status, 200);
    EXPECT_EQ(json::parse(send("POST", "/0ne1/registrations/device-1?api-version=2021-10-01").body).at("status"),
              "assigned");
}

TEST_F(DpsSimulator, TheHubOfAnIndividualKnowsOneThumbprint) {
    individual("device-1", leaf_);
    const Response started = put();
    poll(started);
    poll(started);
    EXPECT_EQ(send("GET", "/devices/desk/modules?api-version=2020-09-30").status, 200);
    chain_ = {make(leaf_of("device-1"), &inner_).certificate, inner_.certificate};
    EXPECT_EQ(send("GET", "/devices/desk/modules?api-version=2020-09-30").status, 401);
}

TEST_F(DpsSimulator, RefusesInTheFormsThatWereCaptured) {
    const json refused = json::parse(put().body);
    EXPECT_EQ(refused.at("errorCode"), 401002);
    EXPECT_EQ(refused.at("message"), "CA certificate not found.");
    EXPECT_EQ(put().status, 401);
    group("g", inner_, "disabled");
    EXPECT_EQ(put().status, 200) << "a disabled enrollment is no HTTP error";
    EXPECT_EQ(json::parse(put().body).at("status"), "disabled");
    directory_["groups"][0]["provisioningStatus"] = "enabled";
    directory_["hub"] = nullptr;
    directory_["pollsAssigning"] = 0;
    EXPECT_EQ(json::parse(poll(put()).body).at("registrationState").at("errorMessage"), "IotHub not found");
}

TEST_F(DpsSimulator, MalformedRequestsAreTold) {
    group("g", inner_);
    const std::string path = "/0ne1/registrations/device-1/register";
    EXPECT_EQ(send("PUT", path, "{}").status, 400) << "no api-version";
    EXPECT_EQ(send("PUT", path + "?api-version=2021-06-01", "{}").status, 400);
    EXPECT_EQ(send("PUT", path + "?api-version=2021-06-01", R"({"registrationId":"other"})").status, 400);
    EXPECT_EQ(send("DELETE", path + "?api-version=2021-06-01").status, 405);
    EXPECT_EQ(send("GET", "/0ne1/registrations/device-1/operations/none?api-version=2021-06-01").status, 404);
    EXPECT_EQ(send("PUT", "/0ne2/registrations/device-1/register?api-version=2021-06-01", "{}").status, 404);
    EXPECT_EQ(send("GET", "/?api-version=2021-06-01").status, 404);
}

TEST_F(DpsSimulator, FaultsAreCountedUntilTheyAreTakenOut) {
    group("g", inner_);
    directory_["faults"] =
        json::array({json::object({{"on", "register"}, {"kind", "throttle"}, {"times", 2}, {"retryAfter", 9}})});
    EXPECT_EQ(put().status, 429);
    EXPECT_EQ(put().headers.at("retry-after"), "9");
    EXPECT_EQ(put().status, 202);
    directory_["faults"] = json::array({json::object({{"on", "register"}, {"kind", "slow"}, {"delayMs", 40}})});
    const Response slow = put();
    EXPECT_EQ(slow.status, 202);
    EXPECT_EQ(slow.delay.count(), 40);
    directory_["faults"] = json::array({json::object({{"on", "register"}, {"kind", "cut"}})});
    EXPECT_EQ(put().status, 0);
}

TEST_F(DpsSimulator, TheHubHasTheRuntimesModulesAndAnswersAsIdentitydReads) {
    group("g", inner_);
    directory_["pollsAssigning"] = 0;
    poll(put());
    const std::string version = "?api-version=2017-11-08-preview";
    const std::string modules = "/devices/device-1/modules";
    const auto change = [&](const std::string& name, const json& body, bool if_match) {
        return service_.handle(
            Directory::parse(directory_.dump()),
            {"PUT", modules + "/" + name + version, "application/json", body.dump(), chain_, if_match}, now);
    };
    EXPECT_EQ(json::parse(send("GET", modules + version).body).size(), 2U);
    const json agent = json::parse(send("GET", modules + "/$edgeAgent" + version).body);
    EXPECT_EQ(agent.at("moduleId"), "$edgeAgent");
    EXPECT_FALSE(agent.at("generationId").get<std::string>().empty());
    const json keys = {{"moduleId", "$edgeAgent"}, {"deviceId", "device-1"}, {"authentication", {{"type", "sas"}}}};
    EXPECT_EQ(json::parse(change("$edgeAgent", keys, true).body).at("authentication").at("type"), "sas");
    EXPECT_EQ(change("$edgeAgent", keys, false).status, 409) << "there is one already";

    const Response unknown = send("GET", modules + "/weigher" + version);
    EXPECT_EQ(unknown.status, 404);
    EXPECT_THAT(json::parse(unknown.body).at("Message"), ::testing::StartsWith("ErrorCode:ModuleNotFound;"));
    EXPECT_EQ(change("weigher", {{"moduleId", "weigher"}, {"deviceId", "device-1"}}, false).status, 200);
    EXPECT_EQ(send("DELETE", modules + "/weigher" + version).status, 204);
    EXPECT_EQ(change("weigher", {{"moduleId", "other"}}, false).status, 400);

    directory_["faults"] = json::array({json::object(
        {{"on", "hub"}, {"kind", "error"}, {"status", 403}, {"message", "ErrorCode:IotHubQuotaExceeded;full"}})});
    EXPECT_EQ(json::parse(send("GET", modules + version).body).at("Message"), "ErrorCode:IotHubQuotaExceeded;full");
}

TEST_F(DpsSimulator, WhatAPortalAnswersIsToldAsItIs) {
    group("g", inner_);
    directory_["faults"] = json::array({json::object(
        {{"on", "register"}, {"kind", "raw"}, {"status", 502}, {"contentType", "text/html"}, {"message", "<html>"}})});
    const Response answer = put();
    EXPECT_EQ(answer.status, 502);
    EXPECT_EQ(answer.headers.at("content-type"), "text/html");
    EXPECT_EQ(answer.body, "<html>");
}

TEST_F(DpsSimulator, TheRegistryHasTheImagesThatTheDirectoryNames) {
    const std::string tar = ::testing::TempDir() + "dps_simulator_image.tar";
    std::ofstream(tar) << "not looked into";
    directory_["images"] = {{"azureiotedge-agent", tar}};
    EXPECT_EQ(send("GET", "/v2/").status, 200);
    const Response found = send("GET", "/v2/azureiotedge-agent/manifests/1.5");
    ASSERT_EQ(found.status, 200);
    const json manifest = json::parse(found.body);
    EXPECT_EQ(found.headers.at("content-type"), manifest.at("mediaType"));
    const std::string layer = manifest.at("layers").at(0).at("digest");
    EXPECT_EQ(send("GET", "/v2/azureiotedge-agent/blobs/" + layer).body, "not looked into");
    const Response config =
        send("GET", "/v2/azureiotedge-agent/blobs/" + manifest.at("config").at("digest").get<std::string>());
    EXPECT_EQ(json::parse(config.body).at("rootfs").at("diff_ids").at(0), layer) << "the layer is not compressed";

    const Response unknown = send("GET", "/v2/azureiotedge-hub/manifests/1.5");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_EQ(json::parse(unknown.body).at("errors").at(0).at("code"), "MANIFEST_UNKNOWN");
    EXPECT_EQ(send("GET", "/v2/azureiotedge-agent/blobs/sha256:0").status, 404);
    EXPECT_EQ(send("GET", "/v2/nothing").status, 404);
}

TEST_F(DpsSimulator, ADirectoryThatIsWrongSaysWhere) {
    for (const char* text : {"", "{}", R"({"scopes":["s"],"groups":[{"enrollmentGroupId":"g"}]})",
                             R"({"scopes":["s"],"groups":[{"enrollmentGroupId":"g","primary":"no PEM"}]})"})
        EXPECT_THROW(Directory::parse(text), std::runtime_error) << text;
}

}  // namespace
}  // namespace eflow::dps
