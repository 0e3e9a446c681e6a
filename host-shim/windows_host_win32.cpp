#include <windows.h>

#include <iostream>
#include <mutex>

#include "host-shim/certificate.hpp"
#include "host-shim/event_log.hpp"
#include "host-shim/files.hpp"
#include "host-shim/log.hpp"
#include "host-shim/powershell.hpp"
#include "host-shim/process.hpp"
#include "host-shim/render.hpp"
#include "host-shim/win32.hpp"
#include "host-shim/windows_host.hpp"
#include "shared/failure.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_state = 64 * 1024;

class WindowsHost final : public Host {
public:
    explicit WindowsHost(bool quiet)
        : quiet_(quiet), powershell_(system_folder() + "\\WindowsPowerShell\\v1.0\\powershell.exe") {}

    HostFacts facts(std::chrono::seconds timeout) override {
        const Heard heard = ask("facts.ps1", nlohmann::json::object(), timeout, false);
        if (heard.answer) return facts_from(*heard.answer);
        if (heard.called.timed_out)
            throw Failure(ExitCode::timed_out,
                          "PowerShell did not say what this host is like in " + std::to_string(timeout.count()) + " s",
                          "Is the service wssdagent stuck? Restart-Service wssdagent, then run this again.");
        if (heard.called.cancelled) throw Failure(ExitCode::machine_lacks, "cancelled by Ctrl-C; nothing was changed");
        throw Failure(
            ExitCode::machine_lacks, heard.called.error->message,
            "An application control policy may restrict PowerShell; the EFLOW cmdlets need its full language.");
    }

    Called call(const std::string& cmdlet, const nlohmann::json& parameters, std::chrono::seconds timeout,
                bool even_if_cancelled) override {
        const Heard heard =
            ask("call.ps1", {{"cmdlet", cmdlet}, {"parameters", parameters}}, timeout, even_if_cancelled);
        Called called = heard.answer ? called_from(*heard.answer) : heard.called;
        log(cmdlet + (called.timed_out   ? ": timed out"
                      : called.cancelled ? ": cancelled"
                      : called.error     ? ": " + called.error->message
                                         : ": done"));
        return called;
    }

    std::variant<SecretBytes, std::string> read(const std::string& path, std::size_t limit) override {
        return read_file(path, limit);
    }
    std::variant<LeafFacts, std::string> leaf(const std::string& pem) override { return read_leaf(pem); }
    std::string program_folder() override { return own_folder(); }
    std::string random_hex() override { return random_hex_digits(); }

    void begin_changes() override {
        lock_ = lock_file(home() + "\\lock");
        unstage();
    }

    std::string stage(const std::string& name, const SecretBytes& content) override {
        if (stage_.empty()) {
            stage_ = home() + "\\stage-" + random_hex_digits();
            make_folder(stage_);
        }
        write_new_file(stage_ + "\\" + name, content.reveal());
        return stage_ + "\\" + name;
    }

    bool unstage() override {
        bool all = true;
        for (const auto& name : names_in(home(), "stage-")) all = wipe_folder(home() + "\\" + name) && all;
        stage_.clear();
        return all;
    }

    std::optional<std::string> load_state() override {
        auto content = read_file(home() + "\\state.json", largest_state);
        if (const auto* bytes = std::get_if<SecretBytes>(&content)) return std::string(bytes->reveal());
        return std::nullopt;
    }
    void save_state(const std::string& text) override { replace_file(home() + "\\state.json", text); }

    std::chrono::system_clock::time_point now() override { return std::chrono::system_clock::now(); }
    void sleep(std::chrono::seconds time, bool even_if_cancelled) override {
        if (even_if_cancelled)
            Sleep(static_cast<DWORD>(time.count() * 1000));
        else
            wait_for_cancel(time);
    }
    bool cancelled() override { return eflow::cancelled(); }

    void progress(const std::string& line) override {
        log(line);
        if (!quiet_) std::cerr << plain_text(line) << std::endl;
    }

    void conclude(const Report& report) override {
        std::string text = "eflow-shim " + report.verb + ": exit code " +
                           std::to_string(static_cast<int>(report.exit_code)) + ", device " +
                           std::string(to_text(report.phase));
        for (const auto& finding : report.findings)
            if (finding.severity == Severity::failed) text += "\n" + finding.id + ": " + finding.summary;
        log(text);
        write_event(report.exit_code == ExitCode::done, text);
    }

private:
    struct Heard {
        std::optional<nlohmann::json> answer;
        Called called;
    };

    Heard ask(const char* name, nlohmann::json request, std::chrono::seconds timeout, bool even_if_cancelled) {
        const std::string marker = "eflow-shim:" + random_hex_digits() + ":";
        request["marker"] = marker;
        const ProcessEnd end = run_process(powershell_, powershell_command_line(powershell_, script(name)),
                                           request_line(request), timeout, even_if_cancelled);
        Heard heard;
        heard.called.timed_out = end.timed_out;
        heard.called.cancelled = end.cancelled;
        if (end.timed_out || end.cancelled) return heard;
        heard.answer = answer_in(end.out, marker);
        if (!heard.answer) heard.called.error = error_without_answer(end.err, end.out, end.exit_code);
        return heard;
    }

    /// Our folder in ProgramData: made when first needed, since who is not elevated cannot make it.
    const std::string& home() {
        if (home_.empty()) home_ = private_folder();
        return home_;
    }

    void log(const std::string& line) {
        try {
            if (!log_) {
                make_folder(home() + "\\log");
                log_.emplace(std::filesystem::path(wide(home() + "\\log")));
            }
            log_->write(line);
        } catch (const std::exception&) {
            return;  // A log that cannot be written stops nothing.
        }
    }

    bool quiet_;
    std::string powershell_;
    std::string home_;
    std::string stage_;
    Handle lock_;
    std::optional<Log> log_;
};

}  // namespace

std::unique_ptr<Host> make_windows_host(bool quiet) {
    return std::make_unique<WindowsHost>(quiet);
}

}  // namespace eflow
