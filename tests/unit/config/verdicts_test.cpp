#include <fstream>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/upstream_types.hpp"

namespace eflow {
namespace {

using nlohmann::json;

/// Whether config.well-formed refuses; the other checks of the text must never fail where it does not.
void expect_verdict(const std::string& text, bool accepted, const std::string& name) {
    const Findings findings = judge_config(text);
    std::string said;
    bool refused = false;
    for (const auto& finding : findings) {
        if (finding.severity != Severity::failed) continue;
        refused = refused || finding.id == "config.well-formed";
        said += finding.id + ": " + finding.detail + "\n";
        EXPECT_FALSE(finding.remedy.empty()) << name;
        EXPECT_EQ(finding.remedy.find("iotedge config apply"), std::string::npos) << name;
    }
    EXPECT_EQ(refused, !accepted) << name << "\n" << said << text;
    EXPECT_EQ(gravest(findings) == Severity::failed, !accepted) << name << "\n" << said;
}

/// tests/fixtures/config_verdicts.json: texts, and what upstream's own types say to them. A row of `values` is a base
/// with one value replaced: base, line, column, length, value, accepted; of `without` a base without one line.
TEST(Verdicts, AreUpstreams) {
    std::ifstream file(std::string(FIXTURES) + "/config_verdicts.json");
    const json all = json::parse(file);
    std::map<std::string, std::vector<std::string>> bases;
    for (const auto& [name, lines] : all.at("bases").items()) bases[name] = lines.get<std::vector<std::string>>();
    const auto joined = [](const std::vector<std::string>& lines) {
        std::string text;
        for (const auto& line : lines) text += line + "\n";
        return text;
    };
    for (const auto& [name, lines] : bases) expect_verdict(joined(lines), true, name);
    for (const auto& row : all.at("values")) {
        auto lines = bases.at(row[0]);
        lines.at(row[1].get<std::size_t>() - 1)
            .replace(row[2].get<std::size_t>(), row[3].get<std::size_t>(), row[4].get<std::string>());
        expect_verdict(joined(lines), row[5].get<bool>(), row.dump());
    }
    for (const auto& row : all.at("without")) {
        auto lines = bases.at(row[0]);
        lines.erase(lines.begin() + row[1].get<std::ptrdiff_t>() - 1);
        expect_verdict(joined(lines), row[2].get<bool>(), row.dump());
    }
    for (const auto& row : all.at("texts")) expect_verdict(row[0].get<std::string>(), row[1].get<bool>(), row.dump());
}

TEST(UpstreamTypes, NameOnlyTypesThatExist) {
    const auto exists = [](std::string_view name) { return upstream_type(name).name == name; };
    std::set<std::string_view> reached;
    for (const auto& key : all_keys()) {
        EXPECT_TRUE(exists(key.table)) << key.table;
        EXPECT_TRUE(exists(key.type)) << key.type;
        EXPECT_EQ(upstream_type(key.table).form, Form::record) << key.table;
        const UpstreamType& type = upstream_type(key.type);
        for (std::string_view types = type.list; !types.empty() && type.form != Form::word;) {
            std::string_view one = next_word(types);
            if (type.form == Form::tagged) next_word(one, ':');
            EXPECT_TRUE(exists(one)) << key.type << ": " << one;
        }
    }
}

}  // namespace
}  // namespace eflow
