#include "vm-agent/placement/user_entries.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include <unistd.h>
#include <gtest/gtest.h>

namespace eflow {
namespace {

namespace fs = std::filesystem;

class UserEntries : public ::testing::Test {
protected:
    UserEntries() {
        std::string pattern = (fs::temp_directory_path() / "user-entries.XXXXXX").string();
        root_ = mkdtemp(pattern.data());
        fs::create_directory(root_ + "/etc");
    }
    ~UserEntries() override { fs::remove_all(root_); }

    void write(const std::string& name, const std::string& text, unsigned mode) const {
        std::ofstream(root_ + "/etc/" + name, std::ios::binary) << text;
        chmod((root_ + "/etc/" + name).c_str(), mode);
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(root_ + "/etc/" + name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void remove() const { remove_user_entries(Tree(root_, Tree::Kind::offline), "eflow-agent"); }
    std::string root_;
};

TEST_F(UserEntries, GoesWithItsGroupAndItsMemberships) {
    write("passwd", "root:x:0:0::/root:/bin/sh\neflow-agent:x:990:990::/:/sbin/nologin\neflow-agent2:x:991:991::/:\n", 0644);
    write("shadow", "root:*:1::::::\neflow-agent:!*:1::::::\n", 0640);
    write("group", "root:x:0:\ndocker:x:5:a,eflow-agent,b\njournal:x:6:eflow-agent\nother:x:7:eflow-agent2\neflow-agent:x:990:\n", 0644);
    write("gshadow", "docker:!::eflow-agent\neflow-agent:!*::\n", 0640);
    remove();
    EXPECT_EQ(read("passwd"), "root:x:0:0::/root:/bin/sh\neflow-agent2:x:991:991::/:\n");
    EXPECT_EQ(read("shadow"), "root:*:1::::::\n");
    EXPECT_EQ(read("group"), "root:x:0:\ndocker:x:5:a,b\njournal:x:6:\nother:x:7:eflow-agent2\n");
    EXPECT_EQ(read("gshadow"), "docker:!::\n");
    struct stat status {};
    ASSERT_EQ(stat((root_ + "/etc/shadow").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST_F(UserEntries, WithoutTheUserOrAFileNothingIsWritten) {
    write("passwd", "root:x:0:0::/root:/bin/sh\nhalf a line", 0644);
    const auto before = fs::last_write_time(root_ + "/etc/passwd");
    remove();
    EXPECT_EQ(fs::last_write_time(root_ + "/etc/passwd"), before);
    EXPECT_FALSE(fs::exists(root_ + "/etc/group"));
}

}  // namespace
}  // namespace eflow
