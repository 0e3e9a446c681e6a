#include "vm-agent/machine/bus.hpp"

#include <cstdlib>
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

std::string unit_path(sd_bus* bus, const std::string& unit, std::string& why) {
    const OwnedMessage reply = call_manager(bus, "LoadUnit", why, "s", unit.c_str());
    const char* path = nullptr;
    if (!reply || sd_bus_message_read(reply.get(), "o", &path) < 0) return {};
    return path;
}

std::string text_property(sd_bus* bus, const std::string& path, const char* interface, const char* name) {
    sd_bus_error error{};
    char* text = nullptr;
    const int result = sd_bus_get_property_string(bus, systemd1::service, path.c_str(), interface, name, &error, &text);
    sd_bus_error_free(&error);
    std::string value = result >= 0 && text != nullptr ? text : "";
    std::free(text);
    return value;
}

unsigned number_property(sd_bus* bus, const std::string& path, const char* interface, const char* name, char type) {
    sd_bus_error error{};
    std::uint32_t number = 0;
    const int result =
        sd_bus_get_property_trivial(bus, systemd1::service, path.c_str(), interface, name, &error, type, &number);
    sd_bus_error_free(&error);
    return result >= 0 ? number : 0;
}

}  // namespace eflow
