#include "vm-agent/watch/journal_source.hpp"

#include <utility>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

namespace eflow {

void JournalSource::Close::operator()(sd_journal* journal) const noexcept {
    sd_journal_close(journal);
}

JournalSource::JournalSource(boost::asio::io_context& loop, std::vector<std::string> units, std::function<void()> grew)
    : units_(std::move(units)), grew_(std::move(grew)), descriptor_(loop) {}

JournalSource::~JournalSource() {
    follow(false);
}

void JournalSource::follow(bool wanted) {
    if (wanted == (journal_ != nullptr)) return;
    if (wanted) return start();
    if (descriptor_.is_open()) descriptor_.release();  // it is the journal's to close
    journal_.reset();
}

void JournalSource::start() {
    sd_journal* opened = nullptr;
    if (sd_journal_open(&opened, SD_JOURNAL_LOCAL_ONLY) < 0) return;
    journal_.reset(opened);
    for (const auto& unit : units_) {
        const std::string match = "_SYSTEMD_UNIT=" + unit;
        sd_journal_add_match(opened, match.data(), match.size());
        sd_journal_add_disjunction(opened);
    }
    const int descriptor = sd_journal_seek_tail(opened) < 0 ? -1 : sd_journal_get_fd(opened);
    if (descriptor < 0) return journal_.reset();
    sd_journal_previous(opened);  // a seek alone is no place to go on from
    descriptor_.assign(descriptor);
    wait();
}

void JournalSource::wait() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this](const boost::system::error_code& fault) {
                               if (fault || journal_ == nullptr) return;
                               const bool grew = sd_journal_process(journal_.get()) > 0 && read_on();
                               wait();
                               if (grew) grew_();
                           });
}

bool JournalSource::read_on() {
    bool any = false;
    while (sd_journal_next(journal_.get()) > 0) any = true;
    return any;
}

}  // namespace eflow
