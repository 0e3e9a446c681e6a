#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace eflow {

/// Folders under inotify in the loop. Folders that do not exist yet are waited for in the nearest one above that does.
class FileSource {
public:
    /// Throws Failure(machine_lacks) when there is no inotify to be had.
    FileSource(boost::asio::io_context& loop, std::vector<std::string> folders, std::function<void()> changed);

    void start();

private:
    void arm();
    bool watch_nearest(const std::string& folder);
    void wait();

    std::vector<std::string> folders_;
    std::function<void()> changed_;
    boost::asio::posix::stream_descriptor descriptor_;
    alignas(8) std::array<char, 16 * 1024> buffer_{};
};

}  // namespace eflow
