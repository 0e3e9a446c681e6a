#include "vm-agent/watch/clock_source.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/timerfd.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

#include "shared/failure.hpp"

namespace eflow {

ClockSource::ClockSource(boost::asio::io_context& loop, std::function<void(bool)> woke)
    : woke_(std::move(woke)), descriptor_(loop) {
    const int timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer < 0)
        throw Failure(ExitCode::machine_lacks, std::string("no timer to be had: timerfd: ") + std::strerror(errno));
    descriptor_.assign(timer);
}

void ClockSource::arm(Stamp when) {
    // A timer that is not armed does not tell of a clock that is set either: the far future stands for "never".
    constexpr std::chrono::seconds never{253'402'300'799};  // 9999-12-31
    const auto at = when == Stamp{} ? std::chrono::microseconds(never) : when.time_since_epoch();
    itimerspec spec{};
    spec.it_value.tv_sec = at.count() / 1'000'000;
    spec.it_value.tv_nsec = at.count() % 1'000'000 * 1000;
    const int armed =
        timerfd_settime(descriptor_.native_handle(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, nullptr);
    // The clock was set and nobody has been told of it yet: this is how it is told, once.
    if (armed < 0 && errno == ECANCELED) boost::asio::post(descriptor_.get_executor(), [this] { woke_(true); });
    if (!waits_) wait();
}

void ClockSource::wait() {
    waits_ = true;
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this](const boost::system::error_code& fault) {
                               if (fault) return;
                               waits_ = false;
                               std::uint64_t count = 0;
                               const bool fired = read(descriptor_.native_handle(), &count, sizeof count) > 0;
                               const bool was_set = !fired && errno == ECANCELED;
                               if (fired || was_set) woke_(was_set);
                               if (!waits_) wait();
                           });
}

}  // namespace eflow
