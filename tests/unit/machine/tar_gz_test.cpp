#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "shared/failure.hpp"
#include "vm-agent/machine/tar_gz.hpp"

namespace eflow {
namespace {

constexpr std::chrono::sys_seconds time_of_archive{std::chrono::seconds(1'780'000'000)};

std::string inflated(const std::string& bytes) {
    z_stream stream{};
    EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    std::string out(8 * 1024 * 1024, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

TEST(Tar, AHeaderIsWhatTheStandardSays) {
    const std::string archive = tar({{"a/b.txt", "hello"}}, time_of_archive);
    ASSERT_EQ(archive.size(), 512U * 4) << "a header, a block of data, two empty blocks";
    EXPECT_EQ(archive.substr(0, 8), std::string("a/b.txt\0", 8));
    EXPECT_EQ(archive.substr(100, 8), std::string("0000600\0", 8));
    EXPECT_EQ(archive.substr(124, 12), std::string("00000000005\0", 12));
    EXPECT_EQ(archive.substr(257, 8), std::string("ustar\00000", 8));
    unsigned sum = 0;
    for (std::size_t i = 0; i < 512; ++i)
        sum += i >= 148 && i < 156 ? static_cast<unsigned>(' ') : static_cast<unsigned char>(archive[i]);
    EXPECT_EQ(std::stoul(archive.substr(148, 6), nullptr, 8), sum);
    EXPECT_EQ(archive.substr(512, 5), "hello");
    EXPECT_EQ(archive.substr(517).find_first_not_of('\0'), std::string::npos);
}

TEST(Tar, ALongNameIsSplitAtASlash) {
    const std::string folder(90, 'f');
    const std::string file(90, 'g');
    const std::string archive = tar({{folder + "/" + file, ""}}, time_of_archive);
    EXPECT_EQ(archive.substr(0, 90), file);
    EXPECT_EQ(archive.substr(345, 91), folder + std::string(1, '\0'));
}

TEST(Tar, ANameThatLeadsElsewhereIsRefused) {
    for (const std::string name : {"", "/etc/passwd", "a/../b", "..", "a//b", "a/", "new\nline", "\xc3\xa4", "a b"})
        EXPECT_THROW(tar({{name, ""}}, time_of_archive), Failure) << name;
    EXPECT_THROW(tar({{std::string(101, 'x'), ""}}, time_of_archive), Failure) << "no slash to split at";
}

TEST(Gzip, IsReadBack) {
    std::string text;
    for (unsigned i = 0; i < 200'000; ++i) text += static_cast<char>(i * i % 251);
    EXPECT_EQ(inflated(gzip(text)), text);
    EXPECT_EQ(inflated(gzip("")), "");
}

}  // namespace
}  // namespace eflow
