#include "vm-agent/machine/watch_lock.hpp"

#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include <fcntl.h>
#include <unistd.h>
#include <gtest/gtest.h>

#include "shared/failure.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;

class WatchLock : public ::testing::Test {
protected:
    WatchLock() {
        std::string pattern = (fs::temp_directory_path() / "watch-lock.XXXXXX").string();
        directory_ = mkdtemp(pattern.data());
    }
    ~WatchLock() override { fs::remove_all(directory_); }

    [[nodiscard]] bool held() const { return is_watch_lock_held(Tree(directory_, Tree::Kind::offline), "/"); }
    [[nodiscard]] std::string file() const { return directory_ + "/watch.lock"; }
    std::string directory_;
};

TEST_F(WatchLock, IsHeldWhileItsWatcherLives) {
    EXPECT_FALSE(held());
    {
        const Descriptor lock = take_watch_lock(directory_);
        EXPECT_TRUE(held());
        EXPECT_THROW((void)take_watch_lock(directory_), Failure);
    }
    EXPECT_FALSE(held());
    const Descriptor again = take_watch_lock(directory_);
    EXPECT_TRUE(held());
}

TEST_F(WatchLock, NobodyElseCanOpenIt) {
    const auto before = umask(0);
    const Descriptor lock = take_watch_lock(directory_);
    umask(before);
    struct stat status {};
    ASSERT_EQ(stat(file().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(WatchLock, AReadableLockIsNoSignOfLifeAndStopsNoWatcher) {
    // As an earlier version made it, held by whoever may read it.
    const Descriptor theirs(open(file().c_str(), O_RDWR | O_CREAT, 0644));
    ASSERT_EQ(fchmod(theirs.get(), 0644), 0);
    ASSERT_EQ(flock(theirs.get(), LOCK_EX | LOCK_NB), 0);
    EXPECT_FALSE(held());
    const Descriptor lock = take_watch_lock(directory_);
    EXPECT_TRUE(held());
}

TEST_F(WatchLock, ASharedLockOrAnotherFilesIsNot) {
    const Descriptor reader(open(file().c_str(), O_RDWR | O_CREAT, 0600));
    ASSERT_EQ(flock(reader.get(), LOCK_SH | LOCK_NB), 0);
    EXPECT_FALSE(held());
    const Descriptor other(open((directory_ + "/other").c_str(), O_RDWR | O_CREAT, 0600));
    ASSERT_EQ(flock(other.get(), LOCK_EX | LOCK_NB), 0);
    EXPECT_FALSE(held());
}

}  // namespace
}  // namespace eflow
