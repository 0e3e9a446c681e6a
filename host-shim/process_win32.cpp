#include <windows.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "host-shim/process.hpp"
#include "host-shim/win32.hpp"
#include "shared/failure.hpp"
#include "shared/secret.hpp"

namespace eflow {

namespace {

constexpr std::size_t most_output = 64 * 1024 * 1024;

[[noreturn]] void fail(const std::string& what) {
    throw Failure(ExitCode::machine_lacks, what + ": " + windows_error(GetLastError()));
}

struct Pipe {
    Handle read;
    Handle write;
};

Pipe make_pipe() {
    HANDLE read = nullptr;
    HANDLE write = nullptr;
    if (CreatePipe(&read, &write, nullptr, 0) == 0) fail("no pipe could be made");
    return {Handle(read), Handle(write)};
}

void let_inherit(const Handle& handle) {
    if (SetHandleInformation(handle.get(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) == 0)
        fail("a pipe cannot be handed on");
}

std::string read_all(HANDLE from) {
    std::string text;
    std::array<char, 16384> buffer{};
    DWORD count = 0;
    while (ReadFile(from, buffer.data(), static_cast<DWORD>(buffer.size()), &count, nullptr) != 0 && count > 0)
        if (text.size() < most_output) text.append(buffer.data(), count);
    return text;
}

void write_all(HANDLE to, std::string_view text) {
    while (!text.empty()) {
        DWORD count = 0;
        if (WriteFile(to, text.data(), static_cast<DWORD>(std::min<std::size_t>(text.size(), 65536)), &count,
                      nullptr) == 0)
            return;  // The child has ended or does not listen: how it ends tells.
        text.remove_prefix(count);
    }
}

/// The list of handles that the child inherits: its three, and none that another part of the program may have open.
class Inheritance {
public:
    explicit Inheritance(std::array<HANDLE, 3> handles) : handles_(handles) {
        SIZE_T size = 0;
        InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
        storage_.resize(size);
        list_ = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(storage_.data());
        if (InitializeProcThreadAttributeList(list_, 1, 0, &size) == 0) fail("no attribute list could be made");
        if (UpdateProcThreadAttribute(list_, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles_.data(), sizeof(handles_),
                                      nullptr, nullptr) == 0)
            fail("the pipes cannot be handed on");
    }
    Inheritance(const Inheritance&) = delete;
    Inheritance& operator=(const Inheritance&) = delete;
    ~Inheritance() { DeleteProcThreadAttributeList(list_); }
    [[nodiscard]] LPPROC_THREAD_ATTRIBUTE_LIST list() const { return list_; }

private:
    std::array<HANDLE, 3> handles_;
    std::vector<std::byte> storage_;
    LPPROC_THREAD_ATTRIBUTE_LIST list_ = nullptr;
};

Handle make_job() {
    Handle job(CreateJobObjectW(nullptr, nullptr));
    if (!job) fail("no job could be made");
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if (SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation, &limits, sizeof(limits)) == 0)
        fail("the job cannot be limited");
    return job;
}

HANDLE cancel_event() {
    static const HANDLE event = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    return event;
}

HANDLE over_event() {
    static const HANDLE event = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    return event;
}

BOOL WINAPI on_console_event(DWORD kind) {
    SetEvent(cancel_event());
    // After these Windows ends the process as soon as this returns.
    if (kind == CTRL_CLOSE_EVENT || kind == CTRL_LOGOFF_EVENT || kind == CTRL_SHUTDOWN_EVENT)
        WaitForSingleObject(over_event(), INFINITE);
    return TRUE;
}

}  // namespace

void watch_console() {
    cancel_event();
    over_event();
    // A parent may have had Ctrl-C ignored, and that is inherited.
    SetConsoleCtrlHandler(nullptr, FALSE);
    SetConsoleCtrlHandler(on_console_event, TRUE);
}

void run_is_over() {
    SetEvent(over_event());
}

bool cancelled() {
    return WaitForSingleObject(cancel_event(), 0) == WAIT_OBJECT_0;
}

void wait_for_cancel(std::chrono::milliseconds time) {
    WaitForSingleObject(cancel_event(), static_cast<DWORD>(time.count()));
}

ProcessEnd run_process(const std::string& program, const std::string& command_line, std::string_view input,
                       std::chrono::milliseconds timeout, bool even_if_cancelled) {
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    let_inherit(in.read);
    let_inherit(out.write);
    let_inherit(err.write);
    const Inheritance inheritance({in.read.get(), out.write.get(), err.write.get()});
    STARTUPINFOEXW startup{};
    startup.StartupInfo.cb = sizeof(startup);
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = in.read.get();
    startup.StartupInfo.hStdOutput = out.write.get();
    startup.StartupInfo.hStdError = err.write.get();
    startup.lpAttributeList = inheritance.list();
    const Handle job = make_job();
    PROCESS_INFORMATION information{};
    std::wstring line = wide(command_line);
    // No window means a console of its own: Ctrl-C reaches this program alone, which then ends the child when it is
    // time. Suspended, so that nothing it starts can escape the job.
    if (CreateProcessW(wide(program).c_str(), line.data(), nullptr, nullptr, TRUE,
                       CREATE_NO_WINDOW | CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT,
                       nullptr, wide(system_folder()).c_str(), &startup.StartupInfo, &information) == 0)
        fail(program + " cannot be started");
    const Handle process(information.hProcess);
    const Handle thread(information.hThread);
    if (AssignProcessToJobObject(job.get(), process.get()) == 0) {
        const std::string why = windows_error(GetLastError());
        TerminateProcess(process.get(), 1);
        throw Failure(ExitCode::machine_lacks, program + " cannot be put into a job: " + why);
    }
    in.read.reset();
    out.write.reset();
    err.write.reset();
    ResumeThread(thread.get());

    ProcessEnd end;
    std::thread reading_out([&] { end.out = read_all(out.read.get()); });
    std::thread reading_err([&] { end.err = read_all(err.read.get()); });
    std::thread writing([&] {
        write_all(in.write.get(), input);
        in.write.reset();
    });
    const std::array<HANDLE, 2> events{process.get(), cancel_event()};
    const DWORD what =
        WaitForMultipleObjects(even_if_cancelled ? 1 : 2, events.data(), FALSE, static_cast<DWORD>(timeout.count()));
    end.timed_out = what == WAIT_TIMEOUT;
    end.cancelled = what == WAIT_OBJECT_0 + 1;
    // Whatever it left running holds the pipes open, and nothing of it is to outlive the call.
    TerminateJobObject(job.get(), 1);
    WaitForSingleObject(process.get(), INFINITE);
    reading_out.join();
    reading_err.join();
    writing.join();
    DWORD code = 0;
    GetExitCodeProcess(process.get(), &code);
    end.exit_code = code;
    return end;
}

}  // namespace eflow
