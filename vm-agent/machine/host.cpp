#include "vm-agent/machine/host.hpp"

#include <cerrno>
#include <cstring>
#include <set>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace eflow {

Sight<ClockSeen> observe_clock() {
    constexpr long unsynchronised_error = 16'000'000;  // microseconds
    timex clock{};
    const int state = adjtimex(&clock);
    if (state < 0) return Sight<ClockSeen>::unseen(std::string("adjtimex: ") + std::strerror(errno));
    return Sight<ClockSeen>::of({clock.maxerror < unsynchronised_error, std::chrono::microseconds(clock.maxerror)});
}

HostSeen observe_host() {
    HostSeen seen;
    utsname names{};
    if (uname(&names) == 0) {
        seen.name = names.nodename;
        seen.kernel = std::string(names.sysname) + " " + names.release + " " + names.version;
        seen.machine = names.machine;
    }
    struct sysinfo info {};
    if (sysinfo(&info) == 0) {
        seen.up = std::chrono::seconds(info.uptime);
        seen.load = static_cast<double>(info.loads[0]) / (1 << SI_LOAD_SHIFT);
        seen.memory = std::uint64_t{info.totalram} * info.mem_unit;
        seen.memory_free = std::uint64_t{info.freeram} * info.mem_unit;
    }
    seen.processors = sysconf(_SC_NPROCESSORS_ONLN);
    return seen;
}

std::vector<DiskSeen> observe_disks(const std::vector<std::string>& paths) {
    std::vector<DiskSeen> disks;
    std::set<dev_t> known;
    for (const auto& path : paths) {
        struct stat status {};
        struct statvfs room {};
        if (stat(path.c_str(), &status) != 0 || statvfs(path.c_str(), &room) != 0 || room.f_blocks == 0) continue;
        if (!known.insert(status.st_dev).second) continue;
        disks.push_back({path, room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize});
    }
    return disks;
}

}  // namespace eflow
