#include "vm-agent/identity/issue.hpp"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/failure.hpp"
#include "tests/support/test_certificates.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/identity/judge.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {
namespace {

using ::testing::ElementsAre;
using testing::now;

std::map<std::string, IssuedFile> issued(KeyKind kind) {
    TestIdentityRequest request;
    request.common_name = "plant7:gw-03";
    request.leaf_key = kind;
    request.not_before = now - std::chrono::days(1);
    request.not_after = now + std::chrono::days(60);
    std::map<std::string, IssuedFile> files;
    for (auto& file : create_test_identity(request)) files.emplace(file.path, file);
    return files;
}

TEST(CreateTestIdentity, HasTheNamesAndProfilesOfCertGen) {
    for (const KeyKind kind : {KeyKind::ec_p256, KeyKind::rsa_2048}) {
        const auto files = issued(kind);
        std::vector<std::string> names;
        for (const auto& [name, file] : files) {
            names.push_back(name);
            EXPECT_EQ(file.is_private, name.starts_with("private/"));
        }
        EXPECT_THAT(names, ElementsAre("certs/azure-iot-test-only.intermediate.cert.pem",
                                       "certs/azure-iot-test-only.root.ca.cert.pem",
                                       "certs/iot-edge-device-identity-plant7:gw-03-full-chain.cert.pem",
                                       "certs/iot-edge-device-identity-plant7:gw-03.cert.pem",
                                       "private/azure-iot-test-only.intermediate.key.pem",
                                       "private/azure-iot-test-only.root.ca.key.pem",
                                       "private/iot-edge-device-identity-plant7:gw-03.key.pem"));
        const auto& chain = files.at("certs/iot-edge-device-identity-plant7:gw-03-full-chain.cert.pem").contents;
        const auto certificates = std::get<std::vector<Certificate>>(read_certificates(chain.reveal(), "chain"));
        ASSERT_EQ(certificates.size(), 3U);
        const auto leaf = facts(certificates[0], now);
        EXPECT_EQ(leaf.common_name, "plant7:gw-03");
        EXPECT_EQ(leaf.days_left, 60);
        EXPECT_THAT(leaf.key_usage, ElementsAre("digitalSignature", "nonRepudiation", "keyEncipherment"));
        EXPECT_THAT(leaf.extended_key_usage, ElementsAre("clientAuth", "emailProtection"));
        EXPECT_EQ(facts(certificates[1], now).common_name, "Azure_IoT_Hub_Intermediate_Cert_Test_Only");
        EXPECT_EQ(facts(certificates[2], now).common_name, "Azure_IoT_Hub_CA_Cert_Test_Only");

        IdentityExpectation expected;
        expected.now = now;
        expected.trusted = {certificates[2]};
        const auto verdict = judge_identity(
            chain.reveal(), "chain",
            files.at("private/iot-edge-device-identity-plant7:gw-03.key.pem").contents.reveal(), "key", expected);
        EXPECT_TRUE(verdict.material);
    }
}

TEST(CreateTestIdentity, RefusesNamesThatNoDeviceCouldHave) {
    for (const std::string& name :
         {std::string(), std::string("a/b"), std::string("../x"), std::string("a b"), std::string(65, 'a')}) {
        TestIdentityRequest request;
        request.common_name = name;
        EXPECT_THROW(create_test_identity(request), Failure) << name;
    }
}

}  // namespace
}  // namespace eflow
