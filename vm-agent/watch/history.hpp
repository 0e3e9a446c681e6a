#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vm-agent/health/seen.hpp"

namespace eflow {

/// One line of the history. `kind` is phase, finding, unit, job, module, deployment, clock or watcher; `what` names the
/// thing; `from` and `to` are its states.
struct HistoryEntry {
    Stamp at{};
    std::string kind;
    std::string what;
    std::string from;
    std::string to;
    std::string text;

    [[nodiscard]] std::string to_json() const;
    static std::optional<HistoryEntry> from_json(std::string_view line);
};

/// What changed, when: JSON lines in two files, so that a full one gives way to a new one and the older is dropped. At
/// most twice `limit` bytes.
class History {
public:
    static constexpr std::size_t default_limit = 1024 * 1024;

    explicit History(std::string folder, std::size_t limit = default_limit) : folder_(std::move(folder)), limit_(limit) {}

    /// Appends. False when the disk would not take it: the history is the least of a full disk's problems.
    bool append(const std::vector<HistoryEntry>& entries) const;

    /// Everything at or after `since`, oldest first.
    [[nodiscard]] std::vector<HistoryEntry> read(Stamp since) const;

    /// Why what is there may not be read, in errno's words behind its path; nothing when it may, or nothing is there.
    [[nodiscard]] std::optional<std::string> obstacle() const;

    [[nodiscard]] std::string current_file() const { return folder_ + "/history.jsonl"; }

private:
    [[nodiscard]] std::string older_file() const { return folder_ + "/history.1.jsonl"; }
    std::string folder_;
    std::size_t limit_;
};

}  // namespace eflow
