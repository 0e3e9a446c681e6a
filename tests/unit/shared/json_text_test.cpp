#include "shared/json_text.hpp"

#include <string>

#include <gtest/gtest.h>

namespace eflow {
namespace {

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

TEST(JsonText, ReadsWhatIsJson) {
    EXPECT_EQ(parse_json(R"({"a":[1,{"b":"]]]["}]})").at("a").at(1).at("b"), "]]][");
    EXPECT_TRUE(parse_json("{").is_discarded());
    EXPECT_TRUE(parse_json("").is_discarded());
}

TEST(JsonText, RefusesDepthBeforeAnythingIsBuilt) {
    EXPECT_FALSE(parse_json(nested(64)).is_discarded());
    EXPECT_TRUE(parse_json(nested(65)).is_discarded());
    EXPECT_TRUE(parse_json(nested(4'000'000)).is_discarded());
    EXPECT_TRUE(parse_json(std::string(8'000'000, '[')).is_discarded());
    std::string objects;
    for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
    EXPECT_TRUE(parse_json(objects).is_discarded());
}

TEST(JsonText, BracketsInStringsAreNoDepth) {
    const std::string text = "[\"" + std::string(1000, '[') + R"(\"[\\","]"])";
    EXPECT_EQ(parse_json(text).size(), 2U);
}

}  // namespace
}  // namespace eflow
