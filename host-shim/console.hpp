#pragma once

namespace eflow {

/// UTF-8 on the console while it lives; what was set before comes back, since the console outlives this program. Also
/// has DLLs that are loaded later come from System32 alone.
class Console {
public:
    Console();
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;
    ~Console();

private:
    unsigned before_;
};

}  // namespace eflow
