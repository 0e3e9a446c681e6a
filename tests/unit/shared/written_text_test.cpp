#include "shared/written_text.hpp"

#include <gtest/gtest.h>

#include "shared/failure.hpp"
#include "shared/manifest.hpp"

namespace eflow {
namespace {

std::string wide(std::u16string_view text, bool big) {
    std::string out;
    for (const char16_t unit : text) {
        const char low = static_cast<char>(unit & 0xff);
        const char high = static_cast<char>(unit >> 8);
        out += big ? std::string{high, low} : std::string{low, high};
    }
    return out;
}

TEST(WrittenText, IsReadWithAndWithoutAMark) {
    const std::string text = "name = \"gw-\xc3\xa9\xf0\x9f\x98\x80\"\r\n";
    const std::u16string units = u"name = \"gw-\u00e9\U0001f600\"\r\n";
    for (const std::string& bytes : {text, "\xef\xbb\xbf" + text, "\xff\xfe" + wide(units, false), wide(units, false),
                                     "\xfe\xff" + wide(units, true), wide(units, true)})
        EXPECT_EQ(written_text(bytes), text);
    EXPECT_EQ(written_text(""), "");
    EXPECT_EQ(written_text("\xef\xbb\xbf"), "");
    EXPECT_EQ(written_text("\xff\xfe"), "");
}

TEST(WrittenText, WhatIsNoTextSaysWhy) {
    const auto fault = [](std::string_view bytes) {
        EXPECT_FALSE(written_text(bytes));
        return text_fault(bytes);
    };
    EXPECT_NE(fault("abc\xe9 x").find("byte 4"), std::string::npos);
    EXPECT_NE(fault("\xef\xbb\xbf\xc3").find("byte 1"), std::string::npos);
    EXPECT_NE(fault(std::string_view("\xff\xfe" "a", 3)).find("cut short"), std::string::npos);
    EXPECT_NE(fault(std::string_view("\xff\xfe\0\xd8", 4)).find("damaged"), std::string::npos);
    EXPECT_NE(fault(std::string_view("\xff\xfe\0\0a\0\0\0", 8)).find("UTF-32"), std::string::npos);
}

TEST(WrittenText, AManifestMayBeWrittenByAnyEditor) {
    const std::u16string units = uR"(schema = 1
[provisioning]
scope_id = "0ne00A1B2C3"
registration_id = "gw-1"
[identity]
certificate = "/x/a.pem"
private_key = "/x/b.pem"
)";
    for (const bool big : {false, true})
        EXPECT_EQ(parse_manifest(wide(u"\ufeff", big) + wide(units, big), "/x").certificate, "/x/a.pem");
    try {
        parse_manifest("schema = 1 # \xfc", "/x");
        ADD_FAILURE();
    } catch (const Failure& failure) {
        EXPECT_NE(std::string(failure.what()).find("not UTF-8"), std::string::npos);
    }
}

}  // namespace
}  // namespace eflow
