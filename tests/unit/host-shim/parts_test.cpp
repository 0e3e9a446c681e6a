#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "host-shim/log.hpp"
#include "host-shim/render.hpp"
#include "host-shim/state.hpp"
#include "host-shim/tar.hpp"
#include "shared/failure.hpp"
#include "shared/utf16.hpp"

namespace eflow {
namespace {

TEST(Utf16, RoundTripAndWhatIsNoText) {
    const std::string all = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f";
    EXPECT_EQ(utf8_of(utf16_of(all).value()), all);
    EXPECT_EQ(utf16_of("\xf0\x9f\x98\x80"), u"\xd83d\xde00");
    for (const char* bad :
         {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xc3\x28"})
        EXPECT_FALSE(utf16_of(bad)) << bad;
    for (const auto& bad : std::vector<std::u16string>{{0xd83d}, {0xde00, 0xd83d}, {0xd83d, u'a'}})
        EXPECT_FALSE(utf8_of(bad));
}

TEST(Tar, HeadersAndContent) {
    const SecretBytes content{std::string_view("hello")};
    const SecretBytes tar = make_tar({{"bundle/", 0700, nullptr}, {"bundle/x", 0600, &content}});
    const std::string_view text = tar.reveal();
    ASSERT_EQ(text.size(), 512U * 5);
    EXPECT_EQ(text.substr(512, 8), "bundle/x");
    EXPECT_EQ(text.substr(512 + 100, 7), "0000600");
    EXPECT_EQ(text.substr(512 + 124, 11), "00000000005");
    EXPECT_EQ(text.substr(512 + 257, 5), "ustar");
    EXPECT_EQ(text[156], '5');
    EXPECT_EQ(text.substr(1024, 6), std::string_view("hello\0", 6));
    for (const std::size_t at : {std::size_t{0}, std::size_t{512}}) {
        unsigned sum = 0;
        for (std::size_t i = 0; i < 512; ++i)
            sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(text[at + i]);
        EXPECT_EQ(std::stoul(std::string(text.substr(at + 148, 6)), nullptr, 8), sum);
    }
    EXPECT_THROW(make_tar({{std::string(100, 'x'), 0600, &content}}), Failure);
    EXPECT_THROW(make_tar({{"", 0600, &content}}), Failure);
}

TEST(State, IsReadBackAndOddOnesCountForNothing) {
    Request request;
    request.leaf = LeafFacts{"n", "ab", {}, {}};
    request.device.scope_id = "S";
    State state = state_for(request);
    state.module_provisioned = true;
    state.deployed_by = "S-1";
    const State again = state_from(to_json(state));
    EXPECT_TRUE(again.covers(request));
    EXPECT_TRUE(again.module_provisioned);
    EXPECT_EQ(again.deployed_by, "S-1");
    for (const char* odd : {"", "[]", "{}", R"({"schema":2})", R"({"schema":1,"sha256":3})"})
        EXPECT_FALSE(state_from(odd).covers(request)) << odd;
    request.device.global_endpoint = "x";
    EXPECT_FALSE(again.covers(request));
    EXPECT_FALSE(State{}.covers(Request{}));
}

TEST(Log, RotatesAndALineIsALine) {
    const auto folder = std::filesystem::temp_directory_path() /
                        ("eflow-log-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()));
    std::filesystem::create_directory(folder);
    Log log(folder, 200);
    for (int i = 0; i < 40; ++i) log.write("line " + std::to_string(i) + "\nforged\x1b[2J");
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        ++files;
        EXPECT_LT(entry.file_size(), 400U);
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line);) {
            EXPECT_EQ(line.substr(4, 1) + line.substr(19, 1), "-Z") << line;
            EXPECT_NE(line.find("|forged?[2J"), std::string::npos) << line;
        }
    }
    EXPECT_EQ(files, 4U);
    std::filesystem::remove_all(folder);
    Log(folder / "nowhere").write("nothing happens");
}

TEST(Render, SaysWhatIsWrongAndWhatToDo) {
    Report report;
    report.findings = {ok("a.b", "fine"), failed("c.d", "broken", "evidence\nmore", "mend it"),
                       warning("e.f", "odd", "", "")};
    report.phase = Phase::running;
    report.data = {{"notes", {"a note"}}, {"steps", {{{"id", "x"}, {"title", "doing x"}, {"outcome", "done"}}}}};
    EXPECT_EQ(
        told(report),
        "FAILED   broken  (c.d)\n         evidence\n         more\n         What to do: mend it\nwarning  odd  (e.f)\n"
        "1 check in order.\n\nSteps\n  done      doing x\n\na note\nThe device: running\n");
}

}  // namespace
}  // namespace eflow
