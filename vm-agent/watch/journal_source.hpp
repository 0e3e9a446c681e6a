#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

struct sd_journal;

namespace eflow {

/// Tells when the journals of units have something new, as long as it is asked to (sd_journal_get_fd(3)). Followed
/// while a device is not up alone: what a service that lives on says of it comes with no change of a unit.
class JournalSource {
public:
    JournalSource(boost::asio::io_context& loop, std::vector<std::string> units, std::function<void()> grew);
    ~JournalSource();

    /// Follows from now on, or no more. Without a journal that may be read nothing is ever told.
    void follow(bool wanted);

private:
    struct Close {
        void operator()(sd_journal* journal) const noexcept;
    };
    void start();
    void wait();
    /// True when an entry of the units has come since the last time.
    bool read_on();

    std::vector<std::string> units_;
    std::function<void()> grew_;
    std::unique_ptr<sd_journal, Close> journal_;
    boost::asio::posix::stream_descriptor descriptor_;
};

}  // namespace eflow
