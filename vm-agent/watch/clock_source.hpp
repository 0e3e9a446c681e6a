#pragma once

#include <functional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "vm-agent/health/seen.hpp"

namespace eflow {

/// The wall clock in the loop: wakes at a time of day, and whenever the clock is set (timerfd_create(2),
/// TFD_TIMER_CANCEL_ON_SET), which a timer that counts seconds would sleep through.
class ClockSource {
public:
    /// Throws Failure(machine_lacks) when there is no timer to be had.
    ClockSource(boost::asio::io_context& loop, std::function<void(bool was_set)> woke);

    /// Wakes at `when`, and whenever the clock is set; the epoch means the latter alone. Replaces what was armed before.
    void arm(Stamp when);

private:
    void wait();

    std::function<void(bool)> woke_;
    boost::asio::posix::stream_descriptor descriptor_;
    bool waits_ = false;
};

}  // namespace eflow
