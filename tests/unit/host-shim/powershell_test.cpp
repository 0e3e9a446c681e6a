#include "host-shim/powershell.hpp"

#include <gtest/gtest.h>
#include <eflow_embedded_scripts.hpp>

#include "host-shim/vm_session.hpp"
#include "shared/failure.hpp"

namespace eflow {
namespace {

/// CommandLineToArgvW's rules, for what quoted_argument makes (without the ones for the program's name).
std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> out;
    std::string word;
    bool quoted = false;
    bool any = false;
    std::size_t backslashes = 0;
    for (const char c : line + " ") {
        if (c == '\\') {
            ++backslashes;
            any = true;
            continue;
        }
        if (c == '"') {
            word.append(backslashes / 2, '\\');
            if (backslashes % 2 == 1)
                word += '"';
            else
                quoted = !quoted;
            any = true;
        } else {
            word.append(backslashes, '\\');
            if (c == ' ' && !quoted) {
                if (any) out.push_back(word);
                word.clear();
                any = false;
            } else {
                word += c;
                any = true;
            }
        }
        backslashes = 0;
    }
    return out;
}

TEST(PowerShell, ArgumentsSurviveWindowsQuoting) {
    const std::vector<std::string> values{"",       "a b",        "\"",   "\\",        "a\\",
                                          "a\\\"b", "\\\\\"\\\\", "a\nb", "C:\\x y\\", "\"\"\""};
    std::string line;
    for (const auto& value : values) line += (line.empty() ? "" : " ") + quoted_argument(value);
    EXPECT_EQ(split(line), values);
}

TEST(PowerShell, TheCommandLineIsFixedAndFits) {
    for (const char* name : {"facts.ps1", "call.ps1"}) {
        const std::string line =
            powershell_command_line("C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe", script(name));
        EXPECT_LT(line.size(), 32767U) << "CreateProcess takes no more";
        const auto words = split(line);
        ASSERT_EQ(words.size(), 10U);
        EXPECT_EQ(words[8], "-Command");
        EXPECT_EQ(words[9], script(name));
        // A double quote would depend on how powershell.exe puts its arguments together again.
        EXPECT_EQ(script(name).find('"'), std::string_view::npos) << name;
    }
    EXPECT_THROW(script("no.ps1"), Failure);
}

TEST(PowerShell, RequestsAreOneLineOfAscii) {
    const std::string line = request_line({{"value", "a\r\n\"'`$();\xe2\x80\x9c\xf0\x9f\x98\x80\x7f\x01/Date(1)/"}});
    EXPECT_EQ(line.back(), '\n');
    for (const char c : line.substr(0, line.size() - 1)) EXPECT_TRUE(c >= ' ' && c <= '~') << static_cast<int>(c);
    EXPECT_EQ(nlohmann::json::parse(line)["value"], "a\r\n\"'`$();\xe2\x80\x9c\xf0\x9f\x98\x80\x7f\x01/Date(1)/");
    // The JSON reader of Windows PowerShell takes "\/Date(1)\/" for a time; with its slashes bare it stays a text.
    EXPECT_EQ(line.find("\\/"), std::string::npos);
    EXPECT_THROW(request_line({{"value", "\xff"}}), Failure);
}

TEST(PowerShell, TheAnswerIsBehindTheMarkerAlone) {
    EXPECT_FALSE(answer_in("", "m:"));
    EXPECT_FALSE(answer_in("m:not json\nx m:{}\n {}", "m:"));
    EXPECT_FALSE(answer_in("m:[1]\n", "m:"));
    const auto answer = answer_in("noise\nother:{\"a\":0}\r\nm:{\"a\":1}\r\nmore", "m:");
    ASSERT_TRUE(answer);
    EXPECT_EQ((*answer)["a"], 1);
}

TEST(PowerShell, FactsAsPowerShellWritesThem) {
    const auto facts = facts_from(nlohmann::json::parse(R"({
        "user":{"name":"A\\b","sid":"S-1-5-18","elevated":true},"installed":"1.5.6",
        "parameters":{"Verify-EflowVm":null,"Copy-EflowVmFile":["fromFile","toFile"],"X":"one"},
        "exists":true,"vm":{"name":"V","power":"Off","runtime":null},
        "problems":{"service":{"id":"I","message":"M","position":"P"}}})"));
    EXPECT_TRUE(facts.user->elevated);
    EXPECT_EQ(facts.installed, std::vector<std::string>{"1.5.6"});
    EXPECT_TRUE(facts.parameters.at("Verify-EflowVm").empty());
    EXPECT_EQ(facts.parameters.at("X"), std::vector<std::string>{"one"});
    EXPECT_EQ(facts.vm->power, "Off");
    EXPECT_EQ(facts.problems.at("service").message, "M");
    EXPECT_FALSE(facts.windows || facts.module || facts.service);
    // Whatever comes, it is not believed to be more than it is.
    for (const char* odd :
         {"{}", R"({"user":3,"exists":"yes","installed":{},"problems":[]})", R"({"parameters":{"a":{}}})"})
        EXPECT_NO_THROW(facts_from(nlohmann::json::parse(odd))) << odd;
    EXPECT_FALSE(facts_from(nlohmann::json::parse(R"({"user":{"elevated":"true"}})")).user->elevated);
}

TEST(PowerShell, ErrorsKeepIdMessageAndPosition) {
    const Called called = called_from(nlohmann::json::parse(
        R"({"output":"OK","said":["a"],"heard":["M","b"],"error":{"stage":"call","id":"I","message":"M","position":"P"}})"));
    EXPECT_EQ(called.output, std::vector<std::string>{"OK"});
    EXPECT_EQ(called.said, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(called.error->id, "I");
    EXPECT_EQ(called.error->position, "P");
    EXPECT_FALSE(called_from(nlohmann::json::parse(R"({"output":null,"error":null})")).failed());
    EXPECT_NE(error_without_answer("boom\r\n", "", 3).message.find("exit code 3 and no answer: boom"),
              std::string::npos);
}

TEST(VmCommand, IsBase64AndPlainWordsAlone) {
    const std::string command = vm_command("echo '$x' \"`y`\"\n", {"0f", "--timeout", "9s"});
    EXPECT_EQ(command, "echo " + base64("echo '$x' \"`y`\"\n") + " | base64 -d | sudo sh -s -- 0f --timeout 9s");
    for (const char* word : {"", "a b", "$x", ";", "'", "\n", "a\\", "\xc3\xa9", "*", "~"})
        EXPECT_THROW(vm_command("x", {word}), Failure) << word;
    for (const auto& entry : embedded_scripts) {
        if (!entry.name.ends_with(".sh")) continue;
        const std::string text = std::string(script("vm-common.sh")) + std::string(entry.text);
        EXPECT_LT(vm_command(text, {"x"}).size(), 7000U) << entry.name << ": a command line of Windows has to hold it";
    }
}

TEST(Base64, IsTheInverseOfItself) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(from_base64(base64(bytes)), bytes);
        bytes += static_cast<char>(i * 37);
    }
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64("fo"), "Zm8=");
    for (const char* bad : {"a", "ab=c", "====", "a===", "é", "Zm8=Zg"}) EXPECT_FALSE(from_base64(bad)) << bad;
}

}  // namespace
}  // namespace eflow
