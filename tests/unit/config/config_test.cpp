#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm-agent/config/device_info.hpp"
#include "vm-agent/config/diff.hpp"
#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/splice.hpp"
#include "vm-agent/config/statements.hpp"

namespace eflow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ManagedConfig managed() {
    ManagedConfig one;
    one.id_scope = "0ne00A1B2C3";
    one.global_endpoint = "https://global.azure-devices-provisioning.net/";
    one.identity_cert_uri = "file:///c";
    one.identity_pk_uri = "file:///k";
    return one;
}

TEST(FileUri, EncodesAsUpstreamDoesAndBack) {
    EXPECT_EQ(file_uri("/var/aziot/certs/a.pem"), "file:///var/aziot/certs/a.pem");
    EXPECT_EQ(file_uri("/a b/#?%\"<>`{}\x01\xc3\xa9"), "file:///a%20b/%23%3F%25%22%3C%3E%60%7B%7D%01%C3%A9");
    for (const std::string path : {"/a b/c", "/100%/x", "/\xc3\xa9/~user/[x]"})
        EXPECT_EQ(path_of_file_uri(file_uri(path)), path);
    EXPECT_EQ(path_of_file_uri("file://localhost/a"), "/a");
    EXPECT_EQ(path_of_file_uri("file:///a%zz"), "/a%zz");
    for (const char* bad : {"", "/a", "http:///a", "file://host/a", "pkcs11:x", "file:///a%00b"})
        EXPECT_EQ(path_of_file_uri(bad), std::nullopt) << bad;
}

TEST(Splice, CutAnywhereAValidTextStaysWholeOrIsRefused) {
    const std::string text =
        "hostname = \"h\" # [x]\n\n[agent]\nname = 'edgeAgent'\ntype = \"\"\"docker\"\"\"\n[agent.config]\nimage = "
        "\"i\"\n"
        "createOptions = { HostConfig = { Binds = [ \"a:b\",\n \"c:d\" ] } }\n";
    for (std::size_t size = 0; size <= text.size(); ++size) {
        const auto spliced = splice(text.substr(0, size), managed(), false);
        if (!spliced.text) {
            EXPECT_EQ(gravest(spliced.findings), Severity::failed) << size;
            continue;
        }
        EXPECT_THAT(*spliced.text, ::testing::StartsWith(text.substr(0, size)));
        EXPECT_THAT(remove_provisioning(*spliced.text).text.value_or("?"),
                    ::testing::AnyOf(text.substr(0, size), text.substr(0, size) + "\n"));
    }
}

TEST(RemoveProvisioning, LeavesTheRest) {
    const auto spliced = splice("# mine\nhostname = \"h\"\n", managed(), false);
    EXPECT_EQ(remove_provisioning(*spliced.text).text, "# mine\nhostname = \"h\"\n");
    EXPECT_EQ(remove_provisioning("hostname = \"h\"\n\n\n").text, "hostname = \"h\"\n\n\n")
        << "nothing of ours, nothing touched";
    EXPECT_EQ(remove_provisioning("= broken").text, std::nullopt);
}

TEST(Statements, AreEveryByte) {
    const std::string text = "a = 1\r\n\n# c\n[t.\"q.r\"]\nb = [1,\n2] # x\nc = '''\n[no]\n'''\nd = \"\\\"\"";
    std::string joined;
    for (const auto& one : statements_of(text)) joined += text.substr(one.begin, one.end - one.begin);
    EXPECT_EQ(joined, text);
    EXPECT_EQ(statements_of(text)[3].path, (std::vector<std::string>{"t", "q.r"}));
}

TEST(Diff, IsUnified) {
    EXPECT_EQ(unified_diff("a\n", "a\n", "x", "y"), "");
    EXPECT_EQ(unified_diff("", "a\nb\n", "/dev/null", "y"), "--- /dev/null\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n");
    EXPECT_EQ(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nV\n6\n7\n8\n9\n", "x", "y"),
              "--- x\n+++ y\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+V\n 6\n 7\n 8\n");
    EXPECT_THAT(unified_diff("a", "b\n", "x", "y"), HasSubstr("-a\n\\ No newline at end of file\n+b\n"));
    EXPECT_THAT(unified_diff("", "\x1b[31m\n", "x", "y"), Not(HasSubstr("\x1b")));
}

TEST(Diff, TwoChangesFarApartAreTwoHunks) {
    std::string before;
    for (int i = 0; i < 40; ++i) before += "line " + std::to_string(i) + "\n";
    std::string after = before;
    after.replace(after.find("line 5\n"), 7, "five\n").replace(after.find("line 30\n"), 8, "");
    EXPECT_EQ(unified_diff(before, after, "x", "y"),
              "--- x\n+++ y\n@@ -3,7 +3,7 @@\n line 2\n line 3\n line 4\n-line 5\n+five\n line 6\n line 7\n line 8\n"
              "@@ -28,7 +28,6 @@\n line 27\n line 28\n line 29\n-line 30\n line 31\n line 32\n line 33\n");
}

TEST(Redacted, NoSecretStays) {
    const std::string text =
        "[provisioning]\nconnection_string = \"HostName=h;SharedAccessKey=SECRET\"\n"
        "[provisioning.attestation]\nsymmetric_key = { value = 'SECRET' }\nidentity_pk = "
        "\"pkcs11:object=k?pin-value=SECRET\"\n"
        "# symmetric_key = { value = \"SECRET\" }\n[agent.config.auth]\npassword = \"\"\"\nSECRET\n\"\"\"\nusername = "
        "\"me\"\n"
        "[provisioning.attestation.symmetric_key]\nvalue = \"SECRET\"\n";
    const std::string shown = redacted(text);
    EXPECT_THAT(shown, Not(HasSubstr("SECRET")));
    EXPECT_THAT(shown, HasSubstr("username = \"me\""));
    EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), std::count(text.begin(), text.end(), '\n'));
    EXPECT_THAT(redacted("connection_string = \"SECRET"), Not(HasSubstr("SECRET"))) << "text that does not parse too";
}

TEST(DeviceInfo, IsReadAsIdentitydWritesIt) {
    const auto info =
        parse_device_info("hub_name = \"h.azure-devices.net\"\nlocal_gateway_hostname = \"h\"\ndevice_id = \"d\"\n");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->hub_name, "h.azure-devices.net");
    EXPECT_EQ(info->device_id, "d");
    for (const char* bad : {"", "x", "hub_name = 1\ndevice_id = \"d\"", "hub_name = \"h\""})
        EXPECT_FALSE(parse_device_info(bad)) << bad;
}

}  // namespace
}  // namespace eflow
