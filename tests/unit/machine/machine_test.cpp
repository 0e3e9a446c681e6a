#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include "shared/failure.hpp"
#include "vm-agent/machine/containers.hpp"
#include "vm-agent/machine/input.hpp"
#include "vm-agent/machine/output.hpp"
#include "vm-agent/machine/process.hpp"
#include "vm-agent/machine/services.hpp"
#include "vm-agent/machine/users.hpp"

namespace eflow {
namespace {

namespace fs = std::filesystem;
namespace asio = boost::asio;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InFolder : public ::testing::Test {
protected:
    InFolder() {
        char name[] = "/tmp/eflow-machine-XXXXXX";
        folder_ = mkdtemp(name);
    }
    ~InFolder() override { fs::remove_all(folder_); }
    std::string at(const std::string& name) const { return (folder_ / name).string(); }
    std::string write(const std::string& name, const std::string& text) const {
        fs::create_directories((folder_ / name).parent_path());
        std::ofstream(folder_ / name) << text;
        return at(name);
    }
    fs::path folder_;
};

using Process = InFolder;

TEST_F(Process, GivesExitCodeAndOutputOfBoth) {
    const auto result = run_process({"/bin/sh", "-c", "echo out; echo err >&2; exit 7"}, 10s, 1000);
    EXPECT_EQ(result.exit_code, 7);
    EXPECT_FALSE(result.timed_out);
    EXPECT_EQ(result.output, "out\nerr\n");
}

TEST_F(Process, ArgumentsArriveByteForByte) {
    const std::vector<std::string> hostile{"a b", "$(id)", "`id`", "\"'\\", "new\nline", "*", "--x=\xff"};
    std::vector<std::string> argv{"/usr/bin/printf", "<%s>"};
    argv.insert(argv.end(), hostile.begin(), hostile.end());
    std::string expected;
    for (const auto& one : hostile) expected += "<" + one + ">";
    EXPECT_EQ(run_process(argv, 10s, 1000).output, expected);
}

TEST_F(Process, OutputIsBoundedAndTheRestDropped) {
    const auto result = run_process({"/usr/bin/head", "-c", "1000000", "/dev/zero"}, 10s, 100);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.output.size(), 100U);
}

TEST_F(Process, ATimeoutEndsTheWholeGroup) {
    // The grandchild ignores SIGTERM and writes its pid first; both must be gone afterwards.
    const std::string pid_file = at("pid");
    const auto result = run_process(
        {"/bin/sh", "-c", "(trap '' TERM; sh -c 'echo $PPID' > " + pid_file + "; while :; do sleep 1; done) & wait"},
        3000ms, 100);
    EXPECT_TRUE(result.timed_out);
    std::ifstream file(pid_file);
    pid_t pid = 0;
    ASSERT_TRUE(file >> pid);
    // It may still be on its way out: its descriptor becomes readable when it has ended. (The test's own time limit is
    // the bound.)
    const int ending = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (ending >= 0) {
        pollfd waited{ending, POLLIN, 0};
        EXPECT_EQ(poll(&waited, 1, -1), 1);
        close(ending);
    }
    EXPECT_TRUE(ending >= 0 || errno == ESRCH);
}

TEST_F(Process, AMissingProgramIsAFailure) {
    EXPECT_THROW(run_process({"/no/such/program"}, 1s, 100), Failure);
    EXPECT_THROW(run_process({"/bin/true", ""}, 1s, 100), Failure);
}

TEST_F(Process, TheChildGetsNoSecretsAndNoDescriptors) {
    ASSERT_EQ(setenv("EFLOW_TEST_SECRET", "secret", 1), 0);
    const int leak = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const auto result = run_process({"/bin/sh", "-c", "env; ls -l /proc/self/fd | wc -l"}, 10s, 10000);
    close(leak);
    EXPECT_EQ(result.output.find("EFLOW_TEST_SECRET"), std::string::npos);
    // total, 0, 1, 2 and the folder that ls itself has open
    EXPECT_THAT(result.output, ::testing::EndsWith("5\n"));
}

TEST_F(Process, ASignalIsToldAsAShellDoes) {
    EXPECT_EQ(run_process({"/bin/sh", "-c", "kill -KILL $$"}, 10s, 100).exit_code, 128 + 9);
}

using Input = InFolder;

TEST_F(Input, TellsWhatCannotBeRead) {
    EXPECT_EQ(read_input(write("f", "text"), 10).bytes.reveal(), "text");
    EXPECT_EQ(read_input(write("f", "text"), 4).state, InputFile::State::read);
    EXPECT_EQ(read_input(at("f"), 3).state, InputFile::State::too_large);
    EXPECT_EQ(read_input(at("none"), 3).state, InputFile::State::missing);
    EXPECT_EQ(read_input(folder_, 3).state, InputFile::State::not_a_file);
    EXPECT_EQ(read_input("/dev/zero", 3).state, InputFile::State::not_a_file);
    ASSERT_EQ(mkfifo(at("fifo").c_str(), 0600), 0);
    EXPECT_EQ(read_input(at("fifo"), 3).state, InputFile::State::not_a_file);
    fs::create_symlink(at("f"), at("link"));
    EXPECT_EQ(read_input(at("link"), 10).state, InputFile::State::read);
}

using Output = InFolder;

TEST_F(Output, AllOrNothingAndNeverOver) {
    write_new({{at("new/a"), SecretBytes(std::string_view("1")), 0600},
               {at("new/b"), SecretBytes(std::string_view("2")), 0644}});
    struct stat status {};
    ASSERT_EQ(stat(at("new/a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    EXPECT_THROW(write_new({{at("new/c"), {}, 0644}, {at("new/b"), {}, 0644}}), Failure);
    EXPECT_FALSE(fs::exists(at("new/c")));
    fs::create_symlink(at("nowhere"), at("link"));
    EXPECT_THROW(write_new({{at("link"), {}, 0644}}), Failure);
    EXPECT_FALSE(fs::exists(at("nowhere")));
    write("file", "");
    EXPECT_THROW(write_new({{at("d/ok"), {}, 0644}, {at("file/x"), {}, 0644}}), Failure);
    ASSERT_EQ(stat(at("file").c_str(), &status), 0);
    EXPECT_NE(status.st_mode & 0777, 0755U) << "what stands in a folder's place keeps its mode";
    EXPECT_FALSE(fs::exists(at("d/ok")));
}

using Users = InFolder;

TEST_F(Users, AreReadAsGlibcWouldAndNonsenseIsPassedOver) {
    write("etc/passwd",
          "root:x:0:0:root:/root:/bin/sh\n\n#comment\naziotks:x:101:102::/:/x\naziotks:x:9:9::/:/x\nbad:x:-1:0::/:\n"
          "huge:x:4294967295:0::/:\nshort:x:1\n:x:1:1::/:\nnoend:x:7:8::/:/x");
    write("etc/group", "root:x:0:\naziotks:x:102:a,b\nbroken\nneg:x:-2:\n");
    const UserTable users = read_users(Tree(folder_, Tree::Kind::offline));
    EXPECT_EQ(users.user("aziotks").uid, 101U);
    EXPECT_EQ(users.user("aziotks").gid, 102U);
    EXPECT_EQ(users.user("noend").gid, 8U);
    EXPECT_EQ(users.users.size(), 3U);
    EXPECT_EQ(users.groups.size(), 2U);
    EXPECT_EQ(users.group_name(102), "aziotks");
    EXPECT_EQ(users.user_name(55), "55");
    EXPECT_THROW((void)users.user("huge"), Failure);
    fs::remove(folder_ / "etc/group");
    EXPECT_EQ(read_users(Tree(folder_, Tree::Kind::offline)).group("aziotks"), 102U)
        << "passwd knows a user's own group";
    fs::remove(folder_ / "etc/passwd");
    EXPECT_THROW(read_users(Tree(folder_, Tree::Kind::offline)), Failure);
}

/// A Docker Engine that answers a ping, then one request with the given bytes, and then closes or holds the connection.
class FakeEngine {
public:
    FakeEngine(const std::string& path, std::string answer, bool hold)
        : acceptor_(context_, asio::local::stream_protocol::endpoint(path)),
          thread_([this, answer = std::move(answer), hold] {
              asio::local::stream_protocol::socket socket(context_);
              acceptor_.accept(socket);
              acceptor_.close();  // a client that tries again finds nobody, rather than silence
              asio::streambuf request;
              boost::system::error_code ignored;
              asio::read_until(socket, request, "\r\n\r\n", ignored);
              request.consume(request.size());
              asio::write(socket, asio::buffer(std::string("HTTP/1.1 200 OK\r\nApi-Version: 1.43\r\nContent-Length: 2\r\n\r\nOK")),
                          ignored);
              const std::size_t size = asio::read_until(socket, request, "\r\n\r\n", ignored);
              asked_.assign(asio::buffers_begin(request.data()),
                            asio::buffers_begin(request.data()) + static_cast<std::ptrdiff_t>(size));
              asio::write(socket, asio::buffer(answer), ignored);
              // Held until the client gives up and closes.
              if (hold) asio::read_until(socket, request, "never", ignored);
          }) {}
    ~FakeEngine() { finish(); }
    void finish() {
        if (thread_.joinable()) thread_.join();
    }
    std::string asked_;  ///< the request after the ping; read it after finish()

private:
    asio::io_context context_;
    asio::local::stream_protocol::acceptor acceptor_;
    std::thread thread_;
};

class Containers : public InFolder {
protected:
    Sight<std::vector<ContainerSeen>> ask(const std::string& answer, bool hold = false) {
        const std::string path = at("docker" + std::to_string(++number_) + ".sock");
        const FakeEngine engine(path, answer, hold);
        return Engine(path, hold ? 200ms : 10'000ms).list();
    }
    static std::string ok(const std::string& body) {
        return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }
    int number_ = 0;
};

TEST_F(Containers, AreListedAsTheEngineHasThem) {
    const auto seen = ask(ok(
        R"([{"Names":["/edgeAgent"],"Image":"i:1","State":"running","Status":"Up 5 minutes","Labels":{"a":"b"}},{"Names":[],"State":"exited"}])"));
    ASSERT_TRUE(seen.value) << seen.why;
    ASSERT_EQ(seen.value->size(), 2U);
    EXPECT_EQ(seen.value->front().name, "edgeAgent");
    EXPECT_EQ(seen.value->front().labels.at("a"), "b");
    EXPECT_EQ(ask("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n").value->size(), 0U);
}

TEST_F(Containers, EveryWrongAnswerIsAReason) {
    EXPECT_THAT(Engine(at("none.sock"), 1000ms).list().why, HasSubstr("No such file"));
    for (const auto& answer :
         {std::string(), std::string("garbage\r\n\r\n"), ok("{}"), ok("[1]"), ok("not json"), ok(std::string(10, '[')),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]"),
          std::string("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")}) {
        const auto seen = ask(answer);
        EXPECT_FALSE(seen.value) << answer;
        EXPECT_FALSE(seen.why.empty()) << answer;
    }
}

TEST_F(Containers, SilenceEndsAtTheDeadline) {
    EXPECT_THAT(ask("", true).why, HasSubstr("did not answer in time"));
    EXPECT_THAT(ask("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[", true).why, HasSubstr("did not answer in time"));
}

TEST_F(Containers, TheVersionSpokenIsTheOneThatWasChecked) {
    const std::string path = at("version.sock");
    std::string asked;
    {
        FakeEngine fake(path, ok("[]"), false);
        Engine(path, 10'000ms).list();
        fake.finish();
        asked = fake.asked_;
    }
    EXPECT_THAT(asked, HasSubstr("GET /v1.41/containers/json?all=1 ")) << "the engine has 1.43";
}

TEST_F(Containers, AreInspectedInDetail) {
    const std::string path = at("inspect.sock");
    const FakeEngine fake(path, ok(R"({"Id":"abc","Name":"/edgeHub","RestartCount":4,"Config":{"Image":"i","Env":["a=b",
        "StorageFolder=/data"],"Labels":{}},"State":{"Status":"exited","ExitCode":137,"OOMKilled":true,
        "StartedAt":"2026-06-01T12:00:00.5Z","Health":{"Status":"unhealthy"}},"Mounts":[{"Destination":"/data"}]})"), false);
    const auto seen = Engine(path, 10'000ms).inspect("edgeHub");
    ASSERT_TRUE(seen.value && *seen.value) << seen.why;
    const ContainerDetail& detail = *(*seen.value)->detail;
    EXPECT_EQ((*seen.value)->name, "edgeHub");
    EXPECT_EQ(detail.exit_code, 137);
    EXPECT_TRUE(detail.oom_killed);
    EXPECT_EQ(detail.restart_count, 4U);
    EXPECT_EQ(detail.health, "unhealthy");
    EXPECT_EQ(detail.storage_folder, "/data");
    EXPECT_THAT(detail.mounts, ElementsAre("/data"));
    EXPECT_EQ(detail.started, Stamp(std::chrono::sys_days(std::chrono::year(2026) / 6 / 1)) + 12h);
}

TEST(EngineLog, IsSplitIntoLinesWithAndWithoutHeaders) {
    const std::string framed = std::string("\1\0\0\0\0\0\0\6", 8) + "one\ntw" + std::string("\2\0\0\0\0\0\0\2", 8) + "o\n";
    EXPECT_THAT(split_log(framed), ElementsAre("one", "two"));
    EXPECT_THAT(split_log("plain\nlines\x1b[m\n"), ElementsAre("plain", "lines [m"));
    EXPECT_THAT(split_log(std::string("\1\0\0\0\xff\xff\xff\xff", 8) + "cut"), ElementsAre("cut")) << "a size that lies";
    EXPECT_THAT(split_log(""), ElementsAre());
}

TEST(Engine, AsksForNoNameThatIsNone) {
    EXPECT_FALSE(Engine("/nowhere", 10ms).inspect("../version").value);
    EXPECT_FALSE(Engine("/nowhere", 10ms).logs("a?b", 1).value);
}

TEST(UnitOutcome, TellsFailureFromSocketActivation) {
    const auto failed = [](const char* job, const char* active, const char* sub, const char* result) {
        return UnitOutcome{"u", job, active, sub, result, 0, 0}.failed();
    };
    EXPECT_FALSE(failed("done", "active", "running", "success"));
    EXPECT_FALSE(failed("", "inactive", "dead", "success"));
    EXPECT_FALSE(failed("done", "inactive", "dead", "success")) << "stopped, to be started on demand";
    EXPECT_TRUE(failed("failed", "active", "running", "success"));
    EXPECT_TRUE(failed("timeout", "activating", "start", "success"));
    EXPECT_TRUE(failed("dependency", "inactive", "dead", "success"));
    EXPECT_TRUE(failed("done", "activating", "auto-restart", "exit-code"));
    EXPECT_TRUE(failed("done", "failed", "failed", "exit-code"));
    EXPECT_FALSE(failed("done", "inactive", "dead", "exit-code")) << "it failed before this apply stopped it";
}

}  // namespace
}  // namespace eflow
