#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/finding.hpp"
#include "vm-agent/config/device_info.hpp"
#include "vm-agent/health/seen.hpp"
#include "vm-agent/identity/certificate.hpp"
#include "vm-agent/placement/rendered.hpp"

namespace eflow {

/// What was seen, or why it could not be seen. A check on something unseen is skipped with that reason.
template <class T>
struct Sight {
    std::optional<T> value;
    std::string why;

    static Sight of(T seen) { return {std::move(seen), {}}; }
    static Sight unseen(std::string why) { return {std::nullopt, std::move(why)}; }
};

/// A text file that may be absent.
struct FileSeen {
    bool present = false;
    std::string text;
};

/// Everything that was seen of one device at one time. Plain data; `now` is the time of judging.
struct Observations {
    Instant now{};
    bool live = true;  ///< false below --root: services and containers are not looked at
    Sight<FileSeen> config;
    std::string certificate_path;  ///< of the identity in use, as the VM sees it; empty when there is none
    std::string key_path;
    Sight<FileSeen> certificate;
    Findings files;  ///< placement's judgement of owners, modes and readers
    AppliedState applied;
    Sight<std::vector<UnitSeen>> units;
    std::vector<std::string> identityd_log;  ///< the last lines since the configuration was applied, as far as readable
    Sight<std::vector<ContainerSeen>> containers;
    Sight<std::optional<DeviceInfo>> device_info;  ///< what identityd remembers; nothing before it registered
};

}  // namespace eflow
