#include "vm-agent/machine/bus.hpp"

#include <cstring>

#include "shared/failure.hpp"

namespace eflow {

namespace {

constexpr std::uint64_t call_timeout_us = 10'000'000;

[[noreturn]] void unreachable(int result) {
    throw Failure(ExitCode::machine_lacks,
                  std::string("systemd cannot be reached over the system bus: ") + std::strerror(-result),
                  "Check that this machine runs systemd and dbus: systemctl status dbus");
}

}  // namespace

OwnedBus open_bus(const std::string& address) {
    sd_bus* bus = nullptr;
    int result = 0;
    if (address.empty()) {
        result = sd_bus_open_system(&bus);
    } else {
        result = sd_bus_new(&bus);
        if (result >= 0) result = sd_bus_set_address(bus, address.c_str());
        if (result >= 0) result = sd_bus_set_bus_client(bus, 1);
        if (result >= 0) result = sd_bus_start(bus);
    }
    OwnedBus owned(bus);
    if (result < 0) unreachable(result);
    sd_bus_set_method_call_timeout(bus, call_timeout_us);
    return owned;
}

}  // namespace eflow
