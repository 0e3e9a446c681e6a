// Makes the calls of a file through the shim's own way to PowerShell, and prints what came back, a JSON line each.
//   call_driver CALLS.json
#include <iostream>
#include <string>

#include "host-shim/console.hpp"
#include "host-shim/files.hpp"
#include "host-shim/win32.hpp"
#include "host-shim/windows_host.hpp"

extern "C" int wmain(int count, wchar_t** values) {
    if (count != 2) return 2;
    const eflow::Console console;
    const auto content = eflow::read_file(eflow::narrow(values[1]), 16 * 1024 * 1024);
    const auto* bytes = std::get_if<eflow::SecretBytes>(&content);
    if (bytes == nullptr) return 3;
    const auto host = eflow::make_windows_host(true);
    for (const auto& call : nlohmann::json::parse(bytes->reveal())) {
        const auto called = host->call(call["cmdlet"].get<std::string>(), call["parameters"], std::chrono::seconds(60), false);
        std::cout << nlohmann::json({{"failed", called.failed()}, {"output", called.output}}).dump(-1, ' ', true) << std::endl;
    }
    return 0;
}
