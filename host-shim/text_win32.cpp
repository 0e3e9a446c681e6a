#include <windows.h>

#include <array>

#include "shared/utf16.hpp"
#include "host-shim/win32.hpp"
#include "shared/failure.hpp"

namespace eflow {

std::wstring wide(std::string_view text) {
    const auto utf16 = utf16_of(text);
    if (!utf16) throw Failure(ExitCode::refused, "a text is not UTF-8", "Write the file in UTF-8.");
    return {utf16->begin(), utf16->end()};
}

std::string narrow(std::wstring_view text) {
    if (text.empty()) return {};
    const int length = static_cast<int>(text.size());
    std::string out(
        static_cast<std::size_t>(WideCharToMultiByte(CP_UTF8, 0, text.data(), length, nullptr, 0, nullptr, nullptr)),
        '\0');
    WideCharToMultiByte(CP_UTF8, 0, text.data(), length, out.data(), static_cast<int>(out.size()), nullptr, nullptr);
    return out;
}

void CloseHandleOf::operator()(void* handle) const noexcept {
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
}

std::string windows_error(unsigned long code) {
    std::array<wchar_t, 512> buffer{};
    const DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, code, 0,
                                        buffer.data(), static_cast<DWORD>(buffer.size()), nullptr);
    std::string text = narrow({buffer.data(), length});
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ' || text.back() == '.'))
        text.pop_back();
    return text + (text.empty() ? "" : " ") + "(error " + std::to_string(code) + ")";
}

std::string system_folder() {
    std::array<wchar_t, MAX_PATH + 1> buffer{};
    const UINT length = GetSystemDirectoryW(buffer.data(), static_cast<UINT>(buffer.size()));
    if (length == 0 || length >= buffer.size())
        throw Failure(ExitCode::machine_lacks,
                      "Windows does not tell its system folder: " + windows_error(GetLastError()));
    return narrow({buffer.data(), length});
}

}  // namespace eflow
