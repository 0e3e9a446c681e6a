#pragma once

#include <string>
#include <vector>

#include "vm-agent/health/observations.hpp"

namespace eflow {

/// The kernel's word on its clock, as timedated's NTPSynchronized has it (systemd, basic/time-util and timedate/timedated:
/// adjtimex succeeds and its maxerror is below 16 s).
Sight<ClockSeen> observe_clock();

/// What the kernel says of itself.
struct HostSeen {
    std::string name;
    std::string kernel;   ///< release and version
    std::string machine;  ///< "x86_64"
    std::chrono::seconds up{};
    double load = 0;  ///< of the last minute
    std::uint64_t memory = 0;
    std::uint64_t memory_free = 0;
    long processors = 0;
};
HostSeen observe_host();

/// Room on the file systems that the paths lie on, each file system once; paths that do not exist are left out.
std::vector<DiskSeen> observe_disks(const std::vector<std::string>& paths);

}  // namespace eflow
