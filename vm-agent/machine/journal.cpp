#include "vm-agent/machine/journal.hpp"

#include <algorithm>
#include <memory>

#include <sys/uio.h>
#include <systemd/sd-journal.h>

namespace eflow {

namespace {

constexpr std::size_t longest_line = 1000;

struct CloseJournal {
    void operator()(sd_journal* journal) const noexcept { sd_journal_close(journal); }
};

std::string message_of(sd_journal* journal) {
    const void* data = nullptr;
    std::size_t size = 0;
    if (sd_journal_get_data(journal, "MESSAGE", &data, &size) < 0) return {};
    std::string text(static_cast<const char*>(data), std::min(size, longest_line));
    text.erase(0, std::min<std::size_t>(text.size(), 8));  // MESSAGE=
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return text;
}

}  // namespace

std::vector<std::string> last_lines(const std::string& unit, std::size_t count,
                                    std::chrono::system_clock::time_point since) {
    std::vector<std::string> lines;
    sd_journal* opened = nullptr;
    if (sd_journal_open(&opened, SD_JOURNAL_LOCAL_ONLY) < 0) return lines;
    const std::unique_ptr<sd_journal, CloseJournal> journal(opened);
    const std::string match = "_SYSTEMD_UNIT=" + unit;
    if (sd_journal_add_match(opened, match.data(), match.size()) < 0 || sd_journal_seek_tail(opened) < 0) return lines;
    const auto earliest = std::chrono::duration_cast<std::chrono::microseconds>(since.time_since_epoch()).count();
    while (lines.size() < count && sd_journal_previous(opened) > 0) {
        std::uint64_t stamp = 0;
        if (sd_journal_get_realtime_usec(opened, &stamp) >= 0 && stamp < static_cast<std::uint64_t>(earliest)) break;
        lines.push_back(message_of(opened));
    }
    std::reverse(lines.begin(), lines.end());
    return lines;
}

bool log_to_journal(int priority, const std::string& message,
                    const std::vector<std::pair<std::string, std::string>>& fields) {
    std::vector<std::string> entries{"MESSAGE=" + message, "PRIORITY=" + std::to_string(priority),
                                     "SYSLOG_IDENTIFIER=eflow-agent"};
    for (const auto& [name, value] : fields) entries.push_back(name + "=" + value);
    std::vector<iovec> parts;
    parts.reserve(entries.size());
    for (auto& entry : entries) parts.push_back({entry.data(), entry.size()});
    return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) >= 0;
}

}  // namespace eflow
