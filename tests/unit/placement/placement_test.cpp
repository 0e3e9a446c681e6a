#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/failure.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/readable.hpp"
#include "vm-agent/placement/transaction.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Placement : public ::testing::Test {
protected:
    Placement() {
        char name[] = "/tmp/eflow-placement-XXXXXX";
        root_ = mkdtemp(name);
        fs::permissions(root_, fs::perms(0755));
        for (const char* folder : {"/etc", "/etc/aziot", "/var", "/var/lib"}) make_folder(folder, 0755);
        for (const char* user : {"root", "aziotks", "aziotcs"}) {
            users_.users[user] = {getuid(), getgid()};
            users_.groups[user] = getgid();
        }
        tree_ = std::make_unique<Tree>(root_, Tree::Kind::offline);
    }
    ~Placement() override { fs::remove_all(root_); }

    fs::path at(const std::string& path) const { return root_ + path; }
    void make_folder(const std::string& path, unsigned mode) const {
        fs::create_directories(at(path));
        fs::permissions(at(path), fs::perms(mode));
    }
    void write(const std::string& path, const std::string& text, unsigned mode = 0644) const {
        std::ofstream(at(path)) << text;
        fs::permissions(at(path), fs::perms(mode));
    }
    std::string read(const std::string& path) const {
        std::ifstream file(at(path));
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }
    unsigned mode(const std::string& path) const {
        struct stat status {};
        EXPECT_EQ(lstat(at(path).c_str(), &status), 0) << path;
        return status.st_mode & 07777;
    }

    static Plan plan(const std::string& config, const std::string& name = "1") {
        Plan plan;
        plan.directories = {{"/var/aziot", {"root", "root", 0755}, true},
                            {"/var/aziot/secrets", {"root", "aziotks", 0750}, true}};
        plan.material = {{"/var/aziot/secrets/device-id-" + name + ".key.pem",
                          {"root", "aziotks", 0440},
                          SecretBytes(std::string_view("key " + name))}};
        plan.config = {"/etc/aziot/config.toml", {"root", "root", 0600}, SecretBytes(std::string_view(config))};
        return plan;
    }

    std::string failure(const std::function<void()>& action) {
        try {
            action();
        } catch (const Failure& failure) {
            return std::string(failure.what()) + " -> " + failure.remedy();
        }
        ADD_FAILURE() << "did not fail";
        return {};
    }

    std::string root_;
    UserTable users_;
    std::unique_ptr<Tree> tree_;
};

TEST_F(Placement, TheTreeIsNeverLeft) {
    fs::create_directory_symlink("/etc", at("/var/link"));
    fs::create_symlink("/etc/passwd", at("/var/file"));
    EXPECT_THAT(failure([&] { (void)tree_->read("/var/link/passwd", 1000); }), HasSubstr("/var/link: a symbolic link"));
    EXPECT_THAT(failure([&] { (void)tree_->read("/var/file", 1000); }), HasSubstr("link"));
    EXPECT_TRUE(S_ISLNK(tree_->status("/var/file")->st_mode));
    for (const char* bad : {"relative", "", "/var/../../etc/passwd", "/var/./x"})
        failure([&] { (void)tree_->status(bad); });
    failure([&] { (void)tree_->status(std::string_view("/var/\0x", 7)); });
    EXPECT_EQ(tree_->status("/no/such/folder"), std::nullopt);
    EXPECT_FALSE(tree_->read("/var/none", 10));
}

TEST_F(Placement, ReadingIsBoundedAndNeverBlocks) {
    write("/var/big", std::string(11, 'x'));
    EXPECT_THAT(failure([&] { (void)tree_->read("/var/big", 10); }), HasSubstr("more than 10 bytes"));
    ASSERT_EQ(mkfifo(at("/var/fifo").c_str(), 0600), 0);
    EXPECT_THAT(failure([&] { (void)tree_->read("/var/fifo", 10); }), HasSubstr("not a regular file"));
    EXPECT_THAT(failure([&] { (void)tree_->read("/var/lib", 10); }), HasSubstr("not a regular file"));
}

TEST_F(Placement, UpstreamsWalkCountsOwnerPrimaryGroupAndWorldOnly) {
    make_folder("/var/aziot", 0750);
    write("/var/aziot/f", "x", 0440);
    const User owner{getuid(), getgid() + 1};
    const User member{getuid() + 1, getgid()};
    const User stranger{getuid() + 1, getgid() + 1};
    EXPECT_FALSE(reading_obstacle(*tree_, "/var/aziot/f", owner));
    EXPECT_FALSE(reading_obstacle(*tree_, "/var/aziot/f", member));
    EXPECT_EQ(reading_obstacle(*tree_, "/var/aziot/f", stranger)->segment, "/var/aziot");
    // The kernel would be content with x; upstream wants r and x of a folder.
    fs::permissions(at("/var/aziot"), fs::perms(0751));
    EXPECT_EQ(reading_obstacle(*tree_, "/var/aziot/f", stranger)->segment, "/var/aziot");
    fs::permissions(at("/var/aziot"), fs::perms(0755));
    EXPECT_EQ(reading_obstacle(*tree_, "/var/aziot/f", stranger)->segment, "/var/aziot/f");
    fs::permissions(root_, fs::perms(0700));
    EXPECT_NE(reading_obstacle(*tree_, "/var/aziot/f", stranger)->segment, "/");
    EXPECT_EQ(reading_obstacle(Tree(root_, Tree::Kind::machine), "/var/aziot/f", stranger)->segment, "/");
    fs::permissions(root_, fs::perms(0755));
    EXPECT_THAT(reading_obstacle(*tree_, "/var/aziot/none", stranger)->why, HasSubstr("does not exist"));
}

TEST_F(Placement, ACommitPutsEverythingInPlaceAndUndoTakesAllOfItBack) {
    write("/etc/aziot/config.toml", "old", 0640);
    const auto old_time = fs::last_write_time(at("/etc/aziot/config.toml"));
    {
        Transaction transaction(*tree_, users_);
        make_folder("/var/lib/eflow-agent", 0755);
        transaction.stage(plan("new"));
        EXPECT_EQ(read("/etc/aziot/config.toml"), "old");
        EXPECT_TRUE(fs::exists(at("/var/lib/eflow-agent/transaction.json")));
        transaction.commit();
        EXPECT_EQ(read("/etc/aziot/config.toml"), "new");
        EXPECT_EQ(mode("/etc/aziot/config.toml"), 0600U);
        EXPECT_EQ(mode("/var/aziot/secrets"), 0750U);
        EXPECT_EQ(mode("/var/aziot/secrets/device-id-1.key.pem"), 0440U);
        transaction.undo();
    }
    EXPECT_EQ(read("/etc/aziot/config.toml"), "old");
    EXPECT_EQ(mode("/etc/aziot/config.toml"), 0640U);
    EXPECT_EQ(fs::last_write_time(at("/etc/aziot/config.toml")), old_time);
    EXPECT_FALSE(fs::exists(at("/var/aziot")));
    EXPECT_FALSE(fs::exists(at("/var/lib/eflow-agent/transaction.json")));
}

TEST_F(Placement, LeftByAnExceptionItTakesBackWhatItStaged) {
    make_folder("/var/lib/eflow-agent", 0755);
    make_folder("/var/aziot", 0700);
    {
        Transaction transaction(*tree_, users_);
        transaction.stage(plan("new"));
    }
    EXPECT_EQ(mode("/var/aziot"), 0700U);
    EXPECT_FALSE(fs::exists(at("/var/aziot/secrets")));
    EXPECT_FALSE(fs::exists(at("/etc/aziot/config.toml")));
}

TEST_F(Placement, AgainWritesNothing) {
    make_folder("/var/lib/eflow-agent", 0755);
    for (int round = 0; round < 2; ++round) {
        Transaction transaction(*tree_, users_);
        transaction.stage(plan("new"));
        EXPECT_EQ(transaction.changes_something(), round == 0);
        transaction.commit();
        EXPECT_TRUE(transaction.finish(true).empty());
        for (const auto& change : transaction.changes())
            EXPECT_EQ(change.action, round == 0 ? Action::created : Action::kept);
    }
}

TEST_F(Placement, AKeyWithOtherBytesUnderOurNameComesBackOnUndo) {
    make_folder("/var/lib/eflow-agent", 0755);
    make_folder("/var/aziot/secrets", 0750);
    write("/var/aziot/secrets/device-id-1.key.pem", "someone else's", 0600);
    fs::create_hard_link(at("/var/aziot/secrets/device-id-1.key.pem"), at("/var/elsewhere"));
    Transaction transaction(*tree_, users_);
    transaction.stage(plan("new"));
    transaction.commit();
    EXPECT_EQ(read("/var/aziot/secrets/device-id-1.key.pem"), "key 1");
    EXPECT_EQ(read("/var/elsewhere"), "someone else's") << "a planted hard link is not written through";
    transaction.undo();
    EXPECT_EQ(read("/var/aziot/secrets/device-id-1.key.pem"), "someone else's");
    EXPECT_EQ(mode("/var/aziot/secrets/device-id-1.key.pem"), 0600U);
}

TEST_F(Placement, OldMaterialGoesAtTheEndOnly) {
    make_folder("/var/lib/eflow-agent", 0755);
    for (const char* name : {"1", "2"}) {
        Transaction transaction(*tree_, users_);
        Plan one = plan(std::string("config ") + name, name);
        one.retired = {"/var/aziot/secrets/device-id-1.key.pem"};
        if (std::string(name) == "1") one.retired.clear();
        transaction.stage(one);
        transaction.commit();
        EXPECT_TRUE(fs::exists(at("/var/aziot/secrets/device-id-1.key.pem")));
        transaction.finish(true);
    }
    EXPECT_THAT(tree_->names("/var/aziot/secrets"), ElementsAre("device-id-2.key.pem"));
    EXPECT_EQ(read("/var/lib/eflow-agent/previous-config.toml"), "config 1");
}

TEST_F(Placement, AFolderThatIsNotOursIsNamedAndLeft) {
    make_folder("/var/lib/eflow-agent", 0755);
    fs::permissions(at("/etc/aziot"), fs::perms(0700));
    Plan one = plan("new");
    one.directories.insert(one.directories.begin(), {"/etc/aziot", {"root", "root", 0755}, false});
    Transaction transaction(*tree_, users_);
    const Findings findings = transaction.stage(one);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].id, "files.owner-and-mode");
    EXPECT_THAT(findings[0].remedy, HasSubstr("chmod 0755 /etc/aziot"));
    EXPECT_EQ(mode("/etc/aziot"), 0700U);
}

TEST_F(Placement, WhatIsInTheWayIsNamed) {
    make_folder("/var/lib/eflow-agent", 0755);
    make_folder("/etc/aziot/config.toml", 0755);
    EXPECT_THAT(failure([&] { preview(*tree_, users_, plan("new")); }),
                HasSubstr("a folder stands at /etc/aziot/config.toml"));
    fs::remove(at("/etc/aziot/config.toml"));
    users_.users.erase("aziotks");
    EXPECT_THAT(failure([&] {
                    preview(*tree_, users_, [] {
                        Plan one = plan("new");
                        one.material[0].access.owner = "aziotks";
                        return one;
                    }());
                }),
                HasSubstr("aziotks"));
}

TEST(Journal, GoesThroughJsonAndRefusesNonsense) {
    Journal journal;
    journal.directories = {{"/a", true, 1, 2, 0755}};
    journal.material = {{"/b", true}};
    journal.config = JournalFile{"/c", false};
    journal.config_sha256 = "ab";
    EXPECT_EQ(Journal::from_json(journal.to_json()).to_json(), journal.to_json());
    for (const char* bad : {"", "[]", "{}", "{\"schema\":2}", "null"})
        EXPECT_THROW(Journal::from_json(bad), Failure) << bad;
}

}  // namespace
}  // namespace eflow
