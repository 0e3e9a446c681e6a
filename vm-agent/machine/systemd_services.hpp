#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "vm-agent/machine/services.hpp"

namespace eflow {

/// The aziot services through systemd. `iotedge config apply` exits 0 although a restart failed, so the units' own jobs
/// (JobRemoved) and states decide. The services are Type=simple with Restart=on-failure: one that dies right after its
/// start shows only then, so their PropertiesChanged are followed for `settle` after the last job.
class SystemdServices final : public Services {
public:
    struct Options {
        std::string bus_address;  ///< empty: the system bus
        std::string iotedge = "/usr/bin/iotedge";
        std::chrono::milliseconds settle{3000};
        std::function<void(const std::string&)> progress = {};  ///< told now and then how far an apply has come
    };

    SystemdServices() = default;
    explicit SystemdServices(Options options) : options_(std::move(options)) {}

    [[nodiscard]] bool can_apply() const override;
    ApplyOutcome apply(std::chrono::seconds timeout) override;
    void stop() override;

private:
    Options options_;
};

}  // namespace eflow
