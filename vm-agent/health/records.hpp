#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// One thing that went wrong, as a service of IoT Edge wrote it down: a message and what it was caused by, outermost
/// first, without the backtrace that follows in the journal, one entry a frame.
struct ErrorRecord {
    enum class Form {
        fatal,     ///< the process ended with it: the message, `caused by: …`, a backtrace (aziotd/src/main.rs:20-33)
        answered,  ///< a request was answered with it, and the process lives on: `!!! …` (each http/mod.rs
                   ///< to_http_error)
        logged,    ///< a line of its own at WARN or ERR!, with what anyhow's `Caused by:` adds (edgelet-docker
                   ///< runtime.rs)
    };
    Form form = Form::logged;
    std::vector<std::string> chain;   ///< never empty
    std::vector<std::string> before;  ///< lone ERR! lines that lead to it: the reason that keyd keeps from its clients
                                      ///< (aziot-keys/src/implementation.rs:580)
    int status = 0;                   ///< of the answer, `--> 404`; 0 when none was seen
    std::string at;                   ///< the time in the line, as it stands there; may be ""

    bool operator==(const ErrorRecord&) const = default;
};

/// A service's journal as far as it says how things went: errors, and the lines that say that something went well.
struct Said {
    std::vector<ErrorRecord> errors;  ///< oldest first
    /// A line at INFO that is no request or answer: `Provisioning complete.` It came after the first `after` errors.
    struct Word {
        std::string text;
        std::size_t after = 0;
        bool operator==(const Word&) const = default;
    };
    std::vector<Word> words;
};

/// Reads journal entries of one service, oldest first, one line each. Lines of systemd's own and unknown ones are
/// passed over; an error whose first lines were cut off is read from where it begins.
[[nodiscard]] Said read_said(const std::vector<std::string>& lines);

/// The entry tells nothing that read_said looks at: a request, an answer that went well, a frame of a backtrace.
/// Whoever reads a journal backwards need not keep it.
[[nodiscard]] bool is_chatter(std::string_view line);

/// The entry is at INFO and no answer with an error: it tells how things go, not what went wrong.
[[nodiscard]] bool is_notice(std::string_view line);

/// The process began here: `Starting service...` (aziotd/src/main.rs:178), `Starting Azure IoT Edge Daemon`
/// (aziot-edged/src/main.rs:31).
[[nodiscard]] bool is_start(std::string_view line);

}  // namespace eflow
