#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/on_machine.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// A machine on which Provision-EflowVm has run: it copied identity a into the user's home and wrote config.toml.
class PostInstall : public testing::OnMachine {
protected:
    PostInstall() {
        fs::create_directories(copy_.parent_path());
        fs::create_directories(root_ / "home/iotedge-user/certs");
        write(root_ / "home/iotedge-user/certs/leaf.pem", contents(top_ / "a.pem"));
        write(copy_, contents(top_ / "a.key"));
        name_in_config("/home/iotedge-user/private/leaf.key");
    }

    void name_in_config(const std::string& key) {
        write(root_ / "etc/aziot/config.toml",
              "# the VM's own\nhostname = \"vm\"\n[provisioning]\nsource = \"dps\"\nglobal_endpoint = "
              "\"https://global.azure-devices-provisioning.net\"\nid_scope = \"0ne00A1B2C3\"\n"
              "[provisioning.attestation]\nmethod = \"x509\"\n"
              "identity_cert = \"file:///home/iotedge-user/certs/leaf.pem\"\nidentity_pk = \"file://" +
                  key + "\"\n");
    }

    Report post_install(std::vector<std::string> more = {}) {
        std::vector<std::string> arguments{"--json", "post-install"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_json(arguments);
    }

    /// The staged folder with identity `which`.
    std::string staged(const std::string& which) {
        const fs::path folder = root_ / "home/iotedge-user/eflow-4f1c";
        fs::create_directories(folder);
        fs::permissions(folder, fs::perms(0700));
        write(folder / "device.toml",
              "schema = 1\n[provisioning]\nscope_id = '0ne00A1B2C3'\nregistration_id = 'device-1'\n[identity]\n"
              "certificate = 'C:\\id\\leaf.pem'\nprivate_key = 'C:\\id\\leaf.key'\n");
        fs::copy_file(top_ / (which + ".pem"), folder / "leaf.pem", fs::copy_options::overwrite_existing);
        fs::copy_file(top_ / (which + ".key"), folder / "leaf.key", fs::copy_options::overwrite_existing);
        return folder;
    }

    fs::path copy_ = root_ / "home/iotedge-user/private/leaf.key";
};

TEST_F(PostInstall, AdoptsAppliesWaitsAndRemovesTheCopy) {
    const Report report = post_install();
    EXPECT_EQ(report.exit_code, ExitCode::done) << to_json(report);
    EXPECT_EQ(report.phase, Phase::awaiting_deployment);
    EXPECT_EQ(services_.applies, 1);
    EXPECT_THAT(services_.configs.back(), HasSubstr("file:///var/aziot/secrets/device-id-"));
    EXPECT_THAT(services_.configs.back(), HasSubstr("# the VM's own\nhostname = \"vm\"\n"));
    EXPECT_FALSE(fs::exists(copy_));
    EXPECT_THAT(report.changes, Contains(Field(&Change::path, "/home/iotedge-user/private/leaf.key")));
    EXPECT_TRUE(fs::exists(root_ / "home/iotedge-user/certs/leaf.pem")) << "the certificate is no secret";
    EXPECT_EQ(keys().size(), 1U);
}

TEST_F(PostInstall, AgainChangesNothing) {
    post_install();
    const auto before = snapshot();
    const Report report = post_install();
    EXPECT_EQ(report.exit_code, ExitCode::done);
    EXPECT_EQ(services_.applies, 1);
    EXPECT_EQ(snapshot(), before);
    for (const auto& change : report.changes) EXPECT_EQ(change.action, Action::kept) << change.path;
    EXPECT_THAT(report.data.dump(), HasSubstr("Nothing had to be changed"));
}

TEST_F(PostInstall, TheCopyIsOverwrittenBeforeItsNameGoes) {
    const fs::path witness = top_ / "witness";
    fs::create_hard_link(copy_, witness);
    const auto size = fs::file_size(copy_);
    post_install();
    EXPECT_FALSE(fs::exists(copy_));
    EXPECT_EQ(contents(witness), std::string(size, '\0'));
}

TEST_F(PostInstall, AFailingApplyLeavesEverythingAsProvisionEflowVmLeftIt) {
    auto before = snapshot();
    services_.outcomes = {false};
    const Report report = post_install();
    EXPECT_EQ(report.exit_code, ExitCode::apply_failed);
    EXPECT_EQ(services_.applies, 2) << "what Provision-EflowVm wrote is applied again";
    auto after = snapshot();
    std::erase_if(after, [](const auto& one) { return one.first.find(".d/00-super") != std::string::npos; });
    for (const char* path : rendered_files)
        for (fs::path folder = fs::path(path + 1).parent_path(); folder != "etc/aziot"; folder = folder.parent_path())
            after.erase(folder);
    EXPECT_EQ(after, before);
}

TEST_F(PostInstall, APreviousStateThatNeverRanIsRestoredWhenItsFilesAre) {
    containers_.clear();
    identityd_log_ = {"[ERR!] - caused by: DPS client error", "[ERR!] - caused by: CA certificate not found."};
    const std::string before = contents(root_ / "etc/aziot/config.toml");
    services_.outcomes = {false, false};
    const Report report = post_install();
    EXPECT_EQ(report.exit_code, ExitCode::apply_failed) << to_json(report);
    EXPECT_THAT(report.data.dump(), HasSubstr("as they did not before"));
    EXPECT_EQ(contents(root_ / "etc/aziot/config.toml"), before);
}

TEST_F(PostInstall, ACloudThatRefusesTakesNoCopyEither) {
    identityd_log_ = {"[ERR!] - caused by: DPS client error", "[ERR!] - caused by: CA certificate not found."};
    const std::string key = contents(copy_);
    EXPECT_EQ(post_install().exit_code, ExitCode::cloud_refused);
    EXPECT_EQ(contents(copy_), key);
}

TEST_F(PostInstall, AHalfWrittenConfigIsCompletedFromTheBundle) {
    write(root_ / "etc/aziot/config.toml", "[provisioning]\nsource = \"dps\"\nglobal_end");
    const Report report = post_install({"--bundle", staged("a")});
    EXPECT_EQ(report.exit_code, ExitCode::done) << to_json(report);
    EXPECT_EQ(report.data.value("source", ""), "bundle");
    EXPECT_FALSE(fs::exists(copy_)) << "the copy that Provision-EflowVm had made already";
    EXPECT_THAT(contents(root_ / "var/lib/eflow-agent/previous-config.toml"), HasSubstr("global_end"));
}

TEST_F(PostInstall, WhereNothingCouldBeAppliedBeforeAFailureStopsTheServices) {
    write(root_ / "etc/aziot/config.toml", "[provisioning]\nsource = \"dps\"\nglobal_end");
    services_.outcomes = {false, false};
    const Report report = post_install({"--bundle", staged("a")});
    EXPECT_EQ(report.exit_code, ExitCode::apply_failed) << to_json(report);
    EXPECT_EQ(services_.applies, 1) << "a broken config.toml is not applied again";
    EXPECT_EQ(services_.stops, 1);
    EXPECT_EQ(contents(root_ / "etc/aziot/config.toml"), "[provisioning]\nsource = \"dps\"\nglobal_end");
    for (const char* path : rendered_files) EXPECT_FALSE(fs::exists(root_ / (path + 1)));
}

TEST_F(PostInstall, WhatTheServicesHadBeforeABrokenConfigComesBackToo) {
    for (const char* path : rendered_files) {
        fs::create_directories((root_ / (path + 1)).parent_path());
        write(root_ / (path + 1), std::string("# of an earlier identity: ") + path + "\n");
    }
    write(root_ / "etc/aziot/config.toml", "[provisioning]\nsource = \"dps\"\nglobal_end");
    const auto before = snapshot();
    services_.outcomes = {false};
    const std::string bundle = staged("a");
    auto with_bundle = snapshot();
    const Report report = post_install({"--bundle", bundle});
    EXPECT_EQ(report.exit_code, ExitCode::apply_failed) << to_json(report);
    EXPECT_THAT(report.data.dump(), HasSubstr("iotedge system restart"));
    EXPECT_EQ(snapshot(), with_bundle) << "bytes, modes and times";
    EXPECT_NE(before, with_bundle);
}

TEST_F(PostInstall, TheStagedFilesAreLeftToWhoeverStagedThem) {
    const fs::path folder = staged("a");
    EXPECT_EQ(post_install({"--bundle", folder}).exit_code, ExitCode::done);
    EXPECT_EQ(contents(folder / "leaf.key"), contents(top_ / "a.key"));
    EXPECT_FALSE(fs::exists(copy_));
}

TEST_F(PostInstall, TheBundleOfAnEarlierRunIsACopyToo) {
    const fs::path folder = staged("a");
    EXPECT_EQ(post_install().exit_code, ExitCode::done);
    EXPECT_FALSE(fs::exists(folder / "leaf.key"));
    EXPECT_TRUE(fs::exists(folder / "leaf.pem"));
}

TEST_F(PostInstall, CopiesStayUntilTheDeviceIsHealthyAndGoInALaterRun) {
    fs::create_directories(root_ / "srv");
    const fs::path elsewhere = root_ / "srv/leaf.key";
    fs::rename(copy_, elsewhere);
    name_in_config("/srv/leaf.key");
    containers_.clear();
    Report report = post_install({"--timeout", "0s"});
    EXPECT_EQ(report.exit_code, ExitCode::timed_out);
    EXPECT_TRUE(fs::exists(elsewhere));
    EXPECT_THAT(report.findings, Contains(Field(&Finding::detail, "/srv/leaf.key")));

    // config.toml names the new place by now; where it pointed before is remembered.
    containers_.push_back({"edgeAgent", "i", "running", "Up", {}});
    report = post_install();
    EXPECT_EQ(report.exit_code, ExitCode::done);
    EXPECT_FALSE(fs::exists(elsewhere));
}

TEST_F(PostInstall, NotWaitingAndNotApplyingKeepTheCopy) {
    EXPECT_EQ(post_install({"--no-apply"}).exit_code, ExitCode::done);
    EXPECT_TRUE(fs::exists(copy_));
    EXPECT_EQ(post_install({"--no-wait"}).exit_code, ExitCode::done);
    EXPECT_TRUE(fs::exists(copy_));
}

TEST_F(PostInstall, CopiesStayWhenAsked) {
    const Report report = post_install({"--keep-copies"});
    EXPECT_EQ(report.exit_code, ExitCode::done);
    EXPECT_TRUE(fs::exists(copy_));
    EXPECT_THAT(to_json(report), HasSubstr("They stay, as asked"));
}

TEST_F(PostInstall, KeysOfOthersAreLeftAlone) {
    const fs::path other = root_ / "home/iotedge-user/private/other.key";
    write(other, contents(top_ / "b.key"));
    post_install();
    EXPECT_EQ(contents(other), contents(top_ / "b.key"));
}

TEST_F(PostInstall, AnotherNameOfTheKeyInUseIsNotOverwritten) {
    post_install();
    const fs::path placed = root_ / "var/aziot/secrets" / keys().front();
    const std::string key = contents(placed);
    fs::create_hard_link(placed, copy_);
    EXPECT_EQ(post_install().exit_code, ExitCode::done);
    EXPECT_FALSE(fs::exists(copy_));
    EXPECT_EQ(contents(placed), key);
}

TEST_F(PostInstall, TheKeyInUseIsNoCopyHoweverItsPathIsSpelt) {
    post_install();
    const fs::path placed = root_ / "var/aziot/secrets" / keys().front();
    const std::string key = contents(placed);
    write(root_ / "home/iotedge-user/certs/leaf.pem", contents(top_ / "a.pem"));
    for (const char* spelt : {"/var/aziot//secrets/", "//var/aziot/secrets/"}) {
        name_in_config(spelt + keys().front());
        EXPECT_EQ(post_install().exit_code, ExitCode::done);
        EXPECT_EQ(contents(placed), key) << spelt;
    }
}

TEST_F(PostInstall, ACopyThatAnotherSettingNamesStays) {
    std::ofstream(root_ / "etc/aziot/config.toml", std::ios::app)
        << "[edge_ca]\ncert = \"file:///home/iotedge-user/certs/leaf.pem\"\npk = "
           "\"file:///home/iotedge-user/private/leaf.key\"\n";
    const Report report = post_install();
    EXPECT_EQ(report.exit_code, ExitCode::done) << to_json(report);
    EXPECT_EQ(contents(copy_), contents(top_ / "a.key"));
    EXPECT_THAT(to_json(report), HasSubstr("config.toml names it"));
}

TEST_F(PostInstall, WhatWasGivenByHandIsLeftToWhoeverGaveIt) {
    const fs::path by_hand = root_ / "home/iotedge-user/mine.key";
    write(by_hand, contents(top_ / "a.key"));
    EXPECT_EQ(post_install({"--cert", top_ / "a.pem", "--key", by_hand}).exit_code, ExitCode::done);
    EXPECT_EQ(contents(by_hand), contents(top_ / "a.key"));
    EXPECT_FALSE(fs::exists(copy_));
}

TEST_F(PostInstall, ALinkInTheNamedPlaceIsNotFollowed) {
    post_install({"--no-wait"});
    const fs::path target = top_ / "target.key";
    fs::rename(copy_, target);
    fs::create_symlink(target, copy_);
    EXPECT_EQ(post_install().exit_code, ExitCode::done);
    EXPECT_EQ(contents(target), contents(top_ / "a.key"));
}

TEST_F(PostInstall, WhatAnInterruptedRemovalLeftGoes) {
    post_install({"--no-wait"});
    write(copy_, std::string(200, '\0'));
    EXPECT_EQ(post_install().exit_code, ExitCode::done);
    EXPECT_FALSE(fs::exists(copy_));
}

TEST_F(PostInstall, ACopyThatEverybodyMayReadHoldsNothingUp) {
    files_ = {failed("files.no-stray-keys", "A private key that is not in use can be read by everybody", "", "")};
    const Report report = post_install({"--timeout", "0s"});
    EXPECT_EQ(report.exit_code, ExitCode::done) << to_json(report);
    EXPECT_FALSE(fs::exists(copy_));
}

TEST_F(PostInstall, ANewIdentityInTheBundleReplacesTheOneThatWasWritten) {
    const Report report = post_install({"--bundle", staged("b")});
    EXPECT_EQ(report.exit_code, ExitCode::done) << to_json(report);
    EXPECT_EQ(contents(copy_), contents(top_ / "a.key")) << "the only copy of another key is nobody's to destroy";
}

TEST_F(PostInstall, WithoutRootNothingIsTouched) {
    is_root_ = false;
    const auto before = snapshot();
    EXPECT_EQ(post_install().exit_code, ExitCode::machine_lacks);
    EXPECT_EQ(snapshot(), before);
    EXPECT_FALSE(fs::exists(root_ / "var/lib/eflow-agent"));
}

TEST_F(PostInstall, ARefusalWritesNothingAtAll) {
    write(copy_, "not a key");
    const auto before = snapshot();
    const Report report = post_install();
    EXPECT_EQ(report.exit_code, ExitCode::refused);
    EXPECT_EQ(snapshot(), before);
    EXPECT_FALSE(fs::exists(root_ / "var/lib/eflow-agent"));
    EXPECT_THAT(to_json(report), Not(HasSubstr("not a key")));
}

}  // namespace
}  // namespace eflow
