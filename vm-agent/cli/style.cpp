#include "vm-agent/cli/style.hpp"

#include <algorithm>

#include "shared/printable.hpp"

namespace eflow {

namespace {

std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

/// Every line of `text` behind `margin`.
std::string indented(std::string_view text, std::string_view margin) {
    std::string out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        out.append(margin).append(line).append("\n");
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return out;
}

}  // namespace

std::string plain(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const Glyph glyph = glyph_at(text, at);
        if (glyph.shows || text[at] == '\n')
            out.append(text.substr(at, glyph.size));
        else
            out += '?';
        at += glyph.size;
    }
    return out;
}

std::string Style::in(const char* code, std::string_view text) const {
    if (!colors_) return std::string(text);
    return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

std::string Style::finding(const Finding& finding) const {
    std::string mark;
    switch (finding.severity) {
        case Severity::ok: mark = good("  ok  "); break;
        case Severity::skipped: mark = faint(" skip "); break;
        case Severity::warning: mark = caution(" warn "); break;
        case Severity::failed: mark = bad(" FAIL "); break;
    }
    std::string out = mark + strong(padded(finding.id, 34)) + " " + plain(finding.summary) + "\n";
    if (finding.severity == Severity::ok) return out;
    out += indented(plain(finding.detail), "        ");
    if (!finding.remedy.empty()) {
        std::string remedy = indented(plain(finding.remedy), "           ");
        remedy.replace(8, 2, "->");
        out += remedy;
    }
    return out;
}

std::string Style::findings(const Findings& findings, bool every) const {
    std::string out;
    std::size_t passed = 0;
    for (const auto& one : findings) {
        const bool quiet = one.severity == Severity::ok || one.severity == Severity::skipped;
        if (one.severity == Severity::ok) ++passed;
        if (every || !quiet) out += finding(one);
    }
    if (!every && passed > 0) out += good("  ok  ") + std::to_string(passed) + " checks passed\n";
    return out;
}

std::string Style::changes(const std::vector<Change>& changes) const {
    std::size_t owners = 0;
    for (const auto& change : changes) owners = std::max(owners, change.owner.size() + 1 + change.group.size());
    std::string out;
    for (const auto& change : changes) {
        const std::string action = padded(std::string(to_text(change.action)), 9);
        out += "  " + (change.action == Action::kept ? faint(action) : strong(action)) + padded(change.mode, 4) + "  " +
               padded(plain(change.owner + ":" + change.group), owners) + "  " + plain(change.path) + "\n";
    }
    return out;
}

std::string Style::diff(std::string_view diff) const {
    std::string out;
    while (!diff.empty()) {
        const auto end = diff.find('\n');
        const auto line = diff.substr(0, end);
        if (line.starts_with("+++") || line.starts_with("---"))
            out += strong(line);
        else if (line.starts_with('+'))
            out += good(line);
        else if (line.starts_with('-'))
            out += bad(line);
        else
            out += line;
        out += '\n';
        diff = end == std::string_view::npos ? std::string_view{} : diff.substr(end + 1);
    }
    return out;
}

std::string Style::phase(Phase phase) const {
    const auto word = to_text(phase);
    switch (phase) {
        case Phase::running:
        case Phase::awaiting_deployment: return good(word);
        case Phase::degraded:
        case Phase::failed: return bad(word);
        default: return caution(word);
    }
}

}  // namespace eflow
