#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "shared/exit_code.hpp"

namespace eflow {

/// Something cannot go on. The one exception of both programs: `main` catches it once and exits with `code()`.
/// `what()` says what was being done, where, and why it failed; `remedy()` says what to do next (may be empty).
/// What is merely wrong with the device or its input is a Finding, not a Failure.
class Failure : public std::runtime_error {
public:
    Failure(ExitCode code, const std::string& message, std::string remedy = {})
        : std::runtime_error(message), code_(code), remedy_(std::move(remedy)) {}

    [[nodiscard]] ExitCode code() const noexcept { return code_; }
    [[nodiscard]] const std::string& remedy() const noexcept { return remedy_; }

private:
    ExitCode code_;
    std::string remedy_;
};

}  // namespace eflow
