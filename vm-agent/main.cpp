#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "vm-agent/cli/run.hpp"

int main(int argc, char** argv) {
    // Private keys pass through this process: no core dump, no ptrace by the same user, no file open to the world.
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    umask(077);

    eflow::World world;
    world.out = &std::cout;
    world.err = &std::cerr;
    world.out_is_terminal = isatty(STDOUT_FILENO) == 1;
    world.now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    return eflow::run(std::vector<std::string>(argv + 1, argv + argc), world);
}
