#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "vm-agent/machine/bus.hpp"

namespace eflow {

/// systemd's signals in the loop: units that change, jobs that end, unit files that come and go. A bus that is lost is told
/// of, and tried again until it is there.
class BusSource {
public:
    struct Handlers {
        std::function<void(const std::string& unit)> unit_changed;  ///< "" for "anything may have"
        std::function<void(bool there, const std::string& why)> connection;
    };

    BusSource(boost::asio::io_context& loop, std::string address, Handlers handlers);
    ~BusSource();

    void start();
    /// nullptr while there is no bus.
    [[nodiscard]] sd_bus* bus() const noexcept { return bus_.get(); }
    /// Handles what has arrived without a wake-up of the descriptor: after calls of one's own on the bus.
    void drain();

private:
    void connect();
    void lose(const std::string& why);
    void wait();
    static int on_properties(sd_bus_message* message, void* self, sd_bus_error* error);
    static int on_job(sd_bus_message* message, void* self, sd_bus_error* error);
    static int on_files(sd_bus_message* message, void* self, sd_bus_error* error);

    boost::asio::io_context& loop_;
    std::string address_;
    Handlers handlers_;
    OwnedBus bus_;
    std::vector<OwnedSlot> slots_;
    boost::asio::posix::stream_descriptor descriptor_;
    boost::asio::steady_timer retry_;
};

}  // namespace eflow
