#include "shared/toml_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "shared/utf8.hpp"

namespace eflow {
namespace {

using ::testing::HasSubstr;

Toml read(const std::string& text) {
    auto result = read_toml(text);
    if (auto* fault = std::get_if<TomlFault>(&result)) {
        ADD_FAILURE() << text << "\nline " << fault->line << ": " << fault->what;
        return {};
    }
    return std::move(std::get<TomlText>(result).root);
}

TomlFault fault(const std::string& text) {
    auto result = read_toml(text);
    if (auto* found = std::get_if<TomlFault>(&result)) return std::move(*found);
    ADD_FAILURE() << text << "\nwas read";
    return {};
}

std::string text_in(const std::string& text) {
    const Toml root = read(text);
    const Toml* value = root.find("a");
    return value != nullptr && value->text() != nullptr ? *value->text() : "no text";
}

TEST(TomlReader, KeepsOrderAndPlaces) {
    const Toml root = read("# one\nb = 1\n\n[t.u]\nx = 'y'\n\n[[list]]\nz = true\n[[list]]\n");
    ASSERT_EQ(root.table()->entries.size(), 3U);
    EXPECT_EQ(root.table()->entries[0].key, "b");
    EXPECT_EQ(root.table()->entries[1].key, "t");
    EXPECT_EQ(root.find({"t", "u"})->line(), 4U);
    EXPECT_EQ(root.find({"t", "u"})->table()->find("x")->line, 5U);
    EXPECT_EQ(root.find("list")->array()->size(), 2U);
    EXPECT_EQ(root.find("list")->array()->at(1).line(), 9U);
}

TEST(TomlReader, ReadsEveryKindOfString) {
    EXPECT_EQ(text_in("a = \"x\\ty\\u00e9\\\\\""), "x\ty\xc3\xa9\\");
    EXPECT_EQ(text_in("a = 'C:\\x'"), "C:\\x");
    EXPECT_EQ(text_in("a = \"\"\"\nx\\\n   y\"\"\"\"\""), "xy\"\"");
    EXPECT_EQ(text_in("a = '''\r\nx\ny'''"), "x\ny");
    EXPECT_EQ(text_in("a = \"\\e\\x41\""),
              "\x1b"
              "A");
    EXPECT_EQ(text_in("a = \"[{]\""), "[{]");
}

TEST(TomlReader, ReadsNumbersAndDates) {
    for (const auto& [text, size] : std::initializer_list<std::pair<const char*, std::int64_t>>{
             {"0x7F_FF", 0x7fff},
             {"0o17", 15},
             {"0b11", 3},
             {"+1_000", 1000},
             {"-0", 0},
             {"-9223372036854775808", std::numeric_limits<std::int64_t>::min()}}) {
        const Toml root = read(std::string("a = ") + text);
        ASSERT_NE(root.find("a")->integer(), nullptr) << text;
        EXPECT_EQ(*root.find("a")->integer(), size);
    }
    EXPECT_TRUE(std::holds_alternative<std::uint64_t>(read("a = 18446744073709551615").find("a")->value()));
    EXPECT_TRUE(std::holds_alternative<Toml::TooLarge>(read("a = 18446744073709551616").find("a")->value()));
    EXPECT_TRUE(std::holds_alternative<Toml::TooLarge>(read("a = 1e999").find("a")->value()));
    for (const char* one : {"1.5", "1e5", "-1E-5", "inf", "nan", "6_0.0_1"})
        EXPECT_TRUE(std::holds_alternative<double>(read(std::string("a = ") + one).find("a")->value())) << one;
    for (const char* one : {"1979-05-27", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00.5+01:00", "07:32:60", "07:32",
                            "2024-02-29", "1979-05-27t07:32z"})
        EXPECT_TRUE(std::holds_alternative<Toml::Datetime>(read(std::string("a = ") + one).find("a")->value())) << one;
    for (const char* bad : {"05",
                            "1__0",
                            "_1",
                            "1_",
                            "0x",
                            "0X1",
                            "+0x1",
                            "1.",
                            ".5",
                            "1e",
                            "1_.5",
                            "0b2",
                            "True",
                            "yes",
                            "1979-02-30",
                            "1979-13-01",
                            "25:00:00",
                            "1979-05-27T",
                            "1979-05-27  07:32:00",
                            "--1",
                            "Inf"})
        EXPECT_EQ(fault(std::string("x = 1\na = ") + bad).line, 2U) << bad;
}

TEST(TomlReader, TablesGrowOnlyAsTheSpecificationLetsThem) {
    for (const char* good : {"[a.b]\n[a]\nx=1", "a.b=1\na.c=2", "[a]\nb.c=1\nb.d=2", "[[a]]\n[a.b]\n[[a]]\n[a.b]",
                             "a={b.c=1,b.d=2}", "[a]\n[a.b]\n[c]\n[a.d]", "a.b=1\n[a.c]"})
        read(good);
    for (const char* bad : {"a=1\na=2", "[a]\n[a]", "a=[]\n[a.b]", "a=[]\n[[a]]", "a={}\n[a.b]", "a={}\na.b=1",
                            "a=1\n[a.b]", "[a]\nb=1\n[a.b]", "a.b=1\n[a]", "[a.b]\n[a]\nb=1", "[[a]]\n[a]",
                            "[a]\n[[a]]", "a={b=1,b=2}", "a={b={},b.c=1}", "[a.b.c]\n[a]\nb.c.d=1"})
        fault(bad);
}

TEST(TomlReader, ReadsWhatTomlOneOneAddedAndSaysWhere) {
    const std::string text = "a = {\n  x = 1, # one\n  y = 2,\n}\nb = \"\\x41\"\nc = 07:32\n";
    auto result = read_toml(text);
    ASSERT_TRUE(std::holds_alternative<TomlText>(result));
    const auto& newer = std::get<TomlText>(result).newer;
    ASSERT_GE(newer.size(), 4U);
    EXPECT_EQ(newer.front().first, 2U);
    EXPECT_EQ(newer.back(), std::pair(std::size_t{6}, std::string("a time without seconds")));
    EXPECT_TRUE(std::get<TomlText>(read_toml("a = [\n1,\n]\nb = { x = 1 }")).newer.empty());
}

TEST(TomlReader, NamesTheLineAndWhatBelongsThere) {
    struct Case {
        const char* text;
        std::size_t line;
        const char* says;
    };
    for (const auto& one : {Case{"a = 1\nimage: \"x\"\n", 2, "':' stands where '=' belongs"},
                            {"a = 1\nb\n", 2, "without '='"},
                            {"[a\nb = 1", 1, "not closed"},
                            {"a = \"x\nb = 1", 1, "not closed"},
                            {"a = '''x\ny", 1, "not closed"},
                            {"a = [1, 2\nb = 1", 2, "comma or ]"},
                            {"a = {x = 1 y = 2}", 1, "comma or }"},
                            {"a = file:///x", 1, "is no value"},
                            {"a = \xe2\x80\x9cx\xe2\x80\x9d", 1, "typographic"},
                            {"a = \"C:\\Users\"", 1, "hexadecimal"},
                            {"a = \"\\q\"", 1, "no escape"},
                            {"a =\n", 1, "missing"},
                            {"a = 1 b = 2", 1, "more stands"},
                            {"a = 1\n\na = 2", 3, "line 1"},
                            {"# \x01\n", 1, "control"},
                            {"a = 1\r", 1, "carriage return"}}) {
        const auto found = fault(one.text);
        EXPECT_EQ(found.line, one.line) << one.text;
        EXPECT_THAT(found.what, HasSubstr(one.says)) << one.text;
        EXPECT_FALSE(found.remedy.empty());
    }
}

TEST(TomlReader, NamesTheEncoding) {
    EXPECT_TRUE(
        std::holds_alternative<TomlText>(read_toml("\xef\xbb\xbf"
                                                   "a = 1\r\n")));
    EXPECT_THAT(fault(std::string("\xff\xfe"
                                  "a\0",
                                  4))
                    .what,
                HasSubstr("UTF-16 (little-endian)"));
    EXPECT_THAT(fault(std::string("\0a\0 \0=", 6)).what, HasSubstr("UTF-16 (big-endian)"));
    EXPECT_THAT(fault(std::string("a = 1\n\0", 7)).what, HasSubstr("NUL"));
    for (const std::string bad : {"\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\x80"}) {
        EXPECT_EQ(fault("a = 1\n# " + bad).line, 2U);
        EXPECT_EQ(first_bad_byte("a\n" + bad), 2U);
    }
    EXPECT_EQ(first_bad_byte("\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82"), std::nullopt);
}

std::string repeated(std::string_view what, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += what;
    return out;
}

TEST(TomlReader, HostileTextsEnd) {
    constexpr std::size_t size = 1024 * 1024;
    read("a = " + repeated("[", 80) + repeated("]", 80));
    read("a = \"" + repeated("[", 1000) + "\"\n#" + repeated("{", 1000));
    fault("a = " + repeated("[", 81) + repeated("]", 81));
    for (const char* unit :
         {"[", "{a=", "a.", "[a.", "\"", "'''", "#", "\\", "a=[]\n[a.b]\n", "[[a]]\n", "\xef\xbb\xbf", "=", ","}) {
        (void)read_toml(repeated(unit, size / std::string_view(unit).size()));
        (void)read_toml("a = " + repeated(unit, size / std::string_view(unit).size()));
    }
    std::string keys;
    for (std::size_t i = 0; keys.size() < size; ++i) keys += "k" + std::to_string(i) + " = 1\n";
    EXPECT_GT(read(keys).table()->entries.size(), 80000U);
    (void)read_toml("a = \"\"\"" + repeated("\\\n", size / 2) + "\"\"\"");
    (void)read_toml("a = {" + repeated("a.b.c.d = {", 200));
}

}  // namespace
}  // namespace eflow
