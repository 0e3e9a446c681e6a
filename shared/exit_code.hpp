#pragma once

namespace eflow {

/// The exit codes of both programs; scripts rely on them, so a number never changes its meaning.
enum class ExitCode : int {
    done = 0,              ///< done; for check and status: nothing failed
    something_failed = 1,  ///< looked, and something has failed
    usage = 2,             ///< the command line was wrong
    refused = 3,           ///< the input was refused; nothing was changed
    machine_lacks = 4,     ///< root, a user, a program, a service or space is missing; nothing was changed
    apply_failed = 5,      ///< applying failed; the previous state is back
    not_restored = 6,      ///< applying failed and the previous state could not be restored
    timed_out = 7,         ///< time ran out while waiting; the change stands
    cloud_refused = 8,     ///< the cloud refused
    internal = 70,         ///< a fault of ours
};

/// One line of plain English for `code`, as the help texts print it.
constexpr const char* meaning(ExitCode code) {
    switch (code) {
        case ExitCode::done: return "done; for check and status: nothing failed";
        case ExitCode::something_failed: return "looked, and something has failed";
        case ExitCode::usage: return "the command line was wrong";
        case ExitCode::refused: return "the input was refused; nothing was changed";
        case ExitCode::machine_lacks:
            return "this machine lacks what the verb needs (root, a user, a program, a service, space); nothing was "
                   "changed";
        case ExitCode::apply_failed: return "applying failed; the previous state is back";
        case ExitCode::not_restored:
            return "applying failed and the previous state could not be restored; the report says what to do by hand";
        case ExitCode::timed_out: return "time ran out while waiting; the change stands";
        case ExitCode::cloud_refused: return "the cloud refused";
        case ExitCode::internal: return "a fault of ours";
    }
    return "unknown";
}

}  // namespace eflow
