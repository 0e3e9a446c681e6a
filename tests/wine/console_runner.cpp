// Runs a program in this console with its output in files, and presses Ctrl-C there when the test sends a byte.
//   console_runner PORT OUT ERR PROGRAM ARGUMENTS...
#include <windows.h>
#include <winsock2.h>

#include <cwchar>
#include <string>
#include <thread>

#include "host-shim/powershell.hpp"
#include "host-shim/win32.hpp"

namespace {

HANDLE file_for_child(const wchar_t* path) {
    SECURITY_ATTRIBUTES inherited{sizeof(inherited), nullptr, TRUE};
    return CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ, &inherited, CREATE_ALWAYS, 0, nullptr);
}

SOCKET connect_to(unsigned short port) {
    WSADATA data;
    WSAStartup(MAKEWORD(2, 2), &data);
    const SOCKET socket = ::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? socket : INVALID_SOCKET;
}

}  // namespace

extern "C" int wmain(int count, wchar_t** values) {
    if (count < 5) return 90;
    const SOCKET test = connect_to(static_cast<unsigned short>(std::wcstoul(values[1], nullptr, 10)));
    if (test == INVALID_SOCKET) return 92;
    SetConsoleCtrlHandler([](DWORD) { return TRUE; }, TRUE);
    std::string line;
    for (int i = 4; i < count; ++i) line += (i > 4 ? " " : "") + eflow::quoted_argument(eflow::narrow(values[i]));
    std::wstring command = eflow::wide(line);
    STARTUPINFOW startup{};
    startup.cb = sizeof(startup);
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.hStdOutput = file_for_child(values[2]);
    startup.hStdError = file_for_child(values[3]);
    PROCESS_INFORMATION process{};
    if (CreateProcessW(values[4], command.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup, &process) == 0)
        return 91;
    std::thread listening([test] {
        char byte = 0;
        while (recv(test, &byte, 1, 0) == 1) GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
    });
    WaitForSingleObject(process.hProcess, INFINITE);
    listening.detach();  // it waits for a byte that never comes
    DWORD code = 0;
    GetExitCodeProcess(process.hProcess, &code);
    return static_cast<int>(code);
}
