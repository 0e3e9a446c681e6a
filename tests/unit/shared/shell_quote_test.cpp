#include "shared/shell_quote.hpp"

#include <array>
#include <cstdio>
#include <memory>

#include <gtest/gtest.h>

#include "shared/printable.hpp"

namespace eflow {
namespace {

const std::array<std::string, 15> awkward{
    "plain.pem",       "/etc/aziot/a_b-c.pem", "two words.pem", "it's.pem",  "$(id) `id` \"x\" \\ ! * ? ~ # ; & |", "",
    "-rf",             "a\nb",                 "\x1b[31m'\\",   "\xc3\xa4.pem", "\xe2\x80\xae" "gpj.pem",            "\xff\xfe",
    "tab\there'\\n.k", "~root",                "\xc2\x9b" "31m"};

/// What a shell makes of `word`: each argument on its own, ended by "|".
std::string read_by_shell(const std::string& word) {
    struct Close {
        void operator()(std::FILE* pipe) const noexcept { pclose(pipe); }
    };
    const std::string script = "printf '%s|' " + word;
    const std::string command = "bash -c " + shell_quoted(script);
    // popen's sh may not know $'...', so that bash reads such a script from its standard input.
    const std::string run = script.find("$'") == std::string::npos ? command : "bash <<'EOF-OF-SCRIPT'\n" + script + "\nEOF-OF-SCRIPT\n";
    const std::unique_ptr<std::FILE, Close> pipe(popen(run.c_str(), "r"));
    std::string text;
    for (int c = 0; (c = std::fgetc(pipe.get())) != EOF;) text += static_cast<char>(c);
    return text;
}

TEST(ShellQuote, AWordArrivesAsItIs) {
    for (const std::string& text : awkward) EXPECT_EQ(read_by_shell(shell_quoted(text)), text + "|") << shell_quoted(text);
}

TEST(ShellQuote, PlainWordsStayReadable) {
    EXPECT_EQ(shell_quoted("/var/aziot/certs/device-id-0a1b.cert.pem"), "/var/aziot/certs/device-id-0a1b.cert.pem");
    EXPECT_EQ(shell_quoted("two words"), "'two words'");
    EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
    EXPECT_EQ(shell_quoted("a\nb"), "$'a\\012b'");
    EXPECT_EQ(shell_quoted("-x"), "'-x'");
    EXPECT_EQ(shell_path("-x"), "./-x");
    EXPECT_EQ(shell_path("x y"), "'x y'");
}

TEST(ShellQuote, NothingHiddenIsLeftInAWord) {
    for (const std::string& text : awkward) {
        const std::string word = shell_quoted(text);
        EXPECT_EQ(printable(word), word) << text;
    }
}

TEST(Printable, LettersStayAndWhatCannotBeSeenIsWritten) {
    EXPECT_EQ(printable("Gerät-3 日本 🙂"), "Gerät-3 日本 🙂");
    EXPECT_EQ(printable(std::string("a\0b\x1b[2J\x7f", 8)), "a\\x00b\\x1b[2J\\x7f");
    EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");                                          // C1: CSI
    EXPECT_EQ(printable("gw\xe2\x80\xae" "3-\xe2\x80\x8b" "1"), "gw\\xe2\\x80\\xae3-\\xe2\\x80\\x8b1");  // bidi, zero width
    EXPECT_EQ(printable("\xff\xc0\x80\xed\xa0\x80\xe2\x82"), "\\xff\\xc0\\x80\\xed\\xa0\\x80\\xe2\\x82");   // no UTF-8
    EXPECT_EQ(printable("\xf3\xa0\x81\x81"), "\\xf3\\xa0\\x81\\x81");                        // a tag
    EXPECT_EQ(printable("abcdef", 3), "abc...");
    EXPECT_EQ(printable("ab\xc3\xa4", 3), "ab...");
}

}  // namespace
}  // namespace eflow
