#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/finding.hpp"
#include "shared/secret.hpp"
#include "vm-agent/config/device_info.hpp"
#include "vm-agent/config/engine_address.hpp"
#include "vm-agent/config/material.hpp"
#include "vm-agent/health/memory.hpp"
#include "vm-agent/health/seen.hpp"
#include "vm-agent/identity/certificate.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/record.hpp"
#include "vm-agent/placement/rendered.hpp"

namespace eflow {

/// What was seen, or why it could not be seen. A check on something unseen is skipped with that reason.
template <class T>
struct Sight {
    std::optional<T> value;
    std::string why = "not looked at";

    static Sight of(T seen) { return {std::move(seen), {}}; }
    static Sight unseen(std::string why) { return {std::nullopt, std::move(why)}; }
};

/// A text file that may be absent.
struct FileSeen {
    bool present = false;
    std::string text;
};

/// A certificate and key that config.toml names besides the device's identity: Edge CA, local CA, EST client.
struct CredentialSeen {
    CredentialUse use{};
    std::string table;             ///< of config.toml, dotted
    std::string certificate_path;  ///< empty when it is no file
    std::string key_path;
    Sight<FileSeen> certificate;
    Sight<std::optional<SecretBytes>> key;  ///< read by a look of root's alone, never by the watcher
};

/// Room on one file system, in bytes, as an unprivileged program may use it.
struct DiskSeen {
    std::string path;
    std::uint64_t total = 0;
    std::uint64_t free = 0;
};

/// The kernel's word on its clock (adjtimex), as timedated reads it.
struct ClockSeen {
    bool synchronised = false;
    std::chrono::microseconds error{};  ///< the largest error the kernel reckons with
};

/// How far a host of the cloud could be reached.
struct ReachSeen {
    std::string host;
    std::string address;     ///< the first it resolved to; "" when it did not
    bool connected = false;  ///< TCP
    bool trusted = false;    ///< TLS, its certificate verified for the name
    std::string why;         ///< what stood in the way
};

/// Everything that was seen of one device at one time. Plain data; `now` is the time of judging.
struct Observations {
    Instant now{};
    bool live = true;  ///< false below --root: services and containers are not looked at
    Sight<FileSeen> config;
    Sight<FileSeen> manifest;      ///< /etc/eflow-agent/device.toml, which nobody need have
    std::string certificate_path;  ///< of the identity in use, as the VM sees it; empty when there is none
    std::string key_path;
    Sight<FileSeen> certificate;
    Sight<std::optional<SecretBytes>> key;  ///< read by a look of root's alone, never by the watcher
    std::string key_access;                 ///< owner and mode of the key's file, "0440 root:aziotks"; empty without one
    std::vector<CredentialSeen> credentials;
    std::string trust_bundle_path;  ///< empty when config.toml names none, or no file
    Sight<FileSeen> trust_bundle;
    Sight<std::vector<std::string>> missing_users;  ///< of those that IoT Edge's packages make
    Findings files;                         ///< placement's judgement of owners, modes and readers
    AppliedState applied;
    std::optional<Unfinished> unfinished;      ///< a change that was begun and is not over
    std::optional<RegisteredBy> registered_by;  ///< what our last healthy change registered the device by
    Stamp settled{};                            ///< when a change was last applied, taken back or taken off
    Sight<std::vector<UnitSeen>> units;
    std::map<std::string, std::map<std::string, std::string>> unit_proxies;  ///< *_proxy variables by unit
    /// The journals of services, by unit, as far as they say how things went: identityd's since the configuration was
    /// applied, and those of units that are not well. Oldest line first, without secrets, printable.
    std::map<std::string, std::vector<std::string>> journals;
    Sight<std::vector<ContainerSeen>> containers;
    std::string agent_log_why;  ///< why edgeAgent's log cannot be read (its log driver); "" while it can be
    Sight<std::optional<DeviceInfo>> device_info;  ///< what identityd remembers; nothing before it registered
    Sight<ClockSeen> clock;
    std::vector<DiskSeen> disks;
    Sight<FileSeen> daemon_json;   ///< /etc/docker/daemon.json
    EngineAddress engine;          ///< where the engine that config.toml names listens
    HostnamesSeen hostnames;
    std::vector<DroppedLine> dropped_lines;
    bool is_eflow_vm = false;
    std::optional<ReachSeen> dps;  ///< looked at by `check` alone
    std::optional<ReachSeen> hub;
    std::string no_reach = "not looked at";  ///< why neither was
    Memory memory;
};

}  // namespace eflow
