#include "vm-agent/machine/settings.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eflow {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(OpenQuote, IsFoundWhereSystemdDropsTheLine) {
    EXPECT_THAT(lines_with_open_quote("[Service]\nEnvironment=\"HTTPS_PROXY=http://p:3128\n"), ElementsAre(2));
    EXPECT_THAT(lines_with_open_quote("[Service]\r\nEnvironment = 'A=b c\r\nEnvironment=\"B=c\"\r\n"), ElementsAre(2));
    EXPECT_THAT(lines_with_open_quote("Environment=HTTPS_PROXY=\"http://p:3128"), ElementsAre(1));
    EXPECT_THAT(lines_with_open_quote("Environment=A=1 \\\n# a comment\n \"B=2\n"), ElementsAre(1));
    EXPECT_THAT(lines_with_open_quote("[Service]\nEnvironment=\"A=b\" 'C=d'\nEnvironment=E=\\\"f\n"
                                      "# Environment=\"X\nExecStart=/bin/x \"\n"),
                IsEmpty());
    EXPECT_THAT(lines_with_open_quote(""), IsEmpty());
}

class Settings : public ::testing::Test {
protected:
    Settings() {
        char name[] = "/tmp/eflow-settings-XXXXXX";
        root_ = mkdtemp(name);
    }
    ~Settings() override { fs::remove_all(root_); }
    void write(const std::string& path, const std::string& text) {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }
    Tree tree() { return Tree(root_.string(), Tree::Kind::offline); }
    fs::path root_;
};

TEST_F(Settings, DropInsOfTheThreeServicesAreRead) {
    EXPECT_TRUE(see_dropped_lines(tree()).empty());
    write("etc/systemd/system/docker.service.d/proxy.conf", "[Service]\n\nEnvironment=\"X=y\n");
    write("etc/systemd/system/docker.service.d/off.conf.bak", "Environment=\"X=y\n");
    write("run/systemd/system/aziot-identityd.service.d/a.conf", "Environment='X=y\n");
    write("etc/systemd/system/other.service.d/a.conf", "Environment='X=y\n");
    const auto dropped = see_dropped_lines(tree());
    ASSERT_EQ(dropped.size(), 2U);
    EXPECT_EQ(dropped[0].path, "/etc/systemd/system/docker.service.d/proxy.conf");
    EXPECT_EQ(dropped[0].line, 3U);
    EXPECT_EQ(dropped[1].path, "/run/systemd/system/aziot-identityd.service.d/a.conf");
}

TEST_F(Settings, TheNameThatIdentitydRunsWith) {
    EXPECT_FALSE(see_hostnames(tree(), {}).rendered);
    write("etc/aziot/identityd/config.d/00-super.toml", "hostname = \"gw-1\"\nhomedir = \"/var/lib/aziot/identityd\"\n");
    const auto names = see_hostnames(tree(), read_material("hostname = \"gw-2\"\n"));
    EXPECT_EQ(names.rendered, "gw-1");
    EXPECT_EQ(names.configured, "gw-2");
    EXPECT_EQ(names.machine, "") << "an image has no name of its own";
}

TEST_F(Settings, EflowsVmIsToldFromAnotherLinux) {
    EXPECT_FALSE(is_eflow_vm(tree(), "PLANT7-EFLOW"));
    write("etc/os-release", "NAME=\"Debian GNU/Linux\"\nID=debian\n");
    EXPECT_FALSE(is_eflow_vm(tree(), "PLANT7-EFLOW"));
    write("etc/os-release", "NAME=\"Common Base Linux Mariner\"\nVERSION=\"2.0.20240123\"\nID=mariner\n");
    EXPECT_FALSE(is_eflow_vm(tree(), "gateway")) << "a Mariner of one's own";
    EXPECT_TRUE(is_eflow_vm(tree(), "PLANT7-EFLOW"));
    write("etc/os-release", "NAME=\"Microsoft Azure Linux\"\nID=azurelinux\n");
    EXPECT_TRUE(is_eflow_vm(tree(), "PLANT7-EFLOW"));
    write("var/.eflow/config/config.toml.template", "");
    EXPECT_TRUE(is_eflow_vm(tree(), "renamed"));
}

}  // namespace
}  // namespace eflow
