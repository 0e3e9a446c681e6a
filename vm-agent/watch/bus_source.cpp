#include "vm-agent/watch/bus_source.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>

#include "shared/failure.hpp"

namespace eflow {

namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds retry_after{250};
constexpr std::chrono::seconds answer_within{5};

}  // namespace

BusSource::BusSource(asio::io_context& loop, std::string address, std::vector<std::string> units, Handlers handlers)
    : address_(std::move(address)),
      units_(std::move(units)),
      handlers_(std::move(handlers)),
      descriptor_(loop),
      retry_(loop),
      patience_(loop) {}

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
        const auto match = [&](const char* path, const char* interface, const char* member,
                               sd_bus_message_handler_t handler) {
            sd_bus_slot* slot = nullptr;
            const int result = sd_bus_match_signal_async(bus_.get(), &slot, systemd1::service, path, interface, member,
                                                         handler, nullptr, this);
            if (result < 0) throw Failure(ExitCode::machine_lacks, std::strerror(-result));
            slots_.emplace_back(slot);
        };
        match(nullptr, "org.freedesktop.DBus.Properties", "PropertiesChanged", &BusSource::on_properties);
        match(systemd1::path, systemd1::manager, "JobRemoved", &BusSource::on_job);
        match(systemd1::path, systemd1::manager, "UnitFilesChanged", &BusSource::on_files);
        match(systemd1::path, systemd1::manager, "Reloading", &BusSource::on_files);
        // Without a subscription systemd sends a client no signals at all.
        sd_bus_slot* slot = nullptr;
        const int result = sd_bus_call_method_async(bus_.get(), &slot, systemd1::service, systemd1::path,
                                                    systemd1::manager, "Subscribe", &BusSource::on_subscribed, this, "");
        if (result < 0) throw Failure(ExitCode::machine_lacks, std::strerror(-result));
        slots_.emplace_back(slot);
        descriptor_.assign(sd_bus_get_fd(bus_.get()));
    } catch (const Failure& failure) {
        lose(failure.what());
        return;
    }
    patience_.expires_after(answer_within);
    patience_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) lose("systemd does not answer on the bus");
    });
    drain();
    wait();
}

void BusSource::lose(const std::string& why) {
    if (descriptor_.is_open()) descriptor_.release();
    patience_.cancel();
    reading_.reset();
    slots_.clear();
    bus_.reset();
    waits_to_read_ = waits_to_write_ = read_again_ = false;
    if (!told_lost_) handlers_.lost(why);
    told_lost_ = true;
    retry_.expires_after(retry_after);
    retry_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) connect();
    });
}

void BusSource::refresh() {
    if (!bus_) return;
    if (reading_) {
        read_again_ = true;
        return;
    }
    try {
        reading_ = std::make_unique<UnitReading>(bus_.get(), units_);
    } catch (const Failure& failure) {
        return lose(failure.what());
    }
    patience_.expires_after(answer_within);
    patience_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) lose("systemd does not answer on the bus");
    });
}

void BusSource::drain() {
    while (bus_) {
        const int handled = sd_bus_process(bus_.get(), nullptr);
        if (handled < 0) return lose(std::strerror(-handled));
        if (reading_ && reading_->done()) finish_reading();
        if (handled == 0) return;
    }
}

void BusSource::finish_reading() {
    patience_.cancel();
    const auto reading = std::exchange(reading_, nullptr);
    told_lost_ = false;
    handlers_.read(reading->units(), reading->proxies());
    if (std::exchange(read_again_, false)) refresh();
}

/// sd-bus says what it waits for: at first to be let in, then to be told something, or to get rid of what is queued.
void BusSource::wait() {
    if (!bus_) return;
    const int events = sd_bus_get_events(bus_.get());
    const auto ready = [this](bool& flag) {
        return [this, &flag, bus = bus_.get()](const boost::system::error_code& fault) {
            if (fault == asio::error::operation_aborted || bus_.get() != bus) return;
            flag = false;
            drain();
            wait();
        };
    };
    if (events >= 0 && (events & POLLOUT) != 0 && !waits_to_write_) {
        waits_to_write_ = true;
        descriptor_.async_wait(asio::posix::stream_descriptor::wait_write, ready(waits_to_write_));
    }
    if (!waits_to_read_) {
        waits_to_read_ = true;
        descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, ready(waits_to_read_));
    }
}

int BusSource::on_subscribed(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* source = static_cast<BusSource*>(self);
    if (sd_bus_message_is_method_error(message, nullptr) != 0) return -EACCES;
    source->refresh();
    return 0;
}

int BusSource::on_properties(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* source = static_cast<BusSource*>(self);
    const std::string unit = unit_of_object(sd_bus_message_get_path(message));
    if (unit.empty()) return 0;
    if (const auto change = read_unit_change(message)) {
        if (source->reading_) source->reading_->take(unit, *change);
        source->handlers_.changed(unit, *change);
    }
    return 0;
}

int BusSource::on_job(sd_bus_message* message, void* self, sd_bus_error*) {
    std::uint32_t id = 0;
    const char* job = nullptr;
    const char* unit = nullptr;
    const char* result = nullptr;
    if (sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) < 0) return 0;
    if (std::strcmp(result, "done") != 0 && std::strcmp(result, "skipped") != 0)
        static_cast<BusSource*>(self)->handlers_.job_failed(unit, result);
    return 0;
}

int BusSource::on_files(sd_bus_message*, void* self, sd_bus_error*) {
    static_cast<BusSource*>(self)->refresh();
    return 0;
}

}  // namespace eflow
