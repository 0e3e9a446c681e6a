#include <gtest/gtest.h>

#include "host-shim/module.hpp"
#include "host-shim/pem.hpp"
#include "host-shim/preflight.hpp"
#include "host-shim/request.hpp"
#include "shared/eflow_support.hpp"
#include "shared/failure.hpp"
#include "tests/unit/host-shim/fake_host.hpp"

namespace eflow {
namespace {

std::string failed_ids(const Findings& findings) {
    std::string ids;
    for (const auto& finding : findings)
        if (finding.severity == Severity::failed) ids += (ids.empty() ? "" : " ") + finding.id;
    return ids;
}

std::string judged(const std::function<void(HostFacts&)>& change, bool deploy = false) {
    FakeHost host;
    change(host.seen);
    Options options;
    options.deploy = deploy;
    return failed_ids(judge_host(options, host.seen));
}

TEST(Preflight, NothingFailsOnAHostInOrder) {
    EXPECT_EQ(judged([](HostFacts&) {}), "");
}

TEST(Preflight, EachLackIsNamed) {
    EXPECT_EQ(judged([](HostFacts& facts) { facts.user->elevated = false; }), "host.elevated");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.user.reset(); }), "host.elevated");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.windows->build = "17762"; }), "host.windows");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.windows->edition = "CoreSingleLanguage"; }), "host.windows");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.powershell->policy = "Restricted"; }), "host.powershell");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.powershell->language = "ConstrainedLanguage"; }), "host.powershell");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.installed.clear(); }), "host.module");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.module.reset(); }), "host.module");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.module->version = "1.1.2212.12122"; }), "host.module");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.parameters.erase("Copy-EflowVmFile"); }), "host.module");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.service.reset(); }), "host.wssdagent");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.service->status = "Stopped"; }), "host.wssdagent");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.exists = false; }), "host.vm");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.exists.reset(); }), "host.vm");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.vm.reset(); }), "host.vm");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.exists = false; }, true), "");
    // All that is wrong together, not only the first.
    EXPECT_EQ(judged([](HostFacts& facts) {
                  facts.windows->build = "1";
                  facts.service->status = "Stopped";
                  facts.exists = false;
              }),
              "host.windows host.wssdagent host.vm");
}

TEST(Preflight, WhatCannotBeSeenIsNoFailureWhereItDecidesNothing) {
    EXPECT_EQ(judged([](HostFacts& facts) { facts.windows.reset(); }), "");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.windows->build = "?"; }), "");
    EXPECT_EQ(judged([](HostFacts& facts) { facts.powershell.reset(); }), "");
}

TEST(Preflight, TheEndOfSupportIsANoteAndSaidOnce) {
    using namespace std::chrono;
    FakeHost host;
    Findings findings;
    note_support(findings, host.seen, sys_days(year(2026) / 11 / 9));
    note_support(findings, host.seen, sys_days(year(2026) / 11 / 10));
    ASSERT_EQ(findings.size(), 2U);
    EXPECT_EQ(findings[0].severity, Severity::ok);
    EXPECT_EQ(findings[1].severity, Severity::warning);
    EXPECT_EQ(findings[1].id, "host.support-ended");
    keep_one_support_note(findings);
    EXPECT_EQ(findings.size(), 1U);
    host.seen.module.reset();
    findings.clear();
    note_support(findings, host.seen, sys_days(year(2027) / 1 / 1));
    EXPECT_TRUE(findings.empty());
}

TEST(Preflight, ExitCodes) {
    EXPECT_EQ(exit_code_before_changes({ok("host.vm", "")}), ExitCode::done);
    EXPECT_EQ(exit_code_before_changes({failed("host.vm", "", "", "")}), ExitCode::machine_lacks);
    EXPECT_EQ(exit_code_before_changes({failed("host.vm", "", "", ""), failed("identity.key-readable", "", "", "")}),
              ExitCode::refused);
    EXPECT_EQ(exit_code_before_changes({failed("host.deployment", "", "", "")}), ExitCode::refused);
}

TEST(Module, VersionsAreRead) {
    EXPECT_TRUE(is_1_1("1.1.2106.0"));
    EXPECT_FALSE(is_1_1("1.10.0"));
    EXPECT_FALSE(is_1_1("1.5.6.8025"));
    EXPECT_TRUE(bans_busy_hosts("1.3.1"));
    EXPECT_FALSE(bans_busy_hosts("1.4.14"));
    EXPECT_FALSE(bans_busy_hosts("2.0"));
    for (const char* odd : {"", "x", "1", "1.", "-1.4"}) EXPECT_TRUE(bans_busy_hosts(odd)) << odd;
}

TEST(Module, TroublesAreRecognised) {
    const std::vector<std::pair<const char*, Trouble>> words{
        {"Aborting, iotedge was previously provisioned (headless mode)!", Trouble::already_provisioned},
        {"Device connection string, scope ID, registration ID, and symmetric key may not be specified for DpsX509 "
         "provisioning",
         Trouble::registration_id_refused},
        {"scp: /home/iotedge-user/certs/x.pem: Permission denied at line 3689", Trouble::leftover_files},
        {"Cannot process request, EFLOW VM is OFF!", Trouble::vm_off},
        {"Virtual machine does not exist, deploy it first", Trouble::vm_missing},
        {"iotedge-user@10.0.0.2: Permission denied (publickey).", Trouble::access_denied},
        {"Unable to connect virtual machine with SSH. Aborting..", Trouble::unreachable},
        {"x509: certificate has expired or is not yet valid", Trouble::certificate_expired},
        {"Failed to provision config.toml. Please provision manually.", Trouble::not_provisioned},
        {"iotedge service not running after provisioning, please investigate manually", Trouble::not_provisioned},
        {"AuthorizationManager check failed.", Trouble::policy},
        {"something new", Trouble::other}};
    for (const auto& [text, trouble] : words) EXPECT_EQ(trouble_of(FakeHost::error(text)), trouble) << text;
    EXPECT_EQ(trouble_of(FakeHost::lines_of({"OK"})), Trouble::none);
    EXPECT_EQ(trouble_of(FakeHost::lines_of({"Exception caught!!!", "Failed to provision"})), Trouble::not_provisioned);
    const Finding finding = explain("shim.x", "It failed", FakeHost::error("no luck", "Id"));
    EXPECT_NE(finding.detail.find("no luck [Id]\nAt line:1"), std::string::npos);
}

TEST(Module, ParameterNamesAreTheModules) {
    FakeHost host;
    Request request;
    request.device.scope_id = "S";
    request.device.registration_id = "R";
    request.device.global_endpoint = "e.example";
    const auto plain = provision_parameters(host.seen, request, "c", "k", true);
    EXPECT_EQ(plain, nlohmann::json({{"provisioningType", "DpsX509"},
                                     {"scopeId", "S"},
                                     {"registrationId", "R"},
                                     {"identityCertPath", "c"},
                                     {"identityPrivKeyPath", "k"},
                                     {"globalEndpoint", "https://e.example/"},
                                     {"headless", true}}));
    host.seen.parameters["Provision-EflowVm"] = {"ProvisioningType", "ScopeId", "identityCertPath",
                                                 "identityPrivateKey"};
    request.device.global_endpoint.reset();
    EXPECT_EQ(provision_parameters(host.seen, request, "c", "k", true), nlohmann::json({{"ProvisioningType", "DpsX509"},
                                                                                        {"ScopeId", "S"},
                                                                                        {"identityCertPath", "c"},
                                                                                        {"identityPrivateKey", "k"}}));
    request.device.global_endpoint = "e.example";
    EXPECT_THROW(provision_parameters(host.seen, request, "c", "k", true), Failure);
}

TEST(Pem, FaultsAreTold) {
    const std::string certificate = pem_with_cn("x");
    EXPECT_FALSE(certificate_fault(certificate + "text between\n" + certificate));
    EXPECT_FALSE(key_fault("# a comment\r\n" + key_pem));
    for (const auto& [text, word] : std::vector<std::pair<std::string, std::string>>{
             {"", "empty"},
             {"hello", "no PEM certificate"},
             {std::string("\x30\x82\x00\x01", 4), "binary"},
             {certificate + key_pem, "private key stands in it"},
             {"-----BEGIN CERTIFICATE-----\nAA", "no end"},
             {"-----BEGIN CERTIFICATE-----\n-----BEGIN X-----\n-----END CERTIFICATE-----", "no end"},
             {"-----BEGIN " + std::string(200, 'A'), "no end"},
             {"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "no PEM certificate"}}) {
        ASSERT_TRUE(certificate_fault(text)) << text;
        EXPECT_NE(certificate_fault(text)->find(word), std::string::npos) << *certificate_fault(text);
    }
    for (const auto& [text, word] : std::vector<std::pair<std::string, std::string>>{
             {"", "empty"},
             {certificate, "no PEM private key"},
             {key_pem + key_pem, "more than one"},
             {"-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END ENCRYPTED PRIVATE KEY-----", "encrypted"},
             {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n-----END RSA PRIVATE KEY-----", "encrypted"},
             {"-----BEGIN TSS2 PRIVATE KEY-----\nAA\n-----END TSS2 PRIVATE KEY-----", "TPM"},
             {"-----BEGIN OPENSSH PRIVATE KEY-----\nAA\n-----END OPENSSH PRIVATE KEY-----", "OpenSSH"},
             {"  -----BEGIN PRIVATE KEY-----\nAA\n  -----END PRIVATE KEY-----", "indented"},
             {"-----BEGIN EC PRIVATE KEY-----\nAA", "no end"}}) {
        ASSERT_TRUE(key_fault(text)) << text;
        EXPECT_NE(key_fault(text)->find(word), std::string::npos) << *key_fault(text);
    }
}

TEST(Pem, WhatEditorsPutBeforeItIsTakenAway) {
    std::string utf16 = "\xff\xfe";
    for (const char c : key_pem) utf16 += {c, '\0'};
    for (const std::string& text : {key_pem, "\xef\xbb\xbf" + key_pem, utf16}) {
        EXPECT_EQ(plain_pem(text).reveal(), key_pem);
        EXPECT_FALSE(key_fault(plain_pem(text).reveal()));
    }
}

Request requested(FakeHost& host, const std::vector<std::string>& arguments) {
    return make_request(parse_command_line(arguments).options.value(), host);
}

TEST(Request, IsJudgedWhole) {
    FakeHost host;
    EXPECT_FALSE(requested(host, provision_arguments()).refused());
    host.files["C:\\id\\key.pem"] = "no";
    auto arguments = provision_arguments();
    arguments[2] = "not a scope!";
    arguments[4] = "not an id!";
    EXPECT_EQ(failed_ids(requested(host, arguments).findings),
              "config.scope-id config.registration-id identity.key-readable");
    EXPECT_THROW(requested(host, {"provision"}), Failure);
}

TEST(Request, CnAndRegistrationIdAreCompared) {
    FakeHost host;
    host.files["C:\\id\\cert.pem"] = pem_with_cn("PLANT7-gw-03");
    EXPECT_FALSE(requested(host, provision_arguments()).refused()) << "case does not count";
    host.files["C:\\id\\cert.pem"] = pem_with_cn("other");
    EXPECT_EQ(failed_ids(requested(host, provision_arguments()).findings), "identity.cn-matches-registration-id");
}

const char* const manifest_text = R"(schema = 1
[provisioning]
scope_id = "0ne00A1B2C3"
registration_id = "plant7-gw-03"
[identity]
certificate = 'cert.pem'
private_key = 'C:\id\key.pem'
[edge]
hostname = "a\"b\\c"
trust_bundle = "/etc/x'y"
edge_ca = { certificate = "/a", private_key = "/b" }
[host.deploy]
cpu = 2
)";

TEST(Request, ManifestAndTheCommandLineWins) {
    FakeHost host;
    host.files["C:\\id\\device.toml"] = manifest_text;
    const Request request =
        requested(host, {"provision", "--manifest", "C:\\id\\device.toml", "--scope-id", "0ne00000000"});
    EXPECT_FALSE(request.refused());
    EXPECT_EQ(request.device.scope_id, "0ne00000000");
    EXPECT_EQ(request.device.certificate, "C:\\id\\cert.pem");
    EXPECT_EQ(request.deployment->cpu, 2);
}

TEST(Request, TheBundlesManifestSaysTheSame) {
    const Manifest device = parse_manifest(manifest_text, "");
    const Manifest again = parse_manifest(bundle_manifest(device), "");
    EXPECT_EQ(again.scope_id, device.scope_id);
    EXPECT_EQ(again.registration_id, device.registration_id);
    EXPECT_EQ(again.hostname, "a\"b\\c");
    EXPECT_EQ(again.trust_bundle, "/etc/x'y");
    EXPECT_EQ(again.edge_ca->private_key, "/b");
    EXPECT_EQ(again.certificate, "identity.cert.pem");
    EXPECT_EQ(again.private_key, "identity.key.pem");
    Manifest hostile = device;
    hostile.proxy = "\x01\n\t\"\"\"'''\\u0041 = [x]\n[provisioning]\x7f\xc3\xa9";
    EXPECT_EQ(parse_manifest(bundle_manifest(hostile), "").proxy, hostile.proxy);
}

TEST(Request, WhatHasToStandInTheVmMustBeAPathThere) {
    FakeHost host;
    std::string text = manifest_text;
    text.replace(text.find("/etc/x'y"), 8, "C:/x");
    host.files["C:\\id\\device.toml"] = text;
    EXPECT_EQ(failed_ids(requested(host, {"provision", "--manifest", "C:\\id\\device.toml"}).findings),
              "config.matches-manifest");
}

TEST(Autodeploy, IsReadAndTheRestIsNamed) {
    const auto config =
        parse_autodeploy(R"({"schemaVersion":"1.1","eflowProductUrl":"https://x","installOptions":{"installPath":"D:"},
        "enduser":{"acceptEula":"Yes","acceptOptionalTelemetry":"no"},"network":{"useHostProxy":false,"ip4PrefixLength":"24","dnsServers":["1.1.1.1"]},
        "vmConfig":{"cpuCount":2,"memoryInMB":0},"vmFeature":{"DpsTpm":true},
        "eflowProvisioning":{"provisioningType":"dpsX509","scopeId":"S","identityCertPath":"C","identityPrivKeyPath":"K","symmKey":""}})");
    EXPECT_EQ(config.device.scope_id, "S");
    EXPECT_EQ(config.deployment.cpu, 2);
    EXPECT_FALSE(config.deployment.memory_mb);
    EXPECT_EQ(config.deployment.prefix_length, 24);
    EXPECT_TRUE(config.deployment.accept_eula);
    EXPECT_FALSE(config.deployment.accept_optional_telemetry);
    EXPECT_EQ(config.deployment.dns_servers, std::vector<std::string>{"1.1.1.1"});
    ASSERT_EQ(config.findings.size(), 1U);
    EXPECT_EQ(config.findings[0].detail, "eflowProductUrl, installOptions.installPath, vmFeature.DpsTpm");
    for (const char* bad :
         {"", "[]", "{", R"({"eflowProvisioning":3})", R"({"eflowProvisioning":{"provisioningType":"DpsTPM"}})",
          R"({"eflowProvisioning":{"provisioningType":"DpsX509","scopeId":7}})",
          R"({"eflowProvisioning":{"provisioningType":"DpsX509"},"vmConfig":{"cpuCount":"many"}})"})
        EXPECT_THROW(parse_autodeploy(bad), Failure) << bad;
}

std::string refusal_of(const std::string& autodeploy) {
    try {
        parse_autodeploy(autodeploy);
    } catch (const Failure& failure) {
        return failure.what();
    }
    return "";
}

TEST(Autodeploy, ABrokenFileSaysWhereAndNothingOfWhatStandsThere) {
    const std::string secret = "c2VjcmV0IG9mIHRoZSBkZXZpY2U=";
    const std::string broken = refusal_of("{\n \"eflowProvisioning\": {\"symmKey\": \"" + secret + "\",\n  \"x\": " + secret + "}}");
    EXPECT_NE(broken.find("line 3, column 8"), std::string::npos) << broken;
    for (const std::string& text :
         {broken, refusal_of("{\"symmKey\": \"" + secret), refusal_of("{\"symmKey\": \"" + secret + "\x01\"}"),
          refusal_of(R"({"eflowProvisioning":{"provisioningType":")" + secret + R"("}})"),
          refusal_of(R"({"eflowProvisioning":")" + secret + R"("})"), refusal_of("\"" + secret + "\""),
          refusal_of(R"({"eflowProvisioning":{"provisioningType":"DpsX509"},"vmConfig":{"cpuCount":")" + secret + R"("}})"),
          refusal_of("\xe9" + secret), refusal_of("1e99999 " + secret)}) {
        EXPECT_NE(text, "");
        EXPECT_EQ(text.find("c2Vj"), std::string::npos) << text;
    }
    EXPECT_NE(refusal_of(R"({"eflowProvisioning":{"provisioningType":"dpstpm"}})").find("DpsTPM"), std::string::npos);
}

/// As Windows PowerShell writes a text with `>` (UTF-16, little end first) and other editors do.
std::vector<std::string> as_editors_write(std::string_view text) {
    std::string little = "\xff\xfe";
    std::string big = "\xfe\xff";
    for (const char c : text) {
        little += std::string{c, '\0'};
        big += std::string{'\0', c};
    }
    return {"\xef\xbb\xbf" + std::string(text), little, big, little.substr(2)};
}

TEST(Request, FilesAreReadAsWindowsEditorsWriteThem) {
    for (const auto& manifest : as_editors_write(manifest_text)) {
        FakeHost host;
        host.files["C:\\id\\device.toml"] = manifest;
        const Request request = requested(host, {"provision", "--manifest", "C:\\id\\device.toml"});
        EXPECT_FALSE(request.refused());
        EXPECT_EQ(request.device.scope_id, "0ne00A1B2C3");
        EXPECT_EQ(request.deployment->cpu, 2);
    }
    for (const auto& autodeploy : as_editors_write(
             R"({"eflowProvisioning":{"provisioningType":"DpsX509","scopeId":"S","identityCertPath":"C"}})"))
        EXPECT_EQ(parse_autodeploy(autodeploy).device.scope_id, "S");
}

}  // namespace
}  // namespace eflow
