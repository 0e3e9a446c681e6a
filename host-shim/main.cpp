#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "host-shim/console.hpp"
#include "host-shim/process.hpp"
#include "host-shim/run.hpp"
#include "shared/utf16.hpp"
#include "host-shim/windows_host.hpp"
#include "shared/exit_code.hpp"

extern "C" int wmain(int count, wchar_t** values) {
    using namespace eflow;
    const Console console;
    std::vector<std::string> arguments;
    for (int i = 1; i < count; ++i) {
        const std::wstring_view value = values[i];
        const auto text = utf8_of(std::u16string(value.begin(), value.end()));
        if (!text) {
            std::cerr << "eflow-shim: argument " << i << " is not valid Unicode\n";
            return static_cast<int>(ExitCode::usage);
        }
        arguments.push_back(*text);
    }
    watch_console();
    int code = static_cast<int>(ExitCode::internal);
    try {
        const bool quiet = std::find(arguments.begin(), arguments.end(), "--quiet") != arguments.end();
        code = run_shim(arguments, *make_windows_host(quiet), std::cin, std::cout, std::cerr);
    } catch (const std::exception& error) {
        std::cerr << "eflow-shim: " << error.what() << "\n";
    }
    run_is_over();
    return code;
}
