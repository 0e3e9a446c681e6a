#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace eflow {

struct ProcessResult {
    int exit_code = 0;  ///< of the program; 128 and the signal's number when a signal ended it
    bool timed_out = false;
    std::string output;  ///< standard output and error as they came, the first `output_limit` bytes
};

/// Runs a program (absolute path, argument vector, no shell) with nothing on standard input, a minimal environment and
/// a process group of its own. After `timeout` the whole group gets SIGTERM, and SIGKILL two seconds later. Throws
/// Failure(machine_lacks) when it cannot be started, Failure(internal) for an empty argument: Boost.Process of
/// before 1.80 cannot pass one. `tick` is called once a second while it runs, with how long it has.
ProcessResult run_process(const std::vector<std::string>& argv, std::chrono::milliseconds timeout,
                          std::size_t output_limit, const std::function<void(std::chrono::seconds)>& tick = {});

}  // namespace eflow
