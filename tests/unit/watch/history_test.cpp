#include "vm-agent/watch/history.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

namespace eflow {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Stamp now{1'780'000'000s};

class Histories : public ::testing::Test {
protected:
    Histories() {
        std::string pattern = (fs::temp_directory_path() / "history.XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
    }
    ~Histories() override { fs::remove_all(folder_); }

    static HistoryEntry entry(int number, std::string text = "edgeHub is not running") {
        return {now + std::chrono::seconds(number), "finding", "modules.edge-hub", "ok", "failed", std::move(text)};
    }
    [[nodiscard]] std::uintmax_t size() const {
        std::uintmax_t all = 0;
        for (const auto& file : fs::directory_iterator(folder_)) all += file.file_size();
        return all;
    }
    void append_bytes(std::string_view bytes) const {
        std::ofstream(History(folder_).current_file(), std::ios::app | std::ios::binary) << bytes;
    }
    std::string folder_;
};

TEST_F(Histories, SurviveWhoWroteThem) {
    EXPECT_TRUE(History(folder_).append({entry(1), entry(2)}));
    EXPECT_TRUE(History(folder_).append({entry(3)}));
    const auto read = History(folder_).read({});
    ASSERT_EQ(read.size(), 3U);
    EXPECT_EQ(read[0].at, now + 1s);
    EXPECT_EQ(read[2].at, now + 3s);
    EXPECT_EQ(read[2].what, "modules.edge-hub");
    EXPECT_EQ(read[2].from, "ok");
    EXPECT_EQ(read[2].to, "failed");
    EXPECT_EQ(read[2].kind, "finding");
    EXPECT_EQ(read[2].text, "edgeHub is not running");
}

TEST_F(Histories, AreReadFromATime) {
    const History history(folder_);
    ASSERT_TRUE(history.append({entry(1), entry(2), entry(3)}));
    EXPECT_EQ(history.read(now + 2s).size(), 2U);
    EXPECT_EQ(history.read(now + 4s).size(), 0U);
}

TEST_F(Histories, AreBounded) {
    constexpr std::size_t limit = 4096;
    const History history(folder_, limit);
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(history.append({entry(i)}));
        ASSERT_LE(size(), 2 * limit);
    }
    const auto read = history.read({});
    ASSERT_GE(read.size(), 20U) << "the newest are kept";
    for (std::size_t i = 0; i < read.size(); ++i)
        EXPECT_EQ(read[i].at, now + std::chrono::seconds(1000 - read.size() + i)) << "without a gap, in order";
}

TEST_F(Histories, ALineThatWasCutIsLeftOutAndTheNextIsNot) {
    const History history(folder_);
    ASSERT_TRUE(history.append({entry(1)}));
    append_bytes(entry(2).to_json().substr(0, 40));
    EXPECT_EQ(history.read({}).size(), 1U);
    ASSERT_TRUE(history.append({entry(3)}));
    const auto read = history.read({});
    ASSERT_EQ(read.size(), 2U);
    EXPECT_EQ(read[1].at, now + 3s);
}

TEST_F(Histories, NonsenseIsPassedOver) {
    const History history(folder_);
    append_bytes("\n{}\n[]\nnull\n{\"at\":\"x\"}\n\xff\xfe\n" + std::string(100'000, 'x') + "\n" +
                 std::string(5000, '[') + "\n");
    append_bytes(R"({"at":1e300,"kind":"k","what":"w","from":"","to":"","text":""})"
                 "\n");
    append_bytes(std::string("\0\0\0\n", 4));
    ASSERT_TRUE(history.append({entry(1)}));
    const auto read = history.read({});
    ASSERT_EQ(read.size(), 1U);
    EXPECT_EQ(read.front().at, now + 1s);
}

TEST_F(Histories, KeepWhatIsNoUtf8Readable) {
    const History history(folder_);
    ASSERT_TRUE(history.append({entry(1, "bytes \xff\n and \"quotes\"")}));
    const auto read = history.read({});
    ASSERT_EQ(read.size(), 1U);
    EXPECT_THAT(read.front().text, ::testing::HasSubstr("and \"quotes\""));
}

TEST_F(Histories, AFolderThatIsNotThereIsNoFault) {
    const History history(folder_ + "/none");
    EXPECT_FALSE(history.append({entry(1)}));
    EXPECT_TRUE(history.append({}));
    EXPECT_TRUE(history.read({}).empty());
}

TEST_F(Histories, ALinkInTheFilesPlaceIsNotFollowed) {
    const History history(folder_);
    fs::create_symlink(folder_ + "/elsewhere", history.current_file());
    EXPECT_FALSE(history.append({entry(1)}));
    EXPECT_FALSE(fs::exists(folder_ + "/elsewhere"));
}

TEST_F(Histories, WhatIsNoFileOfItsOwnIsNotRead) {
    const std::string file = History(folder_).current_file();
    ASSERT_EQ(mkfifo(file.c_str(), 0644), 0);
    EXPECT_TRUE(History(folder_).read({}).empty());
    fs::remove(file);
    fs::create_symlink("/dev/zero", file);
    EXPECT_TRUE(History(folder_).read({}).empty());
    fs::remove(file);
    std::ofstream(folder_ + "/elsewhere") << entry(1).to_json() << "\n";
    fs::create_symlink(folder_ + "/elsewhere", file);
    EXPECT_TRUE(History(folder_).read({}).empty());
}

TEST_F(Histories, OnlyTheEndOfAnOvergrownFileIsRead) {
    const History small(folder_, 1000);
    append_bytes(entry(1).to_json() + "\n" + std::string(10'000, 'x') + "\n" + entry(2).to_json() + "\n");
    const auto entries = small.read({});
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries.front().at, entry(2).at);
}

TEST_F(Histories, TimesOutOfAllReasonAreNotTaken) {
    append_bytes(R"({"at":9223372036854775807,"kind":"a","what":"b","from":"","to":"","text":""})" "\n");
    append_bytes(R"({"at":-9223372036854775807,"kind":"a","what":"b","from":"","to":"","text":""})" "\n");
    EXPECT_TRUE(History(folder_).read(Stamp::min()).empty());
}

}  // namespace
}  // namespace eflow
