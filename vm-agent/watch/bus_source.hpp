#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "vm-agent/machine/bus.hpp"
#include "vm-agent/machine/units.hpp"

namespace eflow {

/// systemd in the loop: every unit that is watched is read once, then followed by systemd's own signals, whose contents
/// are taken as they are, so that no state is missed however short it was. Nothing here blocks. A bus that is lost, or a
/// systemd that is silent, is told of, and tried again until it is there.
class BusSource {
public:
    struct Handlers {
        /// Everything anew: after a connection, and when unit files have changed.
        std::function<void(std::vector<UnitSeen> units, UnitProxies proxies)> read;
        /// One interface of one unit has changed.
        std::function<void(const std::string& unit, const UnitChange& change)> changed;
        /// A job ended otherwise than well: "failed", "timeout", "dependency", "canceled".
        std::function<void(const std::string& unit, const std::string& result)> job_failed;
        std::function<void(const std::string& why)> lost;
    };

    BusSource(boost::asio::io_context& loop, std::string address, std::vector<std::string> units, Handlers handlers);
    ~BusSource();

    void start();
    /// Reads everything anew.
    void refresh();

private:
    void connect();
    void lose(const std::string& why);
    void drain();
    void wait();
    void finish_reading();
    static int on_properties(sd_bus_message* message, void* self, sd_bus_error* error);
    static int on_job(sd_bus_message* message, void* self, sd_bus_error* error);
    static int on_files(sd_bus_message* message, void* self, sd_bus_error* error);
    static int on_subscribed(sd_bus_message* message, void* self, sd_bus_error* error);

    std::string address_;
    std::vector<std::string> units_;
    Handlers handlers_;
    OwnedBus bus_;
    std::vector<OwnedSlot> slots_;
    std::unique_ptr<UnitReading> reading_;  ///< under way
    bool read_again_ = false;               ///< asked for while one was under way
    bool told_lost_ = false;
    bool waits_to_read_ = false;
    bool waits_to_write_ = false;
    boost::asio::posix::stream_descriptor descriptor_;
    boost::asio::steady_timer retry_;
    boost::asio::steady_timer patience_;
};

}  // namespace eflow
