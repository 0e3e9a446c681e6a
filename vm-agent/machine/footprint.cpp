#include "vm-agent/machine/footprint.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include <malloc.h>

namespace eflow {

void shrink_footprint() {
    malloc_trim(0);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t first = 0;
        std::uintptr_t last = 0;
        char modes[5] = {};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &first, &last, modes) != 3) continue;
        // Private, never written: the kernel has every byte of it in the file. Relocated data is not, however read-only.
        const bool code = std::string_view(modes) == "r-xp";
        if (code && line.find(" /") != std::string::npos)
            madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);  // NOLINT
    }
}

}  // namespace eflow
