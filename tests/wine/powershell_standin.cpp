// Stands where powershell.exe stands in a Wine prefix. It knows nothing: what it was given goes to the test over a
// loopback connection, and what the test answers is printed. The port stands in a file beside it.
#include <windows.h>
#include <winsock2.h>

#include <fcntl.h>
#include <io.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace {

std::string narrow(const wchar_t* text) {
    std::string out(static_cast<std::size_t>(WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr)),
                    '\0');
    WideCharToMultiByte(CP_UTF8, 0, text, -1, out.data(), static_cast<int>(out.size()), nullptr, nullptr);
    out.pop_back();
    return out;
}

std::string hex(const std::string& bytes) {
    std::string out;
    for (const char c : bytes) {
        char digits[3];
        std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += digits;
    }
    return out;
}

SOCKET connect_to(unsigned short port) {
    WSADATA data;
    WSAStartup(MAKEWORD(2, 2), &data);
    const SOCKET socket = ::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return INVALID_SOCKET;
    return socket;
}

}  // namespace

extern "C" int wmain(int count, wchar_t** values) {
    std::wstring own(32768, L'\0');
    own.resize(GetModuleFileNameW(nullptr, own.data(), static_cast<DWORD>(own.size())));
    std::ifstream port_file(narrow((own.substr(0, own.find_last_of(L'\\')) + L"\\standin-port").c_str()));
    unsigned port = 0;
    port_file >> port;

    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    _setmode(_fileno(stderr), _O_BINARY);
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    nlohmann::json request = {
        {"path", narrow(own.c_str())}, {"stdin", hex(input)}, {"arguments", nlohmann::json::array()}};
    for (int i = 1; i < count; ++i) request["arguments"].push_back(narrow(values[i]));

    const SOCKET socket = connect_to(static_cast<unsigned short>(port));
    if (socket == INVALID_SOCKET) {
        std::cerr << "the stand-in reaches no test at port " << port << "\n";
        return 86;
    }
    const std::string text = request.dump(-1, ' ', true) + "\n";
    for (std::size_t at = 0; at < text.size();) {
        const int sent = send(socket, text.data() + at, static_cast<int>(text.size() - at), 0);
        if (sent <= 0) return 87;
        at += static_cast<std::size_t>(sent);
    }
    std::string answer;
    char buffer[16384];
    for (int got = recv(socket, buffer, sizeof(buffer), 0); got > 0; got = recv(socket, buffer, sizeof(buffer), 0))
        answer.append(buffer, static_cast<std::size_t>(got));
    const auto parsed = nlohmann::json::parse(answer, nullptr, false);
    if (!parsed.is_object()) return 88;
    std::cout << parsed.value("stdout", std::string()) << std::flush;
    std::cerr << parsed.value("stderr", std::string()) << std::flush;
    return parsed.value("exit_code", 0);
}
