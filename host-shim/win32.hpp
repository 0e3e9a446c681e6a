#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace eflow {

// What the *_win32.cpp files share; none of Windows' own names stand in it.

/// UTF-8 to what the Windows API takes. Throws Failure(refused) for what is no UTF-8.
std::wstring wide(std::string_view text);
/// And back; what is no text is replaced.
std::string narrow(std::wstring_view text);

/// Closes a HANDLE, which is a void*.
struct CloseHandleOf {
    void operator()(void* handle) const noexcept;
};
using Handle = std::unique_ptr<void, CloseHandleOf>;

/// The system's words for an error code of GetLastError.
std::string windows_error(unsigned long code);

/// C:\Windows\System32, asked of the system and not of the environment.
std::string system_folder();

}  // namespace eflow
