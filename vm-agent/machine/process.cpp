#include "vm-agent/machine/process.hpp"

#include <algorithm>
#include <array>

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/process/args.hpp>
#include <boost/process/async_pipe.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/group.hpp>
#include <boost/process/io.hpp>

#include "shared/failure.hpp"

namespace eflow {

namespace {

namespace bp = boost::process;
namespace asio = boost::asio;

constexpr std::chrono::seconds grace{2};

/// Reads a pipe to its end, keeping the first bytes and dropping the rest, so that the program never blocks on us.
class Capture {
public:
    Capture(asio::io_context& context, std::size_t limit) : pipe_(context), limit_(limit) {}

    bp::async_pipe& pipe() { return pipe_; }

    template <class Done>
    void read(Done done) {
        pipe_.async_read_some(asio::buffer(chunk_),
                              [this, done](const boost::system::error_code& error, std::size_t size) {
                                  text_.append(chunk_.data(), std::min(size, limit_ - std::min(limit_, text_.size())));
                                  if (error)
                                      done();
                                  else
                                      read(done);
                              });
    }

    void close() {
        boost::system::error_code ignored;
        pipe_.close(ignored);
    }

    std::string take() { return std::move(text_); }

private:
    bp::async_pipe pipe_;
    std::size_t limit_;
    std::array<char, 4096> chunk_{};
    std::string text_;
};

/// In the child, before exec. Boost.Process leaves its own pipe ends open there, and whoever started us may have left
/// more.
void keep_descriptors_to_ourselves() {
    constexpr unsigned close_on_exec = 1U << 2;  // CLOSE_RANGE_CLOEXEC
    if (syscall(SYS_close_range, 3U, ~0U, close_on_exec) == 0) return;
    // Before Linux 5.11. Only async-signal-safe calls are allowed between fork and exec.
    for (int descriptor = 3; descriptor < 1024; ++descriptor) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& argv, std::chrono::milliseconds timeout,
                          std::size_t output_limit, const std::function<void(std::chrono::seconds)>& tick) {
    if (std::any_of(argv.begin(), argv.end(), [](const std::string& one) { return one.empty(); }))
        throw Failure(ExitCode::internal, "an empty argument cannot be passed to " + argv.front());
    asio::io_context context;
    Capture capture(context, output_limit);
    asio::steady_timer timer(context);
    bp::group group;
    bp::environment environment;
    environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
    environment["LANG"] = "C.UTF-8";

    std::error_code error;
    bp::child child(
        bp::exe = argv.front(), bp::args = std::vector<std::string>(argv.begin() + 1, argv.end()), environment,
        bp::std_in<bp::null, (bp::std_out & bp::std_err)> capture.pipe(), group,
        bp::extend::on_exec_setup = [](auto&) { keep_descriptors_to_ourselves(); }, error);
    if (error)
        throw Failure(ExitCode::machine_lacks, "cannot start " + argv.front() + ": " + error.message(),
                      "Check that it is installed and executable.");

    ProcessResult result;
    asio::steady_timer ticker(context);
    std::chrono::seconds run{0};
    std::function<void()> ticks = [&] {
        ticker.expires_after(std::chrono::seconds(1));
        ticker.async_wait([&](const boost::system::error_code& cancelled) {
            if (cancelled || result.timed_out) return;
            tick(++run);
            ticks();
        });
    };
    if (tick) ticks();
    capture.read([&] {
        timer.cancel();
        ticker.cancel();
    });
    timer.expires_after(timeout);
    timer.async_wait([&](const boost::system::error_code& cancelled) {
        if (cancelled) return;
        result.timed_out = true;
        kill(-group.native_handle(), SIGTERM);
        timer.expires_after(grace);
        timer.async_wait([&](const boost::system::error_code& ended) {
            if (ended) return;
            kill(-group.native_handle(), SIGKILL);
            // Something outside the group may hold the pipe; nothing more is waited for.
            capture.close();
        });
    });
    context.run();
    std::error_code ignored;
    if (result.timed_out) kill(-group.native_handle(), SIGKILL);
    child.wait(ignored);
    result.exit_code = child.exit_code();
    const int status = child.native_exit_code();
    if (WIFSIGNALED(status)) result.exit_code = 128 + WTERMSIG(status);
    result.output = capture.take();
    return result;
}

}  // namespace eflow
