#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/failure.hpp"
#include "vm-agent/placement/custody.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/record.hpp"
#include "vm-agent/placement/transaction.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A root with the agent's state directory, on which plans are carried out.
class Changes : public ::testing::Test {
protected:
    Changes() {
        char name[] = "/tmp/eflow-changes-XXXXXX";
        root_ = mkdtemp(name);
        for (const char* folder : {"/etc/aziot", "/var/lib/eflow-agent", "/var/lib/aziot/identityd"})
            fs::create_directories(at(folder));
        for (const char* user : {"root", "aziotks", "aziotcs"}) {
            users_.users[user] = {getuid(), getgid()};
            users_.groups[user] = getgid();
        }
        tree_ = std::make_unique<Tree>(root_, Tree::Kind::offline);
    }
    ~Changes() override { fs::remove_all(root_); }

    fs::path at(const std::string& path) const { return root_ + path; }
    void write(const std::string& path, const std::string& text) const {
        fs::create_directories(at(path).parent_path());
        std::ofstream(at(path)) << text;
    }
    std::string read(const std::string& path) const {
        std::ifstream file(at(path));
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }
    Plan plan(const std::string& config) const {
        Plan made;
        made.config = {places::config, {"root", "root", 0600}, SecretBytes(std::string_view(config))};
        made.verb = "provision";
        made.since = "2026-06-01T00:00:00Z";
        return made;
    }

    std::string root_;
    UserTable users_;
    std::unique_ptr<Tree> tree_;
};

constexpr auto memory = "/var/lib/aziot/identityd/device_info";

TEST_F(Changes, WhatIsSetAsideComesBackWithTheOldState) {
    write(places::config, "old");
    write(memory, "hub-1");
    Plan moved = plan("new");
    moved.set_aside = {memory};
    {
        Transaction transaction(*tree_, users_);
        transaction.stage(moved);
        EXPECT_EQ(read(memory), "hub-1") << "nothing happens before the commit";
        transaction.commit();
        EXPECT_FALSE(fs::exists(at(memory)));
        write(memory, "hub-2");  // as identityd does
        transaction.undo();
    }
    EXPECT_EQ(read(memory), "hub-1");
    EXPECT_EQ(read(places::config), "old");
    {
        Transaction transaction(*tree_, users_);
        transaction.stage(moved);
        transaction.commit();
        write(memory, "hub-2");
        transaction.finish(true);
    }
    EXPECT_EQ(read(memory), "hub-2");
    EXPECT_EQ(std::distance(fs::directory_iterator(at("/var/lib/aziot/identityd")), fs::directory_iterator()), 1)
        << "no copy is left in another's directory";
}

TEST_F(Changes, AnOpenOneCanBeAdoptedAndTakenBackByAnotherRun) {
    write(places::config, "old");
    write(memory, "hub-1");
    Plan moved = plan("new");
    moved.set_aside = {memory};
    {
        Transaction transaction(*tree_, users_);
        transaction.stage(moved);
        transaction.commit();
    }
    const auto open = unfinished_change(*tree_);
    ASSERT_TRUE(open);
    EXPECT_EQ(open->verb, "provision");
    EXPECT_EQ(open->since, "2026-06-01T00:00:00Z");
    EXPECT_EQ(open->pid, getpid());
    EXPECT_TRUE(open->runs) << "this process made it";
    EXPECT_TRUE(open->committed);

    Transaction next(*tree_, users_);
    ASSERT_TRUE(next.adopt());
    next.undo();
    EXPECT_EQ(read(places::config), "old");
    EXPECT_EQ(read(memory), "hub-1");
    EXPECT_FALSE(unfinished_change(*tree_));
}

TEST_F(Changes, TheRecordAndWhatUndoNeedsComeAndGoWithTheChange) {
    const std::string key = std::string(places::secrets) + "/device-id-1.key.pem";
    write(places::config, "first");
    write(key, "KEY");
    Plan second = plan("second");
    second.retired = second.kept = {key};
    {
        Transaction transaction(*tree_, users_);
        transaction.stage(second);
        transaction.commit();
        transaction.undo();
    }
    EXPECT_FALSE(read_record(*tree_).last);
    EXPECT_FALSE(fs::exists(at(names::previous_config)));
    EXPECT_FALSE(fs::exists(at(custody_of(key))));
    {
        Transaction transaction(*tree_, users_);
        transaction.stage(second);
        transaction.commit();
        EXPECT_THAT(transaction.finish(true), IsEmpty());
    }
    ASSERT_TRUE(read_record(*tree_).last);
    EXPECT_TRUE(read_record(*tree_).last->replaced_config);
    EXPECT_EQ(read(names::previous_config), "first");
    EXPECT_FALSE(fs::exists(at(key)));
    EXPECT_EQ(read(custody_of(key)), "KEY");
    struct stat status {};
    ASSERT_EQ(stat(at(names::previous_material).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0700U);
    {
        Transaction transaction(*tree_, users_);
        transaction.stage(plan("third"));
        transaction.commit();
        transaction.finish(true);
    }
    EXPECT_EQ(read(names::previous_config), "second");
    EXPECT_FALSE(fs::exists(at(custody_of(key)))) << "what is of no use for undo any more goes";
}

TEST_F(Changes, TheLockSaysWhoHoldsIt) {
    const ChangeLock first(*tree_, users_, {"provision", "2026-06-01T00:00:00Z"});
    try {
        const ChangeLock second(*tree_, users_, {"undo", "", false});
        FAIL() << "it is held";
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code(), ExitCode::machine_lacks);
        EXPECT_THAT(failure.what(), HasSubstr("provision (pid " + std::to_string(getpid()) + ", since 2026-06-01"));
    }
    std::string told;
    struct Stop {};
    try {
        const ChangeLock third(*tree_, users_, {"undo", "", true, [&](const std::string& holder) {
                                                    told = holder;
                                                    throw Stop();
                                                }});
        FAIL() << "it is held";
    } catch (const Stop&) {
        EXPECT_THAT(told, HasSubstr("provision (pid ")) << "before it waits";
    }
}

TEST(ProcessStart, TellsAProcessFromALaterOneOfItsNumber) {
    EXPECT_FALSE(start_of_process(getpid()).empty());
    EXPECT_EQ(start_of_process(getpid()), start_of_process(getpid()));
    EXPECT_EQ(start_of_process(0), "");
    EXPECT_EQ(start_of_process(1 << 30), "");
}

TEST(Record, IsReadBackAndAForeignOneIsNone) {
    ChangeRecord record;
    record.last = LastChange{"provision", "2026-06-01T00:00:00Z", "abc", true};
    record.registered = RegisteredBy{"0ne", "https://x/", "gw", "hub", "gw"};
    record.added = {{{"agent", "config", "image"}, "i:1"}};
    EXPECT_EQ(ChangeRecord::from_json(record.to_json()).to_json(), record.to_json());
    for (const char* bad : {"", "[]", "{\"last\":1}", "{\"added\":[1]}"})
        EXPECT_EQ(ChangeRecord::from_json(bad).to_json(), ChangeRecord{}.to_json()) << bad;
}

}  // namespace
}  // namespace eflow
