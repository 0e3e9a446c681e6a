#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/failure.hpp"
#include "vm-agent/machine/bundle.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using State = InputFile::State;

class BundleFolder : public ::testing::Test {
protected:
    BundleFolder() {
        char name[] = "/tmp/eflow-bundle-XXXXXX";
        top_ = mkdtemp(name);
        std::ofstream(top_ / "leaf.pem") << "leaf";
    }
    ~BundleFolder() override { fs::remove_all(top_); }

    std::string refusal(const std::string& folder) {
        try {
            const Bundle bundle(folder, {});
        } catch (const Failure& failure) {
            EXPECT_EQ(failure.code(), ExitCode::refused);
            return failure.what();
        }
        return "";
    }

    std::string refused_name(const std::string& written) {
        try {
            return "taken as " + Bundle(top_, {}).name_of(written, "identity.certificate");
        } catch (const Failure& failure) {
            EXPECT_EQ(failure.code(), ExitCode::refused);
            return failure.what();
        }
    }

    fs::path top_;
};

TEST_F(BundleFolder, NamesStandForFilesInIt) {
    const Bundle bundle(top_, {});
    for (const char* written :
         {"leaf.pem", "./leaf.pem", "certs/leaf.pem", R"(C:\id\leaf.pem)", R"(c:leaf.pem)", "D:/id/leaf.pem",
          R"(\\server\share\leaf.pem)", R"(\\?\C:\id\leaf.pem)", R"(..\..\leaf.pem)", R"(certs\leaf.pem)"})
        EXPECT_EQ(bundle.name_of(written, "k"), "leaf.pem") << written;
    EXPECT_EQ(bundle.name_of((top_ / "leaf.pem").string(), "k"), "leaf.pem");
    EXPECT_EQ(bundle.name_of(top_.string() + "/./leaf.pem", "k"), "leaf.pem");
}

TEST_F(BundleFolder, NamesThatLeadElsewhereAreRefused) {
    for (const char* written : {"../leaf.pem", "a/../../leaf.pem", "..", "a/.."})
        EXPECT_THAT(refused_name(written), HasSubstr("leads out of the bundle")) << written;
    for (const char* written : {"/etc/shadow", "/", "/tmp/leaf.pem"})
        EXPECT_THAT(refused_name(written), HasSubstr("outside the bundle")) << written;
    EXPECT_THAT(refused_name(top_.string() + "-evil/leaf.pem"), HasSubstr("outside the bundle"));
    EXPECT_THAT(refused_name(top_.string() + "/sub/leaf.pem"), HasSubstr("outside the bundle"));
    for (const char* written : {R"(C:\)", R"(x\..)", R"(x\.)", "C:", "a/", ".", ""})
        EXPECT_THAT(refused_name(written), HasSubstr("names no file")) << written;
    EXPECT_THAT(refused_name(std::string("a\0b", 3)), HasSubstr("cannot be used"));
}

TEST_F(BundleFolder, FilesThatAreNoneAreToldFromFiles) {
    const Bundle bundle(top_, {});
    EXPECT_EQ(bundle.read("leaf.pem", 4).state, State::read);
    EXPECT_EQ(bundle.read("leaf.pem", 4).bytes.reveal(), "leaf");
    EXPECT_EQ(bundle.read("leaf.pem", 3).state, State::too_large);
    EXPECT_EQ(bundle.read("absent", 9).state, State::missing);
    fs::create_symlink("leaf.pem", top_ / "link");
    EXPECT_THAT(bundle.read("link", 9).why, HasSubstr("symbolic link"));
    ASSERT_EQ(mkfifo((top_ / "pipe").c_str(), 0600), 0);
    EXPECT_EQ(bundle.read("pipe", 9).state, State::not_a_file);
    EXPECT_EQ(bundle.read(".", 9).state, State::not_a_file);
}

TEST_F(BundleFolder, TheFolderThatWasEnteredIsTheOneThatIsRead) {
    const Bundle bundle(top_, {});
    const fs::path moved = top_.string() + "-moved";
    fs::rename(top_, moved);
    fs::create_directory(top_);
    std::ofstream(top_ / "leaf.pem") << "evil";
    EXPECT_EQ(bundle.read("leaf.pem", 9).bytes.reveal(), "leaf");
    fs::remove_all(moved);
}

TEST_F(BundleFolder, WhatOthersCanWriteToIsRefused) {
    for (const int mode : {0770, 0702, 01777}) {
        ASSERT_EQ(chmod(top_.c_str(), static_cast<mode_t>(mode)), 0);
        EXPECT_THAT(refusal(top_), HasSubstr("can be written to by others"));
    }
    ASSERT_EQ(chmod(top_.c_str(), 0755), 0);
    ASSERT_EQ(chmod((top_ / "leaf.pem").c_str(), 0664), 0);
    EXPECT_THAT(Bundle(top_, {}).read("leaf.pem", 9).why, HasSubstr("others than its owner can write"));
    ASSERT_EQ(chmod(top_.c_str(), 0700), 0);
    EXPECT_EQ(Bundle(top_, {}).read("leaf.pem", 9).state, State::read) << "nobody else gets in";
}

TEST_F(BundleFolder, OfAStrangerItIsRefused) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
    ASSERT_EQ(chown(top_.c_str(), 60006, 60006), 0);
    EXPECT_THAT(refusal(top_), HasSubstr("belongs to user 60006"));
    EXPECT_EQ(Bundle(top_, uid_t{60006}).read("leaf.pem", 9).state, State::read)
        << "root's file in the caller's folder";
    ASSERT_EQ(chown((top_ / "leaf.pem").c_str(), 60007, 60007), 0);
    EXPECT_THAT(Bundle(top_, uid_t{60006}).read("leaf.pem", 9).why, HasSubstr("belongs to user 60007"));
}

TEST_F(BundleFolder, ItKnowsWhatLeadsIntoIt) {
    const Bundle bundle(top_.string() + "/", {});
    EXPECT_TRUE(bundle.holds(top_.string() + "/dps.json"));
    EXPECT_TRUE(bundle.holds("/tmp/../" + top_.string() + "//sub/./dps.json"));
    EXPECT_FALSE(bundle.holds(top_.string() + "-evil/dps.json"));
    EXPECT_FALSE(bundle.holds("/etc/aziot/dps.json"));
}

TEST_F(BundleFolder, AFolderThatIsNoneIsRefused) {
    EXPECT_THAT(refusal(top_ / "absent"), HasSubstr("No such file"));
    EXPECT_THAT(refusal(top_ / "leaf.pem"), HasSubstr("it is no folder"));
    const fs::path link = top_ / "link";
    fs::create_directory_symlink(top_, link);
    EXPECT_THAT(refusal(link), HasSubstr("symbolic link"));
    EXPECT_THAT(refusal(link.string() + "//"), HasSubstr("symbolic link"));
    EXPECT_THAT(refusal(""), HasSubstr("cannot be used"));
}

}  // namespace
}  // namespace eflow
