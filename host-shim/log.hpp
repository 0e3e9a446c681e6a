#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace eflow {

/// The log of all runs: a line with its time (UTC) each, in FOLDER/eflow-shim.log. When it is full it becomes .1, that
/// .2, and .3 goes. Best effort, and no secret is ever given to it.
class Log {
public:
    explicit Log(std::filesystem::path folder, std::size_t largest = 1024 * 1024);
    void write(const std::string& line);

private:
    void rotate();
    std::filesystem::path folder_;
    std::size_t largest_;
};

}  // namespace eflow
