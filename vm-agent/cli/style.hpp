#pragma once

#include <string>
#include <string_view>

#include "shared/finding.hpp"
#include "shared/report.hpp"

namespace eflow {

/// How text looks: colours only where asked for. Every text that comes from outside goes through `plain` first.
class Style {
public:
    explicit Style(bool colors) : colors_(colors) {}

    [[nodiscard]] std::string good(std::string_view text) const { return in("32", text); }
    [[nodiscard]] std::string caution(std::string_view text) const { return in("33", text); }
    [[nodiscard]] std::string bad(std::string_view text) const { return in("1;31", text); }
    [[nodiscard]] std::string faint(std::string_view text) const { return in("2", text); }
    [[nodiscard]] std::string strong(std::string_view text) const { return in("1", text); }

    /// One finding on a line of its own, its evidence and remedy indented below it when it is no plain ok.
    [[nodiscard]] std::string finding(const Finding& finding) const;
    /// The findings that are not ok, and how many are; all of them when `every`.
    [[nodiscard]] std::string findings(const Findings& findings, bool every) const;
    /// A table of changes: action, mode, owner:group, path.
    [[nodiscard]] std::string changes(const std::vector<Change>& changes) const;
    /// A unified diff with its added and removed lines coloured.
    [[nodiscard]] std::string diff(std::string_view diff) const;
    [[nodiscard]] std::string phase(Phase phase) const;

private:
    [[nodiscard]] std::string in(const char* code, std::string_view text) const;
    bool colors_;
};

/// `text` with every control character but the line feed replaced, so that hostile input cannot drive the terminal.
std::string plain(std::string_view text);

}  // namespace eflow
