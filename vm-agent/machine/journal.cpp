#include "vm-agent/machine/journal.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iterator>
#include <memory>

#include <sys/uio.h>
// Where in our sources an entry was made is nobody's business, and would put this file's name into the program.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "vm-agent/config/scrub.hpp"
#include "vm-agent/health/records.hpp"

namespace eflow {

namespace {

constexpr std::size_t longest_line = 1000;

struct CloseJournal {
    void operator()(sd_journal* journal) const noexcept { sd_journal_close(journal); }
};

std::string field_of(sd_journal* journal, const char* name, std::size_t longest = longest_line) {
    const void* data = nullptr;
    std::size_t size = 0;
    if (sd_journal_get_data(journal, name, &data, &size) < 0) return {};
    std::string text(static_cast<const char*>(data), std::min(size, longest));
    text.erase(0, std::min(text.size(), std::strlen(name) + 1));  // NAME=
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    // C1 controls in UTF-8: some terminals obey them.
    for (std::size_t i = 0; i + 1 < text.size(); ++i)
        if (static_cast<unsigned char>(text[i]) == 0xc2 && static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
            static_cast<unsigned char>(text[i + 1]) <= 0x9f)
            text[i] = text[i + 1] = ' ';
    return text;
}

std::string cursor_of(sd_journal* journal) {
    char* text = nullptr;
    if (sd_journal_get_cursor(journal, &text) < 0) return {};
    const std::unique_ptr<char, void (*)(void*)> owned(text, std::free);
    return text;
}

/// The entry that the journal stands at, as one line.
std::string entry_of(sd_journal* journal) {
    constexpr std::size_t longest_message = 16 * 1024;
    std::uint64_t stamp = 0;
    std::string line = "----";
    if (sd_journal_get_realtime_usec(journal, &stamp) >= 0) {
        const auto seconds = static_cast<std::time_t>(stamp / 1'000'000);
        std::tm parts{};
        gmtime_r(&seconds, &parts);
        char text[64];
        std::snprintf(text + std::strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &parts), 16, ".%06uZ",
                      static_cast<unsigned>(stamp % 1'000'000));
        line = text;
    }
    std::string who = field_of(journal, "SYSLOG_IDENTIFIER");
    if (who.empty()) who = field_of(journal, "_COMM");
    const std::string priority = field_of(journal, "PRIORITY");
    const std::string pid = field_of(journal, "_PID");
    return line + " <" + (priority.empty() ? "6" : priority) + "> " + who + (pid.empty() ? "" : "[" + pid + "]") + ": " +
           field_of(journal, "MESSAGE", longest_message);
}

}  // namespace

Sight<std::vector<std::string>> read_unit_journal(const std::string& unit, std::size_t count,
                                                  std::chrono::milliseconds patience) {
    using Lines = Sight<std::vector<std::string>>;
    sd_journal* opened = nullptr;
    if (const int error = sd_journal_open(&opened, SD_JOURNAL_LOCAL_ONLY); error < 0)
        return Lines::unseen(std::string("the journal cannot be opened: ") + std::strerror(-error));
    const std::unique_ptr<sd_journal, CloseJournal> journal(opened);
    const std::string of_unit = "_SYSTEMD_UNIT=" + unit;
    const std::string about_unit = "UNIT=" + unit;
    if (sd_journal_add_match(opened, of_unit.data(), of_unit.size()) < 0 || sd_journal_add_disjunction(opened) < 0 ||
        sd_journal_add_match(opened, about_unit.data(), about_unit.size()) < 0 ||
        sd_journal_add_match(opened, "_PID=1", 0) < 0 || sd_journal_seek_tail(opened) < 0)
        return Lines::unseen("the journal takes no search");
    const auto end = std::chrono::steady_clock::now() + patience;
    std::vector<std::string> lines;
    while (lines.size() < count && std::chrono::steady_clock::now() < end && sd_journal_previous(opened) > 0)
        lines.push_back(entry_of(opened));
    if (lines.empty()) return Lines::unseen("the journal has no entry of it that this user may read");
    std::reverse(lines.begin(), lines.end());
    return Lines::of(std::move(lines));
}

const std::vector<std::string>& UnitJournals::read(const std::string& unit,
                                                   std::chrono::system_clock::time_point since) {
    Kept& kept = units_[unit];
    const Stamp earliest = std::chrono::floor<std::chrono::microseconds>(since);
    const auto old = std::find_if(kept.times.begin(), kept.times.end(), [&](Stamp at) { return at >= earliest; });
    kept.lines.erase(kept.lines.begin(), kept.lines.begin() + (old - kept.times.begin()));
    kept.times.erase(kept.times.begin(), old);

    sd_journal* opened = nullptr;
    if (sd_journal_open(&opened, SD_JOURNAL_LOCAL_ONLY) < 0) return kept.lines;
    const std::unique_ptr<sd_journal, CloseJournal> journal(opened);
    const bool is_socket = unit.ends_with(".socket");
    const std::string match = (is_socket ? "UNIT=" : "_SYSTEMD_UNIT=") + unit;
    if (sd_journal_add_match(opened, match.data(), match.size()) < 0 ||
        (is_socket && sd_journal_add_match(opened, "_PID=1", 0) < 0) || sd_journal_seek_tail(opened) < 0)
        return kept.lines;

    std::vector<std::string> lines;
    std::vector<Stamp> times;
    std::string newest;
    const auto end = std::chrono::steady_clock::now() + patience;
    std::size_t starts = 0;
    bool met = false;  // what was read before
    for (std::size_t scanned = 0; scanned < most_scanned && lines.size() < most_kept && starts < 2; ++scanned) {
        if (sd_journal_previous(opened) <= 0) break;
        if (newest.empty()) newest = cursor_of(opened);
        met = !kept.cursor.empty() && sd_journal_test_cursor(opened, kept.cursor.c_str()) > 0;
        std::uint64_t stamp = 0;
        const bool is_dated = sd_journal_get_realtime_usec(opened, &stamp) >= 0;
        const Stamp at{std::chrono::microseconds(is_dated ? stamp : 0)};
        if (met || (is_dated && at < earliest)) break;
        std::string line = field_of(opened, "MESSAGE");
        if (!is_chatter(line)) {
            starts += is_start(line) ? 1 : 0;
            lines.push_back(without_secret_forms(line));
            times.push_back(at);
        }
        if (std::chrono::steady_clock::now() >= end) break;
    }
    std::reverse(lines.begin(), lines.end());
    std::reverse(times.begin(), times.end());
    if (!newest.empty()) kept.cursor = newest;
    if (!met) {
        kept.lines.clear();
        kept.times.clear();
    }
    kept.lines.insert(kept.lines.end(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
    kept.times.insert(kept.times.end(), times.begin(), times.end());
    const auto surplus = static_cast<std::ptrdiff_t>(kept.lines.size() - std::min(kept.lines.size(), most_kept));
    kept.lines.erase(kept.lines.begin(), kept.lines.begin() + surplus);
    kept.times.erase(kept.times.begin(), kept.times.begin() + surplus);
    return kept.lines;
}

std::vector<std::string> last_lines(const std::string& unit, std::chrono::system_clock::time_point since) {
    UnitJournals journals;
    return journals.read(unit, since);
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
