#include <windows.h>

#include <fcntl.h>
#include <io.h>

#include <cstdio>

#include "host-shim/console.hpp"

namespace eflow {

Console::Console() : before_(GetConsoleOutputCP()) {
    SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
    SetConsoleOutputCP(CP_UTF8);
    // JSON for scripts: a line feed is a line feed.
    _setmode(_fileno(stdout), _O_BINARY);
}

Console::~Console() {
    if (before_ != 0) SetConsoleOutputCP(before_);
}

}  // namespace eflow
