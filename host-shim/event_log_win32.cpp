#include <windows.h>

#include <array>

#include "host-shim/event_log.hpp"
#include "host-shim/win32.hpp"

namespace eflow {

namespace {

constexpr wchar_t source_key[] = L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\eflow-shim";
// Windows' own program whose messages 1 to 1000 are "%1": no message library of ours has to be installed.
constexpr wchar_t message_file[] = L"%SystemRoot%\\System32\\EventCreate.exe";
constexpr DWORD succeeded = 100;
constexpr DWORD failed_ = 101;
constexpr std::size_t longest = 16000;  // of 31,839 characters that an entry takes

void register_source() {
    const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    RegSetKeyValueW(HKEY_LOCAL_MACHINE, source_key, L"EventMessageFile", REG_EXPAND_SZ, message_file,
                    sizeof(message_file));
    RegSetKeyValueW(HKEY_LOCAL_MACHINE, source_key, L"TypesSupported", REG_DWORD, &types, sizeof(types));
}

}  // namespace

void write_event(bool success, const std::string& text) {
    register_source();
    const HANDLE log = RegisterEventSourceW(nullptr, L"eflow-shim");
    if (log == nullptr) return;
    const std::wstring wide_text = wide(text.substr(0, longest));
    std::array<const wchar_t*, 1> strings{wide_text.c_str()};
    ReportEventW(log, success ? EVENTLOG_INFORMATION_TYPE : EVENTLOG_ERROR_TYPE, 0, success ? succeeded : failed_,
                 nullptr, 1, 0, strings.data(), nullptr);
    DeregisterEventSource(log);
}

}  // namespace eflow
