#include "vm-agent/config/edit.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

namespace eflow {

namespace {

bool is_statement(const Statement& one) {
    return one.kind == Statement::Kind::header || one.kind == Statement::Kind::key_value;
}

bool is_bare(std::string_view part) {
    return !part.empty() && part.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
                                std::string_view::npos;
}

/// `a.b."c d"`, without the first `skipped` parts.
std::string dotted(const KeyPath& path, std::size_t skipped = 0) {
    std::string text;
    for (std::size_t i = skipped; i < path.size(); ++i)
        text += (text.empty() ? "" : ".") + (is_bare(path[i]) ? path[i] : quoted_toml(path[i]));
    return text;
}

KeyPath parent_of(const KeyPath& path) {
    return {path.begin(), path.end() - 1};
}

/// How lines end at `at`: as the line before it, or as the text's first.
std::string line_end_at(std::string_view text, std::size_t at) {
    auto end = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
    if (end == std::string_view::npos) end = text.find('\n');
    return end != std::string_view::npos && end > 0 && text[end - 1] == '\r' ? "\r\n" : "\n";
}

std::string inserted(std::string_view text, std::size_t at, const std::string& what) {
    return std::string(text.substr(0, at)) + what + std::string(text.substr(at));
}

/// A line after the statement, indented as it is. A last line without its end stays the last without one.
std::string line_after(std::string_view text, const Statement& one, const std::string& line) {
    const std::string end = line_end_at(text, one.end);
    std::string_view indentation = text.substr(one.begin, one.end - one.begin);
    indentation = indentation.substr(0, indentation.find_first_not_of(" \t"));
    const std::string indented = std::string(indentation) + line;
    return inserted(text, one.end, text[one.end - 1] == '\n' ? indented + end : end + indented);
}

/// A member at the end of the inline table whose `{` stands at `open`.
std::string member_added(std::string_view text, std::size_t open, const std::string& member) {
    const auto members = members_of(text, open, {});
    if (!members.empty()) return inserted(text, members.back().value_end, ", " + member);
    const auto close = text.find('}', open);
    return std::string(text.substr(0, open + 1)) + " " + member + " " + std::string(text.substr(close));
}

/// Where a value stands, in a statement or within inline tables.
struct Found {
    std::size_t value_begin = 0;
    std::size_t value_end = 0;
};

std::optional<Found> find_in_members(std::string_view text, std::size_t value, const KeyPath& at, const KeyPath& path) {
    if (text[value] != '{') return std::nullopt;
    for (const auto& member : members_of(text, value, at)) {
        if (member.path == path) return Found{member.value_begin, member.value_end};
        if (begins_with(path, member.path))
            if (const auto found = find_in_members(text, member.value_begin, member.path, path)) return found;
    }
    return std::nullopt;
}

std::optional<Found> find_value(std::string_view text, const std::vector<Statement>& all, const KeyPath& path) {
    for (const auto& one : all) {
        if (one.kind != Statement::Kind::key_value || !begins_with(path, one.path)) continue;
        if (one.path == path) return Found{one.value_begin, one.value_end};
        if (const auto found = find_in_members(text, one.value_begin, one.path, path)) return found;
    }
    return std::nullopt;
}

/// The last key of the section whose header is `all[header]`, or that header; with `comments`, the last comment line
/// that adjoins it.
std::size_t end_of_section(const std::vector<Statement>& all, std::size_t header, bool comments) {
    std::size_t last = header;
    for (std::size_t i = header + 1; i < all.size() && all[i].kind != Statement::Kind::header; ++i)
        if (all[i].kind == Statement::Kind::key_value) last = i;
    while (comments && last + 1 < all.size() && all[last + 1].kind == Statement::Kind::comment) ++last;
    return last;
}

/// `[table]` with its first line, after the tables of its parent or at the end of the text.
std::string with_new_table(std::string_view text, const std::vector<Statement>& all, const KeyPath& table,
                           const std::string& line) {
    std::optional<std::size_t> after;
    const KeyPath parent = parent_of(table);
    for (std::size_t i = 0; i < all.size() && !parent.empty(); ++i)
        if (all[i].kind == Statement::Kind::header && begins_with(all[i].path, parent)) after = i;
    std::size_t at = text.size();
    if (after) at = all[end_of_section(all, *after, true)].end;
    const std::string end = line_end_at(text, at);
    std::string block = "[" + dotted(table) + "]" + end + line + end;
    if (at > mark_size(text)) block.insert(0, text[at - 1] == '\n' ? end : end + end);
    return inserted(text, at, block);
}

std::string add_value(std::string_view text, const KeyPath& table, const KeyPath& key, const std::string& value) {
    const auto all = statements_of(text);
    const std::string line = dotted(key) + " = " + value;
    if (table.empty()) {
        const Statement* last = nullptr;
        for (const auto& one : all) {
            if (one.kind == Statement::Kind::header) break;
            if (one.kind == Statement::Kind::key_value) last = &one;
        }
        if (last != nullptr) return line_after(text, *last, line);
        const std::size_t start = mark_size(text);
        const std::string end = line_end_at(text, start);
        return inserted(text, start, line + end + (text.size() > start ? end : ""));
    }
    // An inline table, or what is there of it as a value.
    if (const auto found = find_value(text, all, table); found && text[found->value_begin] == '{')
        return member_added(text, found->value_begin, line);
    for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i].kind == Statement::Kind::header && all[i].path == table)
            return line_after(text, all[end_of_section(all, i, false)], line);
    // Dotted keys below a header further up, or below none.
    for (std::size_t i = all.size(); i-- > 0;)
        if (all[i].kind == Statement::Kind::key_value && all[i].header_size < table.size() &&
            all[i].path.size() > table.size() && begins_with(all[i].path, table)) {
            KeyPath whole = table;
            whole.insert(whole.end(), key.begin(), key.end());
            return line_after(text, all[i], dotted(whole, all[i].header_size) + " = " + value);
        }
    // Only tables below it have headers: its own goes before them, and before what is said of them.
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].kind != Statement::Kind::header || !begins_with(all[i].path, table)) continue;
        while (i > 0 && all[i - 1].kind == Statement::Kind::comment) --i;
        const std::string end = line_end_at(text, all[i].begin);
        return inserted(text, all[i].begin, "[" + dotted(table) + "]" + end + line + end + end);
    }
    const KeyPath parent = parent_of(table);
    if (!parent.empty()) {
        if (const auto found = find_value(text, all, parent); found && text[found->value_begin] == '{')
            return member_added(text, found->value_begin, dotted({table.back()}) + " = { " + line + " }");
        const bool by_dots = std::any_of(all.begin(), all.end(), [&](const Statement& one) {
            return one.kind == Statement::Kind::key_value && one.header_size < parent.size() &&
                   one.path.size() > parent.size() && begins_with(one.path, parent);
        });
        KeyPath longer = key;
        longer.insert(longer.begin(), table.back());
        if (by_dots) return add_value(text, parent, longer, value);
    }
    return with_new_table(text, all, table, line);
}

/// The comment on the statement's line, with its indentation and line end; empty when there is none.
std::string remark_of(std::string_view text, const Statement& one) {
    const auto rest = text.substr(one.value_end, one.end - one.value_end);
    const auto hash = rest.find('#');
    if (hash == std::string_view::npos || rest.find_first_not_of(" \t") != hash) return {};
    const std::string_view line = text.substr(one.begin, one.end - one.begin);
    return std::string(line.substr(0, line.find_first_not_of(" \t"))) + std::string(rest.substr(hash));
}

/// The member out of its inline table, with the comma that is then too many.
std::string member_removed(std::string_view text, const std::vector<Member>& members, std::size_t which) {
    std::size_t begin = members[which].begin;
    std::size_t end = members[which].value_end;
    if (which + 1 < members.size()) {
        end = members[which + 1].begin;
    } else if (which > 0) {
        begin = members[which - 1].value_end;
    } else {
        const auto comma = text.find_first_not_of(" \t\r\n", end);
        if (comma != std::string_view::npos && text[comma] == ',') end = comma + 1;
    }
    return std::string(text.substr(0, begin)) + std::string(text.substr(end));
}

std::optional<std::string> without_member(std::string_view text, std::size_t value, const KeyPath& at,
                                          const KeyPath& path) {
    if (text[value] != '{') return std::nullopt;
    const auto members = members_of(text, value, at);
    for (std::size_t i = 0; i < members.size(); ++i) {
        if (begins_with(members[i].path, path)) return member_removed(text, members, i);
        if (begins_with(path, members[i].path))
            if (auto done = without_member(text, members[i].value_begin, members[i].path, path)) return done;
    }
    return std::nullopt;
}

/// The statements at and below `path`.
std::vector<bool> at_or_below(const std::vector<Statement>& all, const KeyPath& path) {
    std::vector<bool> gone(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) gone[i] = is_statement(all[i]) && begins_with(all[i].path, path);
    return gone;
}

/// Blank lines alone between two statements that go, go too.
void mark_blanks_between(const std::vector<Statement>& all, std::vector<bool>& gone) {
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!gone[i]) continue;
        std::size_t next = i + 1;
        while (next < all.size() && all[next].kind == Statement::Kind::blank && !gone[next]) ++next;
        if (next < all.size() && gone[next])
            for (std::size_t blank = i + 1; blank < next; ++blank) gone[blank] = true;
    }
}

}  // namespace

std::string quoted_toml(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            std::array<char, 8> escape{};
            std::snprintf(escape.data(), escape.size(), "\\u%04X", byte);
            out += escape.data();
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string set_value(std::string_view text, const KeyPath& path, const std::string& value) {
    const auto all = statements_of(text);
    if (const auto found = find_value(text, all, path))
        return std::string(text.substr(0, found->value_begin)) + value + std::string(text.substr(found->value_end));
    const auto below = at_or_below(all, path);
    if (std::find(below.begin(), below.end(), true) != below.end())
        return add_value(remove_value(text, path), parent_of(path), {path.back()}, value);
    return add_value(text, parent_of(path), {path.back()}, value);
}

std::string remove_value(std::string_view text, const KeyPath& path, Remark remark) {
    const auto all = statements_of(text);
    auto gone = at_or_below(all, path);
    mark_blanks_between(all, gone);
    std::string out(text.substr(0, mark_size(text)));
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!gone[i])
            out += text.substr(all[i].begin, all[i].end - all[i].begin);
        else if (is_statement(all[i]) && remark == Remark::stays)
            out += remark_of(text, all[i]);
    }
    for (bool again = true; again;) {
        again = false;
        for (const auto& one : statements_of(out)) {
            if (one.kind != Statement::Kind::key_value || !begins_with(path, one.path)) continue;
            auto less = without_member(out, one.value_begin, one.path, path);
            if (!less) continue;
            out = std::move(*less);
            again = true;
            break;
        }
    }
    return out;
}

std::string remove_table(std::string_view text, const KeyPath& path) {
    const auto all = statements_of(text);
    auto gone = at_or_below(all, path);
    // A comment or blank line goes too when a key that goes follows it in the same section.
    for (std::size_t i = all.size(); i-- > 0;) {
        const bool between = all[i].kind == Statement::Kind::blank || all[i].kind == Statement::Kind::comment;
        const bool before_key =
            i + 1 < all.size() && gone[i + 1] && all[i + 1].kind != Statement::Kind::header && all[i + 1].below_header;
        if (between && before_key) gone[i] = true;
    }
    mark_blanks_between(all, gone);
    std::string out(text.substr(0, mark_size(text)));
    for (std::size_t i = 0; i < all.size(); ++i)
        if (!gone[i]) out += text.substr(all[i].begin, all[i].end - all[i].begin);
    return out;
}

}  // namespace eflow
