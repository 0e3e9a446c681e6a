#include "vm-agent/machine/footprint.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

namespace eflow {

namespace {

int let_go(dl_phdr_info* object, std::size_t /*size*/, void* /*nothing*/) {
    if (std::string_view(object->dlpi_name).starts_with("linux-vdso")) return 0;  // the kernel's, in no file
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const auto& segment = object->dlpi_phdr[i];
        // What may be written, if only by the loader (relocations), is nowhere but here; the kernel has the rest in the file.
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
        const std::uintptr_t first = object->dlpi_addr + segment.p_vaddr;
        const std::uintptr_t start = first & ~(page - 1);
        madvise(reinterpret_cast<void*>(start), first + segment.p_memsz - start, MADV_DONTNEED);  // NOLINT
    }
    return 0;
}

}  // namespace

void shrink_footprint() {
    malloc_trim(0);
    dl_iterate_phdr(let_go, nullptr);
}

}  // namespace eflow
