#include "vm-agent/config/diff.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace eflow {

namespace {

constexpr std::size_t context = 3;
constexpr std::size_t most_cells = 4'000'000;  // of the table of common subsequences: 16 MB

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines.push_back(text.substr(0, end == std::string_view::npos ? end : end + 1));
        text.remove_prefix(lines.back().size());
    }
    return lines;
}

struct Edit {
    char sign;  // ' ', '-' or '+'
    std::string_view line;
};

/// The shortest edit by the table of longest common subsequences, after the common head and tail were set aside.
std::vector<Edit> edits_of(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b) {
    std::size_t head = 0;
    while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
    std::size_t tail = 0;
    while (tail < a.size() - head && tail < b.size() - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
    const std::size_t rows = a.size() - head - tail;
    const std::size_t columns = b.size() - head - tail;

    std::vector<Edit> edits;
    for (std::size_t i = 0; i < head; ++i) edits.push_back({' ', a[i]});
    std::size_t i = 0;
    std::size_t j = 0;
    if ((rows + 1) * (columns + 1) <= most_cells) {
        std::vector<unsigned> table((rows + 1) * (columns + 1));
        const auto cell = [&](std::size_t row, std::size_t column) -> unsigned& {
            return table[row * (columns + 1) + column];
        };
        for (std::size_t row = rows; row-- > 0;)
            for (std::size_t column = columns; column-- > 0;)
                cell(row, column) = a[head + row] == b[head + column]
                                        ? cell(row + 1, column + 1) + 1
                                        : std::max(cell(row + 1, column), cell(row, column + 1));
        while (i < rows && j < columns) {
            if (a[head + i] == b[head + j]) {
                edits.push_back({' ', a[head + i]});
                ++i, ++j;
            } else if (cell(i + 1, j) >= cell(i, j + 1)) {
                edits.push_back({'-', a[head + i++]});
            } else {
                edits.push_back({'+', b[head + j++]});
            }
        }
    }
    for (; i < rows; ++i) edits.push_back({'-', a[head + i]});
    for (; j < columns; ++j) edits.push_back({'+', b[head + j]});
    for (std::size_t k = a.size() - tail; k < a.size(); ++k) edits.push_back({' ', a[k]});
    return edits;
}

std::string shown(std::string_view line) {
    std::string out;
    for (const char c : line) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7f)
            out += "\xef\xbf\xbd";
        else if (c != '\r')
            out += c;
    }
    if (!out.ends_with('\n')) out += "\n\\ No newline at end of file\n";
    return out;
}

std::string range(std::size_t start, std::size_t count) {
    return std::to_string(count == 0 ? start : start + 1) + (count == 1 ? "" : "," + std::to_string(count));
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after, std::string_view before_name,
                         std::string_view after_name) {
    if (before == after) return {};
    const auto edits = edits_of(lines_of(before), lines_of(after));
    std::string out = "--- " + std::string(before_name) + "\n+++ " + std::string(after_name) + "\n";
    std::size_t a = 0;
    std::size_t b = 0;
    std::size_t at = 0;
    while (at < edits.size()) {
        std::size_t change = at;
        while (change < edits.size() && edits[change].sign == ' ') ++change;
        if (change == edits.size()) break;
        const std::size_t begin = change - std::min(context, change - at);
        a += begin - at;
        b += begin - at;
        // The hunk goes on while less than two contexts of equal lines stand between changes.
        std::size_t end = change;
        for (std::size_t i = change; i < edits.size() && i < end + 2 * context + 1; ++i)
            if (edits[i].sign != ' ') end = i;
        end = std::min(edits.size(), end + context + 1);
        std::string hunk;
        std::size_t removed = 0;
        std::size_t added = 0;
        for (std::size_t i = begin; i < end; ++i) {
            hunk += edits[i].sign + shown(edits[i].line);
            removed += edits[i].sign != '+' ? 1U : 0U;
            added += edits[i].sign != '-' ? 1U : 0U;
        }
        out += "@@ -" + range(a, removed) + " +" + range(b, added) + " @@\n" + hunk;
        a += removed;
        b += added;
        at = end;
    }
    return out;
}

}  // namespace eflow
