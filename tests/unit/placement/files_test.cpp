// The files checks, on trees as devices have them: Microsoft's layout and ours, what others may reach, keys in use and not.

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm-agent/placement/check.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto pem_key = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n";

constexpr auto dps = R"([provisioning]
source = "dps"
global_endpoint = "https://global.azure-devices-provisioning.net"
id_scope = "0ne00A1B2C3"
[provisioning.attestation]
method = "x509"
identity_cert = "file:///var/aziot/certs/id.pem"
identity_pk = "file:///var/aziot/secrets/id.key.pem"
)";

/// A root with IoT Edge's users, each with ids of their own; run by root, as the agent is.
class Files : public ::testing::Test {
protected:
    Files() {
        char name[] = "/tmp/eflow-files-XXXXXX";
        root_ = mkdtemp(name);
        fs::permissions(root_, fs::perms(0755));
        unsigned next = 60000;
        for (const char* user : {"aziotks", "aziotcs", "aziotid", "ops"}) {
            users_.users[user] = {++next, next};
            users_.groups[user] = next;
        }
        users_.users["root"] = {0, 0};
        users_.groups["root"] = 0;
        for (const char* folder : {"/etc", "/etc/aziot", "/var", "/var/lib", "/var/aziot", "/home"}) make_folder(folder);
        tree_ = std::make_unique<Tree>(root_, Tree::Kind::offline);
    }
    ~Files() override { fs::remove_all(root_); }
    void SetUp() override {
        if (getuid() != 0) FAIL() << "owners are set, which takes root";
    }

    void own(const std::string& path, const std::string& owner, unsigned mode) const {
        const auto colon = owner.find(':');
        ASSERT_EQ(lchown((root_ + path).c_str(), users_.user(owner.substr(0, colon)).uid,
                         users_.group(owner.substr(colon + 1))),
                  0);
        ASSERT_EQ(chmod((root_ + path).c_str(), mode), 0);
    }
    void make_folder(const std::string& path, const std::string& owner = "root:root", unsigned mode = 0755) const {
        fs::create_directories(root_ + path);
        own(path, owner, mode);
    }
    void put(const std::string& path, const std::string& text, const std::string& owner, unsigned mode) const {
        std::ofstream(root_ + path) << text;
        own(path, owner, mode);
    }
    void config(const std::string& text, unsigned mode = 0600) {
        config_ = text;
        put("/etc/aziot/config.toml", text, "root:root", mode);
    }
    /// As Microsoft's how-to on device certificates has it.
    void microsofts_layout() {
        make_folder("/var/aziot/certs", "aziotcs:aziotcs", 0755);
        make_folder("/var/aziot/secrets", "aziotks:aziotks", 0700);
        put("/var/aziot/certs/id.pem", "certificate", "aziotcs:aziotcs", 0644);
        put("/var/aziot/secrets/id.key.pem", pem_key, "aziotks:aziotks", 0600);
        config(dps);
    }
    void our_layout() {
        make_folder("/var/aziot/certs", "root:aziotcs", 0755);
        make_folder("/var/aziot/secrets", "root:aziotks", 0750);
        put("/var/aziot/certs/id.pem", "certificate", "root:aziotcs", 0644);
        put("/var/aziot/secrets/id.key.pem", pem_key, "root:aziotks", 0440);
        config(dps);
    }
    /// By id. No check gives two.
    std::map<std::string, Finding> judged() const {
        std::map<std::string, Finding> by_id;
        for (const auto& finding : judge_files(*tree_, users_, config_))
            EXPECT_TRUE(by_id.emplace(finding.id, finding).second) << finding.id;
        return by_id;
    }
    Finding stray() const { return judged().at("files.no-stray-keys"); }
    void expect_well() const {
        for (const auto& [id, finding] : judged())
            EXPECT_TRUE(finding.severity == Severity::ok || finding.severity == Severity::skipped)
                << id << " " << to_text(finding.severity) << ": " << finding.detail;
    }
    void expect(const char* id, Severity severity, const std::string& words = "") const {
        const Finding finding = judged().at(id);
        EXPECT_EQ(to_text(finding.severity), to_text(severity)) << id << ": " << finding.detail;
        EXPECT_THAT(finding.detail + "\n" + finding.remedy, HasSubstr(words)) << id;
    }

    std::string root_;
    UserTable users_;
    std::unique_ptr<Tree> tree_;
    std::optional<std::string> config_;
};

using enum Severity;

// --- layouts ----------------------------------------------------------------------------------------------------------

TEST_F(Files, OursIsWell) {
    our_layout();
    expect_well();
}

TEST_F(Files, MicrosoftsIsWellAndTheTighterOneIsAHint) {
    microsofts_layout();
    expect_well();
    EXPECT_THAT(judged().at("files.owner-and-mode").detail, HasSubstr("tighter"));
    EXPECT_THAT(judged().at("files.key-protected").detail, HasSubstr("keyd may delete"));
}

TEST_F(Files, WithARegistrationIdKeydMayTrulyDeleteTheKey) {
    microsofts_layout();
    config(std::string(dps) + "registration_id = \"gw\"\n");
    expect("files.key-protected", warning, "sudo chown root:aziotks /var/aziot/secrets");
    our_layout();
    config(std::string(dps) + "registration_id = \"gw\"\n");
    expect_well();
}

TEST_F(Files, WhatNobodyCanReachIsNotReadable) {
    microsofts_layout();
    own("/var/aziot/secrets/id.key.pem", "aziotks:aziotks", 0644);
    expect_well();
    own("/var/aziot/secrets", "aziotks:aziotks", 0755);
    expect("files.key-protected", failed, "everybody");
    own("/var/aziot/secrets/id.key.pem", "aziotks:aziotks", 0600);
    expect_well();
}

TEST_F(Files, AKeyThatAGroupReadsIsNotProtected) {
    our_layout();
    own("/var/aziot/secrets", "root:aziotks", 0755);
    own("/var/aziot/secrets/id.key.pem", "aziotks:ops", 0440);
    expect("files.key-protected", failed, "the group ops");
}

TEST_F(Files, WhoeverOwnsOrWritesADirectoryReplacesWhatIsInIt) {
    our_layout();
    own("/var/aziot/certs", "ops:ops", 0755);
    expect("files.owner-and-mode", failed, "the user ops (by /var/aziot/certs)");
    our_layout();
    own("/var/aziot", "root:root", 0777);
    expect("files.owner-and-mode", failed, "sudo chmod 0755 /var/aziot");
    expect("files.key-protected", failed, "everybody");
    // In a sticky directory only the owner of a name replaces it.
    own("/var/aziot", "root:root", 01777);
    EXPECT_EQ(judged().at("files.owner-and-mode").severity, ok);
}

TEST_F(Files, ACertificateThatOpsOwnsCanBeChangedByOps) {
    our_layout();
    own("/var/aziot/certs/id.pem", "ops:ops", 0444);
    expect("files.owner-and-mode", failed, "sudo chown root:aziotcs /var/aziot/certs/id.pem");
}

// --- config.toml ------------------------------------------------------------------------------------------------------

TEST_F(Files, ConfigTomlIsJudgedByWhatStandsInIt) {
    const std::string text = "[provisioning]\nsource = \"manual\"\nconnection_string = "
                             "\"HostName=h.azure-devices.net;DeviceId=d;SharedAccessKey=c2VjcmV0LXNlY3JldC1zZWNyZXQ=\"\n";
    const struct {
        std::string text;
        unsigned mode;
        Severity wanted;
    } rows[] = {
        {dps, 0600, ok},        {dps, 0640, ok},       {dps, 0644, warning},   {dps, 0444, warning},
        {dps, 0666, failed},    {dps, 0777, failed},   {dps, 0622, failed},    {text, 0600, ok},
        {text, 0640, ok},       {text, 0644, failed},  {text, 0604, failed},   {text, 0777, failed},
        {"[agent.env]\nhttps_proxy = \"http://u:pass-word-1@proxy:3128\"\n", 0644, failed},
    };
    our_layout();
    for (const auto& row : rows) {
        config(row.text, row.mode);
        SCOPED_TRACE(row.text.substr(0, 40) + " " + std::to_string(row.mode));
        expect("files.owner-and-mode", row.wanted);
    }
    config(dps);
    own("/etc/aziot/config.toml", "root:ops", 0660);
    expect("files.owner-and-mode", failed, "the group ops");
    own("/etc/aziot/config.toml", "ops:ops", 0600);
    expect("files.owner-and-mode", failed, "sudo chown root:root /etc/aziot/config.toml");
    own("/etc/aziot/config.toml", "aziotid:aziotid", 0600);
    expect("files.owner-and-mode", failed, "the user aziotid");
    own("/etc/aziot/config.toml", "aziotcs:aziotcs", 0600);
    expect("files.owner-and-mode", warning);
    // Nobody else gets that far.
    own("/etc/aziot", "root:root", 0700);
    config(text, 0666);
    expect("files.owner-and-mode", ok);
}

// --- what else config.toml names --------------------------------------------------------------------------------------

TEST_F(Files, AnEdgeCaInAHomeThatNobodyPassesIsNamedWithItsDirectory) {
    our_layout();
    make_folder("/home/ops", "root:root", 0700);
    make_folder("/home/ops/certs");
    for (const char* name : {"ca.pem", "ca.key", "root.pem"}) put(std::string("/home/ops/certs/") + name, pem_key, "root:root", 0400);
    config("trust_bundle_cert = \"file:///home/ops/certs/root.pem\"\n" + std::string(dps) +
           "[edge_ca]\ncert = \"file:///home/ops/certs/ca.pem\"\npk = \"file:///home/ops/certs/ca.key\"\n");
    expect("files.readable-by-aziotcs", failed, "/home/ops is not readable by user aziotcs");
    expect("files.readable-by-aziotcs", failed, "the trust bundle /home/ops/certs/root.pem");
    expect("files.readable-by-aziotks", failed, "the Edge CA's key /home/ops/certs/ca.key");
    EXPECT_THAT(judged().at("files.readable-by-aziotks").remedy, Not(HasSubstr("chmod"))) << "a home is not opened up";
    EXPECT_THAT(stray().detail, IsEmpty());
}

TEST_F(Files, WhatDoesNotExistIsNamed) {
    our_layout();
    config(std::string(dps) + "[edge_ca]\ncert = \"file:///nowhere/ca.pem\"\npk = \"file:///nowhere/ca.key\"\n");
    expect("files.readable-by-aziotcs", failed, "the Edge CA certificate /nowhere/ca.pem does not exist");
}

TEST_F(Files, APreloadedKeyMayComeLater) {
    our_layout();
    config(std::string(dps) + "[preloaded_keys]\nmine = \"file:///var/aziot/secrets/mine\"\n");
    expect("files.readable-by-aziotks", ok, "is not there yet");
}

TEST_F(Files, APayloadThatOnlyRootReadsIsOfNoUse) {
    our_layout();
    std::string text = dps;
    text.insert(text.find("[provisioning.attestation]"), "payload = { uri = \"file:///etc/aziot/payload.json\" }\n");
    config(text);
    put("/etc/aziot/payload.json", "{}", "root:root", 0600);
    expect("files.readable-by-aziotid", failed, "sudo chown root:aziotid /etc/aziot/payload.json");
    own("/etc/aziot/payload.json", "root:aziotid", 0440);
    expect("files.readable-by-aziotid", ok);
}

TEST_F(Files, ALinkOnTheWayIsNotFollowedAndNoFault) {
    our_layout();
    put("/var/real.pem", "certificate", "root:root", 0644);
    fs::create_symlink("real.pem", root_ + "/var/link.pem");
    config("trust_bundle_cert = \"file:///var/link.pem\"\n" + std::string(dps));
    fs::create_directory_symlink("/etc", root_ + "/var/folder");
    config("trust_bundle_cert = \"file:///var/folder/root.pem\"\n" + std::string(dps));
    expect_well();
}

TEST_F(Files, WithoutIoTEdgeTheReadersAreNotJudged) {
    our_layout();
    for (const char* name : {"aziotcs", "aziotks", "aziotid"}) users_.users.erase(name), users_.groups.erase(name);
    expect("files.readable-by-aziotcs", skipped, "does not exist");
    expect("files.key-protected", skipped);
    EXPECT_THAT(missing_users(users_), ::testing::SizeIs(3));
}

// --- files.no-stray-keys ----------------------------------------------------------------------------------------------

/// Whatever names the key, and however: it is not called unused.
TEST_F(Files, AKeyThatAnythingNamesIsInUse) {
    const std::string key = "/var/aziot/secrets/other.key.pem";
    const std::string uri = "file://" + key;
    for (const std::string& more :
         {"[edge_ca]\ncert = \"file:///c\"\npk = \"" + uri + "\"\n", "[preloaded_keys]\nx = \"" + uri + "\"\n",
          "[cert_issuance.local_ca]\ncert = \"file:///c\"\npk = \"" + uri + "\"\n",
          "[cert_issuance.est.auth]\nidentity_cert = \"file:///c\"\nidentity_pk = \"" + uri + "\"\n",
          "[cert_issuance.est.auth]\nbootstrap_identity_cert = \"file:///c\"\nbootstrap_identity_pk = \"" + uri + "\"\n",
          "[tls]\nserver_key = \"" + key + "\"\n", "# pk = \"" + uri + "\"\n",
          std::string("[edge_ca]\npk = \"file:///var/aziot/secrets/%6fther.key.pem\"\n")}) {
        SCOPED_TRACE(more);
        our_layout();
        put(key, pem_key, "root:aziotks", 0440);
        config(dps + more);
        EXPECT_THAT(stray().detail + stray().remedy, Not(HasSubstr("other.key.pem")));
    }
}

TEST_F(Files, AKeyThatAnEarlierOrRenderedConfigurationNamesIsInUse) {
    for (const char* holder : {"/var/lib/eflow-agent/previous-config.toml", "/etc/aziot/keyd/config.d/00-super.toml",
                               "/etc/aziot/keyd/config.d/mine.toml", "/etc/aziot/keyd/config.toml",
                               "/etc/eflow-agent/device.toml"}) {
        SCOPED_TRACE(holder);
        our_layout();
        put("/var/aziot/secrets/old.key.pem", pem_key, "root:aziotks", 0440);
        EXPECT_EQ(stray().severity, warning);
        make_folder(fs::path(holder).parent_path());
        put(holder, "[preloaded_keys]\n\"device-id\" = \"file:///var/aziot/secrets/old.key.pem\"\n", "root:root", 0600);
        EXPECT_EQ(stray().severity, ok) << stray().detail;
        fs::remove(root_ + holder);
    }
}

TEST_F(Files, InDoubtItIsSaidWhereAKeyIsAndNothingMore) {
    our_layout();
    for (const std::string& text :
         {std::string("[agent\n"), std::string("[provisioning]\nsource = \"dps\" \"\n"), std::string("# nothing\n")}) {
        SCOPED_TRACE(text);
        config(text);
        const Finding finding = stray();
        EXPECT_EQ(finding.severity, skipped);
        EXPECT_THAT(finding.detail, HasSubstr("/var/aziot/secrets/id.key.pem (0440 root:aziotks)"));
        EXPECT_THAT(finding.remedy, IsEmpty());
    }
    fs::remove(root_ + "/etc/aziot/config.toml");
    config_.reset();
    EXPECT_EQ(stray().severity, skipped);
    EXPECT_THAT(stray().remedy, IsEmpty());
    // The device's only key, while nothing can be read but its name.
    config(std::string(dps) + "[agent\n");
    EXPECT_THAT(stray().detail, Not(HasSubstr("id.key.pem")));
}

TEST_F(Files, ANameOfAKeyInUseIsThatKey) {
    our_layout();
    fs::create_hard_link(root_ + "/var/aziot/secrets/id.key.pem", root_ + "/var/aziot/secrets/twin");
    EXPECT_EQ(stray().severity, ok);
}

TEST_F(Files, AKeyThatNothingNamesIsRestrictedNeverDestroyed) {
    our_layout();
    put("/var/aziot/left.key", pem_key, "root:root", 0600);
    EXPECT_EQ(stray().severity, warning);
    EXPECT_THAT(stray().detail, HasSubstr("only root"));
    EXPECT_THAT(stray().remedy, AllOf(HasSubstr("sudo chmod 0600 /var/aziot/left.key"), Not(HasSubstr("shred"))));
    own("/var/aziot/left.key", "root:root", 0644);
    EXPECT_EQ(stray().severity, failed);
    EXPECT_THAT(stray().detail, HasSubstr("everybody"));
    // An OpenSSH key is no business of IoT Edge's.
    put("/var/aziot/left.key", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "root:root", 0644);
    EXPECT_EQ(stray().severity, ok);
}

TEST_F(Files, WhatAnybodyCouldHaveMadeFailsNothing) {
    our_layout();
    make_folder("/tmp", "root:root", 01777);
    make_folder("/home/ops", "ops:ops", 0755);
    for (const char* path : {"/tmp/key.pem", "/home/ops/key.pem"}) {
        put(path, pem_key, "ops:ops", 0644);
        EXPECT_EQ(stray().severity, warning) << stray().detail;
        own(path, "root:root", 0644);
        EXPECT_EQ(stray().severity, warning) << "nor does root's own file there";
        fs::remove(root_ + path);
    }
    put("/var/aziot/key.pem", pem_key, "ops:ops", 0644);
    EXPECT_EQ(stray().severity, warning);
    EXPECT_THAT(stray().remedy, Not(HasSubstr("sudo chmod"))) << "root follows no name that ops can change";
}

TEST_F(Files, NamesCannotRunOrForge) {
    our_layout();
    make_folder("/tmp", "root:root", 01777);
    for (const char* name : {"x; id", "a\nfiles.forged failed", "$(id)", "it's", "`id`", "-rf", "\x1b[2J", "\xe2\x80\xae"})
        put(std::string("/tmp/") + name, pem_key, "ops:ops", 0600);
    const Finding finding = stray();
    EXPECT_THAT(finding.detail, AllOf(HasSubstr("'/tmp/x; id'"), HasSubstr("'/tmp/$(id)'"), Not(HasSubstr("\nfiles.forged"))));
    EXPECT_THAT(finding.remedy, AllOf(HasSubstr("sudo -u ops chmod go= '/tmp/x; id'"), Not(HasSubstr("\x1b")),
                                      Not(HasSubstr("\nfiles.forged")), HasSubstr("'/tmp/it'\\''s'")));
}

TEST_F(Files, ASearchThatWasCutSaysSoAndHidesNothingElsewhere) {
    our_layout();
    make_folder("/tmp", "root:root", 01777);
    for (int i = 0; i < 2100; ++i) std::ofstream(root_ + "/tmp/" + std::to_string(i));
    EXPECT_EQ(stray().severity, warning);
    EXPECT_THAT(stray().detail, AllOf(HasSubstr("was cut"), HasSubstr("/tmp")));
    make_folder("/var/tmp", "root:root", 01777);
    put("/var/tmp/key.pem", pem_key, "ops:ops", 0600);
    EXPECT_THAT(stray().detail, AllOf(HasSubstr("was cut"), HasSubstr("/var/tmp/key.pem")));
}

TEST_F(Files, FifosLinksAndDevicesAreNoKeys) {
    our_layout();
    make_folder("/tmp", "root:root", 01777);
    ASSERT_EQ(mkfifo((root_ + "/tmp/fifo").c_str(), 0666), 0);
    fs::create_symlink("/var/aziot/secrets/id.key.pem", root_ + "/tmp/link");
    fs::create_directory_symlink("/var/aziot/secrets", root_ + "/home/ops");
    EXPECT_EQ(stray().severity, ok) << stray().detail;
}

}  // namespace
}  // namespace eflow
