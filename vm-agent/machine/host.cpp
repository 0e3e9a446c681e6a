#include "vm-agent/machine/host.hpp"

#include <cerrno>
#include <cstring>
#include <set>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

namespace eflow {

Sight<ClockSeen> observe_clock() {
    constexpr long unsynchronised_error = 16'000'000;  // microseconds
    timex clock{};
    const int state = adjtimex(&clock);
    if (state < 0) return Sight<ClockSeen>::unseen(std::string("adjtimex: ") + std::strerror(errno));
    return Sight<ClockSeen>::of({clock.maxerror < unsynchronised_error, std::chrono::microseconds(clock.maxerror)});
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
