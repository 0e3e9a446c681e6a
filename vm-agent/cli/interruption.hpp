#pragma once

#include <string>

namespace eflow {

/// While one lives, SIGINT, SIGTERM and SIGHUP are noted instead of ending the program, so that a change under way is
/// left in a state that can be named. The second signal ends it as ever. One at a time; main thread.
class Interruption {
public:
    Interruption();
    ~Interruption();
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;

    /// A signal has come.
    [[nodiscard]] static bool asked();
    /// Its name, "SIGINT"; empty when none has come.
    [[nodiscard]] static std::string name();
};

}  // namespace eflow
