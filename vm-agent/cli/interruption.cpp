#include "vm-agent/cli/interruption.hpp"

#include <array>
#include <csignal>
#include <utility>

namespace eflow {

namespace {

volatile std::sig_atomic_t signalled = 0;

constexpr std::array noted{std::pair{SIGINT, "SIGINT"}, std::pair{SIGTERM, "SIGTERM"}, std::pair{SIGHUP, "SIGHUP"}};

extern "C" void note_signal(int number) {
    signalled = number;
}

}  // namespace

Interruption::Interruption() {
    signalled = 0;
    for (const auto& [number, name] : noted) {
        struct sigaction action {};
        sigaction(number, nullptr, &action);
        if (action.sa_handler == SIG_IGN) continue;  // nohup: whoever started us wants it so
        action = {};
        action.sa_handler = note_signal;
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        sigaction(number, &action, nullptr);
    }
}

Interruption::~Interruption() {
    for (const auto& [number, name] : noted) {
        struct sigaction action {};
        sigaction(number, nullptr, &action);
        if (action.sa_handler == note_signal) std::signal(number, SIG_DFL);
    }
}

bool Interruption::asked() {
    return signalled != 0;
}

std::string Interruption::name() {
    for (const auto& [number, name] : noted)
        if (number == signalled) return name;
    return {};
}

}  // namespace eflow
