#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm-agent/config/edit.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/splice.hpp"

namespace eflow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Row {
    const char* text;
    KeyPath path;
    const char* value;
    const char* expected;
};

TEST(SetValue, WritesAsTheNeighboursDo) {
    const Row rows[] = {
        {"", {"a"}, "1", "a = 1\n"},
        {"[t]\n", {"a"}, "1", "a = 1\n\n[t]\n"},
        {"b = 2\n[t]\n", {"a"}, "1", "b = 2\na = 1\n[t]\n"},
        {"\xef\xbb\xbf[t]\r\n", {"a"}, "1", "\xef\xbb\xbf" "a = 1\r\n\r\n[t]\r\n"},
        {"[t]\n  b = 2 # two\n\n# next\n[u]\n", {"t", "a"}, "1", "[t]\n  b = 2 # two\n  a = 1\n\n# next\n[u]\n"},
        {"[t]\n\tb = 2", {"t", "a"}, "1", "[t]\n\tb = 2\n\ta = 1"},
        {"t.b = 2\nz = 0\n", {"t", "a"}, "1", "t.b = 2\nt.a = 1\nz = 0\n"},
        {"[t]\nu.b = 2\n", {"t", "u", "a"}, "1", "[t]\nu.b = 2\nu.a = 1\n"},
        {"t = { b = 2 }\n", {"t", "a"}, "1", "t = { b = 2, a = 1 }\n"},
        {"t = {}\n", {"t", "a"}, "1", "t = { a = 1 }\n"},
        {"t = { b = 2 } # c\n", {"t", "u", "a"}, "1", "t = { b = 2, u = { a = 1 } } # c\n"},
        {"t.b = 2\n", {"t", "u", "a"}, "1", "t.b = 2\nt.u.a = 1\n"},
        {"# of u\n[t.u]\nb = 2\n", {"t", "a"}, "1", "[t]\na = 1\n\n# of u\n[t.u]\nb = 2\n"},
        {"[t]\nb = 2\n# of b\n\n[z]\n", {"t", "u", "a"}, "1", "[t]\nb = 2\n# of b\n\n[t.u]\na = 1\n\n[z]\n"},
        {"[t]\na = '2' # kept\n", {"t", "a"}, "1", "[t]\na = 1 # kept\n"},
        {"[t.a]\nb = 2 # kept\n[t.c]\n", {"t", "a"}, "1", "[t]\na = 1\n\n# kept\n[t.c]\n"},
        {"t = { a.b = 2, c = 3 }\n", {"t", "a", "b"}, "1", "t = { a.b = 1, c = 3 }\n"},
    };
    for (const auto& row : rows) EXPECT_EQ(set_value(row.text, row.path, row.value), row.expected) << row.text;
}

TEST(RemoveValue, TakesOnlyThat) {
    const Row rows[] = {
        {"a = 1 # kept\nb = 2\n", {"a"}, "", "# kept\nb = 2\n"},
        {"t = { a = 1, b = 2 }\n", {"t", "a"}, "", "t = { b = 2 }\n"},
        {"t = { a = 1, b = 2 }\n", {"t", "b"}, "", "t = { a = 1 }\n"},
        {"t = { a = { x = [1, { y = 2 }] } }\n", {"t", "a"}, "", "t = {  }\n"},
        {"[t]\nz = 0\n\n[t.a]\nb = 1\n\n[t.a.c]\nd = 1\n# tail\n[u]\n", {"t", "a"}, "", "[t]\nz = 0\n\n# tail\n[u]\n"},
        {"t.a.b = '''\n[t.a]\n''' # x\nt.z = 0\n", {"t", "a"}, "", "# x\nt.z = 0\n"},
    };
    for (const auto& row : rows) EXPECT_EQ(remove_value(row.text, row.path), row.expected) << row.text;
    EXPECT_EQ(remove_value("a = 1 # the old one was 2\n", {"a"}, Remark::goes), "");
}

/// config.toml as many hands write it: [provisioning] in each form that TOML has, others' tables around it, comments
/// everywhere. Each line that is no setting of ours carries a number, so that none can be mistaken for another.
class Author {
public:
    explicit Author(unsigned seed) : dice_(seed) {}

    std::string write() {
        const bool top = one_in(2);
        std::vector<std::string> parts{provisioning(top), table("watchdog"), table("agent.env")};
        if (one_in(2)) parts.push_back(table("aziot_keys"));
        if (!top) std::shuffle(parts.begin(), parts.end(), dice_);
        std::string text = noise() + (one_in(2) ? other("hostname") : "");
        for (const auto& part : parts) text += part + noise();
        if (one_in(3)) text += "# the end " + number();
        if (one_in(3)) text = with_crlf(text);
        return (one_in(4) ? "\xef\xbb\xbf" : "") + text;
    }

private:
    bool one_in(unsigned n) { return dice_() % n == 0; }
    std::string number() { return std::to_string(++count_); }
    std::string noise() {
        std::string text;
        while (one_in(2)) text += one_in(2) ? "\n" : "# note " + number() + "\n";
        return text;
    }
    std::string space() { return one_in(4) ? "\t" : one_in(3) ? "  " : ""; }
    std::string remark() { return one_in(3) ? "  # beside " + number() : ""; }
    std::string other(const std::string& key) { return space() + key + " = \"other-" + number() + "\"" + remark() + "\n"; }
    std::string table(const std::string& name) {
        std::string text = "[" + name + "]" + remark() + "\n" + noise();
        for (int i = 0; i < 3; ++i) text += other("key" + number());
        return text;
    }
    static std::string with_crlf(const std::string& text) {
        std::string out;
        for (const char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
        return out;
    }

    struct Key {
        std::string name;
        std::string value;
    };
    /// The keys in any order; `before` stands before each (a header's dotted part).
    std::string lines(std::vector<Key> keys, const std::string& before) {
        std::shuffle(keys.begin(), keys.end(), dice_);
        std::string text;
        for (const auto& key : keys) text += noise() + space() + before + key.name + " = " + key.value + remark() + "\n";
        return text;
    }
    static std::string inline_table(const std::vector<Key>& keys) {
        std::string text;
        for (const auto& key : keys) text += (text.empty() ? "{ " : ", ") + key.name + " = " + key.value;
        return text + " }";
    }

    std::string provisioning(bool top) {
        std::vector<Key> keys{{"source", one_in(2) ? "'dps'" : "\"dps\""}, {"id_scope", "\"0ne00000000\""},
                              {"global_endpoint", "\"https://old.example/\""}};
        std::vector<Key> attestation{{"method", "\"x509\""}, {"identity_cert", "\"file:///old.pem\""},
                                     {"identity_pk", "\"file:///old.key\""}};
        if (one_in(2)) keys.push_back({"x_local", "\"other-" + number() + "\""});
        if (one_in(2)) keys.push_back({"payload", "{ uri = \"file:///payload-" + number() + ".json\" }"});
        if (one_in(2)) attestation.push_back({"registration_id", "\"old\""});
        if (one_in(2)) attestation.push_back({"x_also", "[ \"other-" + number() + "\" ]"});
        const auto form = dice_() % (top ? 3U : 2U);
        if (top && form == 0) {
            keys.push_back({"attestation", inline_table(attestation)});
            return "provisioning = " + inline_table(keys) + remark() + "\n";
        }
        if (top) return lines(keys, "provisioning.") + lines(attestation, form == 1 ? "provisioning.attestation." : "provisioning . \"attestation\".");
        if (form == 0) {
            keys.push_back({"attestation", inline_table(attestation)});
            return "[provisioning]" + remark() + "\n" + lines(keys, "");
        }
        return "[ provisioning ]" + remark() + "\n" + lines(keys, "") + noise() + "[provisioning.attestation]" + remark() + "\n" + lines(attestation, "");
    }

    std::mt19937 dice_;
    unsigned count_ = 0;
};

/// What carries a number: comments and others' values, in the order in which they stand.
std::vector<std::string> numbered(const std::string& text) {
    std::vector<std::string> all;
    for (const std::string mark : {"# note ", "# beside ", "# the end ", "other-", "payload-"})
        for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
            auto end = at + mark.size();
            while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
            all.push_back(text.substr(at, end - at));
        }
    return all;
}

TEST(Splice, KeepsWhatIsNotOursWhoeverWroteIt) {
    ManagedConfig managed;
    managed.id_scope = "0ne00A1B2C3";
    managed.global_endpoint = "https://global.azure-devices-provisioning.net/";
    managed.identity_cert_uri = "file:///new.pem";
    managed.identity_pk_uri = "file:///new.key";
    for (unsigned seed = 0; seed < 150; ++seed) {
        const std::string text = Author(seed).write();
        ASSERT_TRUE(can_be_read(text)) << seed << "\n" << text;
        managed.registration_id = seed % 3 == 0 ? std::optional<std::string>("GW") : std::nullopt;
        const Spliced spliced = splice(text, managed, false);
        ASSERT_TRUE(spliced.text) << seed << "\n" << text;
        EXPECT_EQ(numbered(*spliced.text), numbered(text)) << seed << "\n" << text << "\n->\n" << *spliced.text;
        EXPECT_EQ(spliced.text->starts_with("\xef\xbb\xbf"), text.starts_with("\xef\xbb\xbf")) << seed;
        const auto carriages = std::count(text.begin(), text.end(), '\r');
        if (carriages > 0) {
            EXPECT_EQ(std::count(spliced.text->begin(), spliced.text->end(), '\r'),
                      std::count(spliced.text->begin(), spliced.text->end(), '\n'))
                << seed;
        }
        EXPECT_EQ(splice(*spliced.text, managed, false).text, spliced.text) << seed << "\n" << *spliced.text;
        const auto seen = read_provisioning(*spliced.text);
        ASSERT_TRUE(seen);
        EXPECT_EQ(seen->identity_cert, "file:///new.pem");
        EXPECT_EQ(seen->registration_id, managed.registration_id);
        EXPECT_THAT(*spliced.text, Not(HasSubstr("old")));
        if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace eflow
