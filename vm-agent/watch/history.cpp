#include "vm-agent/watch/history.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/json_text.hpp"

namespace eflow {

namespace {

using nlohmann::json;

constexpr std::size_t longest_line = 8 * 1024;

/// The bytes of a regular file, its last `most` at most; empty for anything else that stands there: what the watcher
/// did not write (a link, a FIFO, a device) is not waited for.
std::string last_bytes(const std::string& path, std::size_t most) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) return {};
    std::string bytes;
    struct stat status {};
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
        const auto size = static_cast<std::size_t>(status.st_size);
        bytes.resize(std::min(size, most));
        std::size_t filled = 0;
        while (filled < bytes.size()) {
            const ssize_t got = pread(file, bytes.data() + filled, bytes.size() - filled,
                                      static_cast<off_t>(size - bytes.size() + filled));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            filled += static_cast<std::size_t>(got);
        }
        bytes.resize(filled);
    }
    close(file);
    return bytes;
}

void read_into(const std::string& path, std::size_t most, Stamp since, std::vector<HistoryEntry>& entries) {
    const std::string bytes = last_bytes(path, most);
    for (std::string_view rest = bytes; !rest.empty();) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (line.size() > longest_line) continue;
        auto entry = HistoryEntry::from_json(line);
        if (entry && entry->at >= since) entries.push_back(std::move(*entry));
    }
}

/// A crash or a full disk has cut the last line short: what follows must not go down with it.
bool ends_amid_a_line(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file || file.tellg() <= 0) return false;
    file.seekg(-1, std::ios::end);
    return file.get() != '\n';
}

}  // namespace

std::string HistoryEntry::to_json() const {
    return json{{"at", at.time_since_epoch().count()}, {"kind", kind}, {"what", what}, {"from", from}, {"to", to},
                {"text", text}}
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<HistoryEntry> HistoryEntry::from_json(std::string_view line) {
    // A line that a crash cut short is left out, like anything else that is none.
    const json one = parse_json(line);
    if (!one.is_object() || !one.value("at", json()).is_number_integer()) return std::nullopt;
    // 1970 to 2200: later arithmetic on a time must not overflow.
    constexpr std::int64_t year_2200 = 7'258'118'400'000'000;
    if (const auto at = one.at("at").get<std::int64_t>(); at < 0 || at > year_2200) return std::nullopt;
    try {
        return HistoryEntry{Stamp(std::chrono::microseconds(one.at("at").get<std::int64_t>())),
                            one.at("kind").get<std::string>(),
                            one.at("what").get<std::string>(),
                            one.at("from").get<std::string>(),
                            one.at("to").get<std::string>(),
                            one.at("text").get<std::string>()};
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

bool History::append(const std::vector<HistoryEntry>& entries) const {
    std::string text;
    for (const auto& entry : entries) {
        const std::string line = entry.to_json();
        if (line.size() < longest_line) text += line + "\n";
    }
    if (text.empty()) return true;
    if (ends_amid_a_line(current_file())) text.insert(0, "\n");
    struct stat status {};
    if (stat(current_file().c_str(), &status) == 0 && static_cast<std::size_t>(status.st_size) + text.size() > limit_)
        std::rename(current_file().c_str(), older_file().c_str());
    const int file = open(current_file().c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0) return false;
    const ssize_t written = write(file, text.data(), text.size());
    close(file);
    return written == static_cast<ssize_t>(text.size());
}

std::optional<std::string> History::obstacle() const {
    for (const auto& path : {older_file(), current_file()})
        if (access(path.c_str(), R_OK) != 0 && errno != ENOENT) return path + ": " + std::strerror(errno);
    return std::nullopt;
}

std::vector<HistoryEntry> History::read(Stamp since) const {
    std::vector<HistoryEntry> entries;
    // A file may have grown past the limit by its last entries.
    read_into(older_file(), 2 * limit_, since, entries);
    read_into(current_file(), 2 * limit_, since, entries);
    return entries;
}

}  // namespace eflow
