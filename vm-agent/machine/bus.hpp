#pragma once

#include <memory>
#include <string>

#include <systemd/sd-bus.h>

namespace eflow {

struct CloseBus {
    void operator()(sd_bus* bus) const noexcept { sd_bus_flush_close_unref(bus); }
};
struct UnrefMessage {
    void operator()(sd_bus_message* message) const noexcept { sd_bus_message_unref(message); }
};
struct UnrefSlot {
    void operator()(sd_bus_slot* slot) const noexcept { sd_bus_slot_unref(slot); }
};
using OwnedBus = std::unique_ptr<sd_bus, CloseBus>;
using OwnedMessage = std::unique_ptr<sd_bus_message, UnrefMessage>;
using OwnedSlot = std::unique_ptr<sd_bus_slot, UnrefSlot>;

/// The system bus, or the one at `address` when that is not empty. Throws Failure(machine_lacks).
OwnedBus open_bus(const std::string& address);

/// A call of org.freedesktop.systemd1.Manager; `types` and what follows as for sd_bus_call_method. Nothing when systemd
/// answers with an error, whose text goes to `why`.
template <class... Arguments>
OwnedMessage call_manager(sd_bus* bus, const char* member, std::string& why, const char* types, Arguments... arguments);

namespace systemd1 {
inline constexpr const char* service = "org.freedesktop.systemd1";
inline constexpr const char* path = "/org/freedesktop/systemd1";
inline constexpr const char* manager = "org.freedesktop.systemd1.Manager";
inline constexpr const char* unit = "org.freedesktop.systemd1.Unit";
inline constexpr const char* unit_service = "org.freedesktop.systemd1.Service";
}  // namespace systemd1

template <class... Arguments>
OwnedMessage call_manager(sd_bus* bus, const char* member, std::string& why, const char* types,
                          Arguments... arguments) {
    sd_bus_error error{};
    sd_bus_message* reply = nullptr;
    const int result = sd_bus_call_method(bus, systemd1::service, systemd1::path, systemd1::manager, member, &error,
                                          &reply, types, arguments...);
    if (result < 0) why = std::string(member) + ": " + (error.message != nullptr ? error.message : "no answer");
    sd_bus_error_free(&error);
    return OwnedMessage(result < 0 ? nullptr : reply);
}

}  // namespace eflow
