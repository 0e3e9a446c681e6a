#include "vm-agent/machine/units.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>

#include "shared/failure.hpp"
#include "vm-agent/machine/bus.hpp"

namespace eflow {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto unit_prefix = "/org/freedesktop/systemd1/unit";
constexpr std::chrono::seconds patience{5};

[[noreturn]] void silent(const std::string& why) {
    throw Failure(ExitCode::machine_lacks, "systemd does not answer: " + why, "systemctl status shows whether it does.");
}

/// Calls that are under way together: thirty properties cost one round trip, not thirty.
class Batch {
public:
    explicit Batch(sd_bus* bus) : bus_(bus) {}

    /// Reads a property of an object; `read` gets the variant's content, and nothing is read when there is none.
    void property(const std::string& object, const char* interface, const char* name,
                  std::function<void(sd_bus_message*)> read) {
        calls_.push_back({this, std::move(read)});
        sd_bus_slot* slot = nullptr;
        const int result = sd_bus_call_method_async(
            bus_, &slot, systemd1::service, object.c_str(), "org.freedesktop.DBus.Properties", "Get",
            [](sd_bus_message* reply, void* data, sd_bus_error*) {
                auto* call = static_cast<Call*>(data);
                --call->batch->pending_;
                if (sd_bus_message_is_method_error(reply, nullptr) == 0) call->read(reply);
                return 0;
            },
            &calls_.back(), "ss", interface, name);
        if (result < 0) silent(std::strerror(-result));
        slots_.emplace_back(slot);
        ++pending_;
    }

    [[nodiscard]] bool done() const { return pending_ == 0; }

private:
    struct Call {
        Batch* batch;
        std::function<void(sd_bus_message*)> read;
    };
    sd_bus* bus_;
    std::deque<Call> calls_;
    std::vector<OwnedSlot> slots_;
    int pending_ = 0;
};

/// Reads a variant of one basic type.
template <class T>
std::function<void(sd_bus_message*)> into(T& target, const char* type) {
    return [&target, type](sd_bus_message* reply) {
        if constexpr (std::is_same_v<T, std::string>) {
            const char* text = nullptr;
            if (sd_bus_message_read(reply, "v", type, &text) >= 0 && text != nullptr) target = text;
        } else {
            T value{};
            if (sd_bus_message_read(reply, "v", type, &value) >= 0) target = value;
        }
    };
}

bool is_proxy(std::string_view variable) {
    constexpr std::string_view ending = "_proxy";
    if (variable.size() < ending.size()) return false;
    const auto tail = variable.substr(variable.size() - ending.size());
    return std::equal(tail.begin(), tail.end(), ending.begin(), [](char a, char b) { return (a | 0x20) == (b | 0x20); });
}

/// The services that go through a proxy to the cloud (IoT Edge's documentation of proxies names these three).
bool takes_a_proxy(std::string_view unit) {
    return unit == "aziot-edged.service" || unit == "aziot-identityd.service" || unit == docker_service;
}

}  // namespace

std::string unit_object(const std::string& unit) {
    char* path = nullptr;
    if (sd_bus_path_encode(unit_prefix, unit.c_str(), &path) < 0) return {};
    const std::string object = path;
    std::free(path);
    return object;
}

std::string unit_of_object(const char* path) {
    char* name = nullptr;
    if (sd_bus_path_decode(path, unit_prefix, &name) <= 0) return {};
    const std::string unit = name;
    std::free(name);
    return unit;
}

struct UnitReading::State {
    explicit State(sd_bus* bus) : batch(bus) {}

    void read_proxies(const std::string& unit) {
        auto& variables = proxies[unit];
        batch.property(unit_object(unit), systemd1::unit_service, "Environment", [&variables](sd_bus_message* reply) {
            if (sd_bus_message_enter_container(reply, 'v', "as") < 0 ||
                sd_bus_message_enter_container(reply, 'a', "s") < 0)
                return;
            const char* text = nullptr;
            while (sd_bus_message_read(reply, "s", &text) > 0) {
                const std::string_view variable = text;
                const auto equals = variable.find('=');
                if (equals != std::string_view::npos && is_proxy(variable.substr(0, equals)))
                    variables.emplace(variable.substr(0, equals), variable.substr(equals + 1));
            }
        });
    }

    std::vector<UnitSeen> units;
    std::vector<std::uint64_t> stamps;
    UnitProxies proxies;
    Batch batch;
};

UnitReading::UnitReading(sd_bus* bus, const std::vector<std::string>& units) : state_(std::make_unique<State>(bus)) {
    state_->units.resize(units.size());
    state_->stamps.resize(units.size());
    Batch& batch = state_->batch;
    for (std::size_t i = 0; i < units.size(); ++i) {
        UnitSeen& one = state_->units[i];
        one.name = units[i];
        const std::string object = unit_object(one.name);
        batch.property(object, systemd1::unit, "LoadState", into(one.load, "s"));
        batch.property(object, systemd1::unit, "ActiveState", into(one.active, "s"));
        batch.property(object, systemd1::unit, "SubState", into(one.sub, "s"));
        batch.property(object, systemd1::unit, "StateChangeTimestamp", into(state_->stamps[i], "t"));
        if (!one.name.ends_with(".service")) continue;
        batch.property(object, systemd1::unit_service, "Result", into(one.result, "s"));
        batch.property(object, systemd1::unit_service, "NRestarts", into(one.restarts, "u"));
        batch.property(object, systemd1::unit_service, "ExecMainCode", into(one.exit_code, "i"));
        batch.property(object, systemd1::unit_service, "ExecMainStatus", into(one.exit_status, "i"));
        if (takes_a_proxy(one.name)) state_->read_proxies(one.name);
    }
}

UnitReading::~UnitReading() = default;

bool UnitReading::done() const {
    return state_->batch.done();
}

void UnitReading::take(const std::string& unit, const UnitChange& change) {
    for (std::size_t i = 0; i < state_->units.size(); ++i) {
        if (state_->units[i].name != unit) continue;
        change.apply_to(state_->units[i]);
        if (change.changed) state_->stamps[i] = *change.changed;
    }
}

std::vector<UnitSeen> UnitReading::units() const {
    std::vector<UnitSeen> seen = state_->units;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        seen[i].changed = Stamp(std::chrono::microseconds(state_->stamps[i]));
        if (seen[i].load.empty()) seen[i].load = "not-found";
    }
    return seen;
}

UnitProxies UnitReading::proxies() const {
    return state_->proxies;
}

UnitsRead observe_units(sd_bus* bus, const std::vector<std::string>& units) {
    const UnitReading reading(bus, units);
    const auto deadline = Clock::now() + patience;
    while (!reading.done()) {
        const int handled = sd_bus_process(bus, nullptr);
        if (handled < 0) silent(std::strerror(-handled));
        if (handled > 0) continue;
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now());
        if (left.count() <= 0) silent("no answer in five seconds");
        const int waited = sd_bus_wait(bus, static_cast<std::uint64_t>(left.count()));
        if (waited < 0 && waited != -EINTR) silent(std::strerror(-waited));
    }
    return {reading.units(), reading.proxies()};
}

void UnitChange::apply_to(UnitSeen& unit) const {
    if (active) unit.active = *active;
    if (sub) unit.sub = *sub;
    if (result) unit.result = *result;
    if (changed) unit.changed = Stamp(std::chrono::microseconds(*changed));
    if (restarts) unit.restarts = *restarts;
    if (exit_code) unit.exit_code = *exit_code;
    if (exit_status) unit.exit_status = *exit_status;
}

std::optional<UnitChange> read_unit_change(sd_bus_message* message) {
    const char* interface = nullptr;
    if (sd_bus_message_read(message, "s", &interface) < 0) return std::nullopt;
    const std::string_view named = interface;
    if (named != systemd1::unit && named != systemd1::unit_service) return std::nullopt;
    if (sd_bus_message_enter_container(message, 'a', "{sv}") < 0) return std::nullopt;
    UnitChange change;
    bool any = false;
    const auto take = [&](auto& field, const char* type) {
        typename std::remove_reference_t<decltype(field)>::value_type value{};
        into(value, type)(message);
        field = std::move(value);
        any = true;
    };
    while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
        const char* name = nullptr;
        if (sd_bus_message_read(message, "s", &name) < 0) return std::nullopt;
        const std::string_view property = name;
        if (property == "ActiveState")
            take(change.active, "s");
        else if (property == "SubState")
            take(change.sub, "s");
        else if (property == "Result")
            take(change.result, "s");
        else if (property == "StateChangeTimestamp")
            take(change.changed, "t");
        else if (property == "NRestarts")
            take(change.restarts, "u");
        else if (property == "ExecMainCode")
            take(change.exit_code, "i");
        else if (property == "ExecMainStatus")
            take(change.exit_status, "i");
        else if (sd_bus_message_skip(message, "v") < 0)
            return std::nullopt;
        if (sd_bus_message_exit_container(message) < 0) return std::nullopt;
    }
    if (!any) return std::nullopt;
    return change;
}

}  // namespace eflow
