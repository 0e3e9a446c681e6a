#pragma once

#include <stdlib.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/io.hpp>
#include <boost/process/pipe.hpp>

#include "vm-agent/machine/bus.hpp"
#include "vm-agent/machine/units.hpp"

namespace eflow::testing {

/// A dbus-daemon of the test's own.
class PrivateBus {
public:
    explicit PrivateBus(const std::filesystem::path& folder) {
        std::ofstream(folder / "bus.conf")
            << "<busconfig><listen>unix:path=" << (folder / "bus").string()
            << "</listen><auth>EXTERNAL</auth><policy context=\"default\">"
               "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>"
               "<allow own=\"*\"/></policy></busconfig>";
        boost::process::ipstream printed;
        daemon_ =
            boost::process::child("/usr/bin/dbus-daemon",
                      boost::process::args = {"--config-file=" + (folder / "bus.conf").string(), "--nofork", "--print-address=1"},
                      boost::process::std_out > printed);
        std::getline(printed, address);
        address = address.substr(0, address.find(','));
    }
    ~PrivateBus() {
        daemon_.terminate();
        daemon_.wait();
    }
    std::string address;

private:
    boost::process::child daemon_;
};

/// systemd as far as the agent knows it: Subscribe, LoadUnit, StopUnit, units with properties, and jobs that end as
/// planned. The fake `iotedge` calls Apply on it, which is when systemd's jobs would run.
class FakeSystemd {
public:
    struct Unit {
        std::string job = "done";
        std::string active = "active";
        std::string sub = "running";
        std::string result = "success";
        std::int32_t exit_status = 0;
        std::uint32_t restarts = 0;
        bool dies_after_job = false;  ///< only then, with a PropertiesChanged
    };

    FakeSystemd(const std::string& address, std::map<std::string, Unit> units)
        : units_(std::move(units)), bus_(open_bus(address)) {
        static const sd_bus_vtable manager[] = {
            SD_BUS_VTABLE_START(0),
            SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
            SD_BUS_METHOD("LoadUnit", "s", "o", on_load, SD_BUS_VTABLE_UNPRIVILEGED),
            SD_BUS_METHOD("StopUnit", "ss", "o", on_stop, SD_BUS_VTABLE_UNPRIVILEGED),
            SD_BUS_METHOD("Apply", "", "", on_apply, SD_BUS_VTABLE_UNPRIVILEGED),
            SD_BUS_VTABLE_END};
        static const sd_bus_vtable unit[] = {
            SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("LoadState", "s", get_text, 0, 0),
            SD_BUS_PROPERTY("ActiveState", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
            SD_BUS_PROPERTY("SubState", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE), SD_BUS_VTABLE_END};
        static const sd_bus_vtable service[] = {SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("Result", "s", get_text, 0, 0),
                                                SD_BUS_PROPERTY("NRestarts", "u", get_restarts, 0, 0),
                                                SD_BUS_PROPERTY("ExecMainStatus", "i", get_status, 0, 0),
                                                SD_BUS_VTABLE_END};
        EXPECT_GE(sd_bus_add_object_vtable(bus_.get(), nullptr, systemd1::path, systemd1::manager, manager, this), 0);
        for (const auto& [name, planned] : units_) {
            EXPECT_GE(sd_bus_add_object_vtable(bus_.get(), nullptr, path_of(name).c_str(), systemd1::unit, unit, this),
                      0);
            EXPECT_GE(sd_bus_add_object_vtable(bus_.get(), nullptr, path_of(name).c_str(), systemd1::unit_service,
                                               service, this),
                      0);
        }
        EXPECT_GE(sd_bus_request_name(bus_.get(), systemd1::service, 0), 0);
        thread_ = std::thread([this] {
            while (!ended_) {
                while (sd_bus_process(bus_.get(), nullptr) > 0) {
                }
                sd_bus_wait(bus_.get(), 20'000);
            }
        });
    }
    ~FakeSystemd() {
        ended_ = true;
        thread_.join();
    }

    std::atomic<int> subscribed{0};
    std::atomic<int> stopped{0};
    /// Called before a property of text is answered, in systemd's own thread.
    std::function<void(const std::string& unit, const std::string& property)> asked;

    /// A unit's new state, with a PropertiesChanged; from `asked` alone.
    void change(const std::string& name, const std::string& active, const std::string& sub) {
        units_.at(name).active = active;
        units_.at(name).sub = sub;
        EXPECT_GE(sd_bus_emit_properties_changed(bus_.get(), path_of(name).c_str(), systemd1::unit, "ActiveState",
                                                 "SubState", nullptr),
                  0);
    }

private:
    static FakeSystemd& of(void* self) { return *static_cast<FakeSystemd*>(self); }
    static std::string path_of(const std::string& name) { return unit_object(name); }
    Unit& at(const char* path) {
        for (auto& [name, unit] : units_)
            if (path_of(name) == path) return unit;
        throw std::runtime_error("no such unit");
    }

    static int on_subscribe(sd_bus_message* message, void* self, sd_bus_error*) {
        ++of(self).subscribed;
        return sd_bus_reply_method_return(message, "");
    }
    static int on_load(sd_bus_message* message, void* self, sd_bus_error* error) {
        const char* name = nullptr;
        sd_bus_message_read(message, "s", &name);
        if (of(self).units_.count(name) == 0)
            return sd_bus_error_set(error, "org.freedesktop.systemd1.NoSuchUnit", "no such unit");
        return sd_bus_reply_method_return(message, "o", path_of(name).c_str());
    }
    static int on_stop(sd_bus_message* message, void* self, sd_bus_error*) {
        const char* name = nullptr;
        sd_bus_message_read(message, "s", &name);
        ++of(self).stopped;
        of(self).job(name, "done");
        return sd_bus_reply_method_return(message, "o", "/job");
    }
    static int on_apply(sd_bus_message* message, void* self, sd_bus_error*) {
        for (auto& [name, unit] : of(self).units_) {
            of(self).job(name, "done");    // its stop
            of(self).job(name, unit.job);  // its start
        }
        for (auto& [name, unit] : of(self).units_) {
            if (!unit.dies_after_job) continue;
            unit.active = "activating";
            unit.sub = "auto-restart";
            unit.result = "exit-code";
            unit.exit_status = 1;
            unit.restarts = 1;
            sd_bus_emit_properties_changed(of(self).bus_.get(), path_of(name).c_str(), systemd1::unit, "ActiveState",
                                           "SubState", nullptr);
        }
        return sd_bus_reply_method_return(message, "");
    }
    void job(const std::string& name, const std::string& result) {
        ++last_job_;
        sd_bus_emit_signal(bus_.get(), systemd1::path, systemd1::manager, "JobNew", "uos", last_job_, "/job",
                           name.c_str());
        sd_bus_emit_signal(bus_.get(), systemd1::path, systemd1::manager, "JobRemoved", "uoss", last_job_, "/job",
                           name.c_str(), result.c_str());
    }
    static int get_text(sd_bus*, const char* path, const char*, const char* property, sd_bus_message* reply, void* self,
                        sd_bus_error*) {
        const std::string name = property;
        if (of(self).asked) of(self).asked(unit_of_object(path), name);
        const Unit& unit = of(self).at(path);
        const std::string value = name == "ActiveState" ? unit.active
                                  : name == "SubState"  ? unit.sub
                                  : name == "Result"    ? unit.result
                                                        : "loaded";
        return sd_bus_message_append(reply, "s", value.c_str());
    }
    static int get_restarts(sd_bus*, const char* path, const char*, const char*, sd_bus_message* reply, void* self,
                            sd_bus_error*) {
        return sd_bus_message_append(reply, "u", of(self).at(path).restarts);
    }
    static int get_status(sd_bus*, const char* path, const char*, const char*, sd_bus_message* reply, void* self,
                          sd_bus_error*) {
        return sd_bus_message_append(reply, "i", of(self).at(path).exit_status);
    }

    std::map<std::string, Unit> units_;
    OwnedBus bus_;
    std::thread thread_;
    std::atomic<bool> ended_{false};
    std::uint32_t last_job_ = 0;
};

/// A bus of the test's own, and a systemd on it once the test makes one.
class WithBus : public ::testing::Test {
protected:
    WithBus() {
        std::string pattern = "/tmp/eflow-bus-XXXXXX";
        folder_ = mkdtemp(pattern.data());
        bus_.emplace(folder_);
    }
    ~WithBus() override {
        systemd_.reset();
        bus_.reset();
        std::filesystem::remove_all(folder_);
    }

    std::filesystem::path folder_;
    std::optional<PrivateBus> bus_;
    std::optional<FakeSystemd> systemd_;
};

}  // namespace eflow::testing
