#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "host-shim/host.hpp"

namespace eflow {

/// What a command in the VM answered: lines "eflow-shim KEY VALUE", and files sent as base64.
struct VmAnswer {
    Called called;
    std::map<std::string, std::string> values;  ///< the last of each key
    std::map<std::string, std::string> files;   ///< decoded, by the key of their begin and end

    [[nodiscard]] bool finished(const std::string& command) const {
        const auto last = values.find("finished");
        return !called.failed() && last != values.end() && last->second == command;
    }
};

/// The VM by way of Copy-EflowVmFile and Invoke-EflowVmCommand. Each is one SSH connection: they are counted, and on
/// modules whose VM bans a busy host no minute sees more than three.
///
/// What runs in the VM is one of host-shim/scripts/vm-*.sh, as `echo BASE64 | base64 -d | sudo sh -s -- WORDS`: no
/// character of it means anything to PowerShell, Windows' argument rules or a shell, and WORDS are hex digits, numbers
/// and options of ours. What a user typed travels in the copied files alone.
class VmSession {
public:
    /// `ignore_error`: Invoke-EflowVmCommand has that switch.
    VmSession(Host& host, bool paced, bool ignore_error) : host_(host), paced_(paced), ignore_error_(ignore_error) {}

    VmAnswer run(const std::string& command, const std::vector<std::string>& words, std::chrono::seconds timeout,
                 bool even_if_cancelled = false);
    Called copy_in(const std::string& from, const std::string& to, std::chrono::seconds timeout);
    Called copy_out(const std::string& from, const std::string& to, std::chrono::seconds timeout);

    /// For a cmdlet that opens connections of its own: waits until `connections` more fit, and notes them.
    void expect(int connections);

    [[nodiscard]] int connections() const { return connections_; }
    [[nodiscard]] std::chrono::seconds waited() const { return waited_; }

private:
    Called copy(nlohmann::json parameters, std::chrono::seconds timeout);
    void make_room(std::size_t connections, bool even_if_cancelled);

    Host& host_;
    bool paced_;
    bool ignore_error_;
    int connections_ = 0;
    std::chrono::seconds waited_{0};
    std::deque<std::chrono::system_clock::time_point> recent_;
};

/// The command line for a script and its words. Throws Failure(internal) on a word that is more than letters, digits
/// and
/// `-_.:/=`.
std::string vm_command(std::string_view script_text, const std::vector<std::string>& words);

/// Reads what a command printed.
VmAnswer vm_answer(Called called);

std::string base64(std::string_view bytes);

/// The bytes of base64 text, white space aside; nothing when it is none.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace eflow
