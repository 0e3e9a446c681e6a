#include "vm-agent/watch/bus_source.hpp"

#include <cstring>
#include <utility>

#include <poll.h>

#include "shared/failure.hpp"
#include "vm-agent/machine/units.hpp"

namespace eflow {

namespace {

constexpr std::chrono::milliseconds retry_after{250};

}  // namespace

BusSource::BusSource(boost::asio::io_context& loop, std::string address, Handlers handlers)
    : loop_(loop), address_(std::move(address)), handlers_(std::move(handlers)), descriptor_(loop), retry_(loop) {}

BusSource::~BusSource() {
    // The descriptor is the bus's own.
    if (descriptor_.is_open()) descriptor_.release();
}

void BusSource::start() {
    connect();
}

void BusSource::connect() {
    try {
        bus_ = open_bus(address_);
        std::string why;
        // Without a subscription systemd sends a client no signals at all.
        if (!call_manager(bus_.get(), "Subscribe", why, "")) throw Failure(ExitCode::machine_lacks, why);
        const auto match = [&](const char* path, const char* interface, const char* member,
                               sd_bus_message_handler_t handler) {
            sd_bus_slot* slot = nullptr;
            const int result =
                sd_bus_match_signal(bus_.get(), &slot, systemd1::service, path, interface, member, handler, this);
            if (result < 0) throw Failure(ExitCode::machine_lacks, std::strerror(-result));
            slots_.emplace_back(slot);
        };
        match(nullptr, "org.freedesktop.DBus.Properties", "PropertiesChanged", &BusSource::on_properties);
        match(systemd1::path, systemd1::manager, "JobRemoved", &BusSource::on_job);
        match(systemd1::path, systemd1::manager, "UnitFilesChanged", &BusSource::on_files);
        match(systemd1::path, systemd1::manager, "Reloading", &BusSource::on_files);
        descriptor_.assign(sd_bus_get_fd(bus_.get()));
    } catch (const Failure& failure) {
        lose(failure.what());
        return;
    }
    handlers_.connection(true, "");
    drain();
    wait();
}

void BusSource::lose(const std::string& why) {
    if (descriptor_.is_open()) descriptor_.release();
    slots_.clear();
    const bool had = bus_ != nullptr;
    bus_.reset();
    if (had) handlers_.connection(false, why);
    retry_.expires_after(retry_after);
    retry_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) connect();
    });
}

void BusSource::drain() {
    while (bus_) {
        const int handled = sd_bus_process(bus_.get(), nullptr);
        if (handled == 0) return;
        if (handled < 0) return lose(std::strerror(-handled));
    }
}

void BusSource::wait() {
    if (!bus_) return;
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& fault) {
        if (fault == boost::asio::error::operation_aborted || !bus_) return;
        drain();
        wait();
    });
}

int BusSource::on_properties(sd_bus_message* message, void* self, sd_bus_error*) {
    const std::string unit = unit_of_object(sd_bus_message_get_path(message));
    if (!unit.empty()) static_cast<BusSource*>(self)->handlers_.unit_changed(unit);
    return 0;
}

int BusSource::on_job(sd_bus_message* message, void* self, sd_bus_error*) {
    std::uint32_t id = 0;
    const char* job = nullptr;
    const char* unit = nullptr;
    if (sd_bus_message_read(message, "uos", &id, &job, &unit) >= 0)
        static_cast<BusSource*>(self)->handlers_.unit_changed(unit);
    return 0;
}

int BusSource::on_files(sd_bus_message*, void* self, sd_bus_error*) {
    static_cast<BusSource*>(self)->handlers_.unit_changed("");
    return 0;
}

}  // namespace eflow
