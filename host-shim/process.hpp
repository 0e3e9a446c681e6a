#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace eflow {

/// How a child ended, and what it printed.
struct ProcessEnd {
    unsigned exit_code = 0;
    std::string out;
    std::string err;
    bool timed_out = false;
    bool cancelled = false;
};

/// Runs `program` (a full path) with `command_line`, `input` on its standard input and its output collected. It stands
/// in a job of its own with whatever it starts, and all of that ends with it, with `timeout`, with Ctrl-C unless
/// `even_if_cancelled`, and with this program, however that ends. Throws Failure(machine_lacks) when it cannot start.
ProcessEnd run_process(const std::string& program, const std::string& command_line, std::string_view input,
                       std::chrono::milliseconds timeout, bool even_if_cancelled);

/// Ctrl-C, Ctrl-Break, a closing console, a logoff and a shutdown cancel the run; the handler lets it clean up.
void watch_console();
/// Lets a closing console go on: the run has cleaned up.
void run_is_over();
bool cancelled();
/// Waits until cancelled, or for `time`.
void wait_for_cancel(std::chrono::milliseconds time);

}  // namespace eflow
