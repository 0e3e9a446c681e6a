#include "shared/toml_reader.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "shared/toml_scalar.hpp"
#include "shared/utf8.hpp"

namespace eflow {

namespace {

constexpr int deepest_brackets = 80;
constexpr int deepest = 400;

struct KeyPart {
    std::string name;
    std::size_t line = 0;
};
using KeyPath = std::vector<KeyPart>;

class Reader {
public:
    explicit Reader(std::string_view text) : at_(text) {}

    TomlText read() {
        TomlText out;
        out.root = new_table(1, false);
        root_ = table_of(out.root);
        current_ = root_;
        if (at_.starts_with("\xef\xbb\xbf")) at_.skip(3);
        for (;;) {
            blanks_and_lines();
            if (at_.ended()) break;
            if (at_.peek() == '[')
                header();
            else
                key_value(*current_, header_depth_, false);
            end_of_line();
        }
        out.newer = std::move(newer_);
        return out;
    }

private:
    static Toml new_table(std::size_t line, bool implicit) {
        auto table = std::make_unique<TomlTable>();
        table->implicit = implicit;
        return {std::move(table), line};
    }
    static TomlTable* table_of(Toml& value) {
        auto* table = std::get_if<std::unique_ptr<TomlTable>>(&value.value());
        return table == nullptr ? nullptr : table->get();
    }

    void newer(std::string what) {
        if (newer_.empty() || newer_.back() != std::pair(at_.line(), what)) newer_.emplace_back(at_.line(), what);
    }

    // What may stand between things.

    void blanks() {
        while (at_.peek() == ' ' || at_.peek() == '\t') at_.skip(1);
    }
    bool line_end() {
        if (at_.peek() == '\r') {
            if (at_.peek(1) != '\n')
                at_.fail("a carriage return stands alone", "End lines with a line feed, alone or after the return.");
            at_.skip(1);
        }
        if (at_.peek() != '\n' || at_.ended()) return false;
        at_.skip(1);
        return true;
    }
    bool comment() {
        if (at_.peek() != '#') return false;
        while (!at_.ended() && at_.peek() != '\n' && at_.peek() != '\r') {
            if (is_control(at_.peek()))
                at_.fail("a control character stands in a comment", "Take it out; a tab may stay.");
            at_.skip(1);
        }
        return true;
    }
    /// Blanks, comments and line ends; whether there was more than blanks.
    bool blanks_and_lines() {
        bool more = false;
        for (;;) {
            blanks();
            if (comment() || line_end())
                more = true;
            else
                return more;
        }
    }
    void end_of_line() {
        blanks();
        comment();
        if (!at_.ended() && !line_end())
            at_.fail("more stands on the line after its value: " + at_.here(),
                     "Begin a new line there, or put # before a comment.");
    }

    // Keys and headers.

    KeyPath key() {
        KeyPath path;
        for (;;) {
            blanks();
            path.push_back({key_name(at_, [this](const char* what) { newer(what); }), at_.line()});
            if (path.size() > deepest) at_.fail("a key has more than 400 parts", "Write tables instead.");
            blanks();
            if (at_.peek() != '.') return path;
            at_.skip(1);
        }
    }

    void header() {
        const std::size_t line = at_.line();
        at_.skip(1);
        const bool many = at_.peek() == '[';
        if (many) at_.skip(1);
        KeyPath path = key();
        const std::string_view close = many ? "]]" : "]";
        if (!at_.starts_with(close))
            at_.fail("the table's name is not closed", "Write " + std::string(many ? "[[name]]." : "[name]."));
        at_.skip(close.size());
        header_depth_ = static_cast<int>(path.size());
        const KeyPart last = std::move(path.back());
        path.pop_back();
        TomlTable& parent = descend(*root_, path, false, false);
        if (many)
            current_ = &one_more(parent, last, line);
        else
            current_ = &open(parent, last, line);
    }

    /// [name]: a new table, or one that until now was only a parent (document.rs:274, start_table).
    TomlTable& open(TomlTable& parent, const KeyPart& name, std::size_t line) {
        const auto found = parent.index.find(name.name);
        if (found == parent.index.end()) return *table_of(add(parent, name, new_table(line, false)));
        TomlEntry& entry = parent.entries[found->second];
        TomlTable* table = table_of(entry.value);
        if (table == nullptr || !table->implicit || table->dotted) twice(name.name, entry.line, line, true);
        table->implicit = false;
        entry.line = line;
        entry.value = Toml(std::move(entry.value.value()), line);
        return *table_of(entry.value);
    }

    TomlTable& one_more(TomlTable& parent, const KeyPart& name, std::size_t line) {
        const auto found = parent.index.find(name.name);
        Toml& value = found == parent.index.end() ? add(parent, name, Toml(Toml::Array{}, line))
                                                  : parent.entries[found->second].value;
        auto* array = std::get_if<Toml::Array>(&value.value());
        if (found == parent.index.end()) of_tables_.emplace(&parent, name.name);
        if (array == nullptr || of_tables_.count({&parent, name.name}) == 0)
            twice(name.name, parent.entries[found->second].line, line, true);
        array->push_back(new_table(line, false));
        return *table_of(array->back());
    }

    [[noreturn]] void twice(const std::string& name, std::size_t first, std::size_t line, bool table) {
        at_.fail_at(line, shown(name) + " stands here and in line " + std::to_string(first),
                    table ? "Keep one table of that name, with the keys of both." : "Keep one of the two.");
    }

    Toml& add(TomlTable& table, const KeyPart& name, Toml value) {
        const auto [place, fresh] = table.index.emplace(name.name, table.entries.size());
        if (!fresh) twice(name.name, table.entries[place->second].line, name.line, false);
        table.entries.push_back({name.name, name.line, std::move(value)});
        return table.entries.back().value;
    }

    /// The table below `path`, made where it is missing (document.rs:334 and inline_table.rs:191, descend_path).
    TomlTable& descend(TomlTable& from, const KeyPath& path, bool dotted, bool within_inline) {
        TomlTable* at = &from;
        for (const auto& part : path) {
            const auto found = at->index.find(part.name);
            if (found == at->index.end()) {
                TomlTable* next = table_of(add(*at, part, new_table(part.line, true)));
                next->dotted = dotted;
                next->closed = within_inline;
                at = next;
                continue;
            }
            TomlEntry& entry = at->entries[found->second];
            TomlTable* next = table_of(entry.value);
            auto* array = std::get_if<Toml::Array>(&entry.value.value());
            if (array != nullptr && !within_inline && of_tables_.count({at, part.name}) > 0)
                next = table_of(array->back());
            else if (next == nullptr || (next->closed && !within_inline))
                at_.fail_at(part.line,
                            shown(part.name) + " has its value already, in line " + std::to_string(entry.line),
                            "Write all of it at one place.");
            else if (dotted && !next->implicit)
                twice(part.name, entry.line, part.line, true);
            else if (dotted)
                next->dotted = true;
            at = next;
        }
        return *at;
    }

    void key_value(TomlTable& table, int depth, bool within_inline) {
        KeyPath path = key();
        // In braces, lines may end around the equals sign too.
        const auto space = [&] {
            blanks();
            if (within_inline && blanks_and_lines()) newer("a table in braces over several lines");
        };
        space();
        if (at_.peek() != '=') no_equals();
        at_.skip(1);
        space();
        KeyPart last = std::move(path.back());
        path.pop_back();
        depth += static_cast<int>(path.size());
        if (depth > deepest) too_deep();
        const bool dotted = !path.empty();
        TomlTable& parent = descend(table, path, dotted, within_inline);
        if (dotted && !parent.implicit) twice(last.name, last.line, last.line, true);
        Toml read = value(depth);
        add(parent, last, std::move(read));
    }

    [[noreturn]] void no_equals() {
        if (at_.peek() == ':')
            at_.fail("':' stands where '=' belongs", "Write key = \"value\": this is TOML, not YAML.");
        at_.fail("a key without '='" + (at_.ended() ? "" : ": " + at_.here()), "Write key = value.");
    }

    // Values.

    [[noreturn]] void too_deep() { at_.fail("it is nested too deep", "Nest at most 80 brackets."); }

    Toml value(int depth) {
        const std::size_t line = at_.line();
        switch (at_.peek()) {
            case '[': return {array(depth + 1), line};
            case '{': return {inline_table(depth + 1), line};
            default: return {scalar(at_, [this](const char* what) { newer(what); }), line};
        }
    }

    Toml::Array array(int depth) {
        if (++brackets_ > deepest_brackets || depth > deepest) too_deep();
        at_.skip(1);
        Toml::Array out;
        for (;;) {
            blanks_and_lines();
            if (at_.peek() == ']') break;
            if (at_.ended()) at_.fail("an array is not closed", "Close it with ].");
            out.push_back(value(depth));
            blanks_and_lines();
            if (at_.peek() == ',')
                at_.skip(1);
            else if (at_.peek() != ']')
                at_.fail(at_.ended() ? "an array is not closed" : "a comma or ] is missing: " + at_.here(),
                         "Separate the values by commas and close the array with ].");
        }
        at_.skip(1);
        --brackets_;
        return out;
    }

    std::unique_ptr<TomlTable> inline_table(int depth) {
        if (++brackets_ > deepest_brackets || depth > deepest) too_deep();
        at_.skip(1);
        auto out = std::make_unique<TomlTable>();
        out->closed = true;
        const auto next = [&] {
            if (blanks_and_lines()) newer("a table in braces over several lines");
        };
        for (;;) {
            next();
            if (at_.peek() == '}') {
                if (!out->entries.empty()) newer("a comma before }");
                break;
            }
            if (at_.ended()) at_.fail("a table in braces is not closed", "Close it with }.");
            key_value(*out, depth, true);
            next();
            if (at_.peek() == '}') break;
            if (at_.peek() != ',')
                at_.fail(at_.ended() ? "a table in braces is not closed" : "a comma or } is missing: " + at_.here(),
                         "Separate the keys by commas and close the table with }.");
            at_.skip(1);
        }
        at_.skip(1);
        --brackets_;
        return out;
    }

    TomlCursor at_;
    TomlTable* root_ = nullptr;
    TomlTable* current_ = nullptr;
    int header_depth_ = 0;
    int brackets_ = 0;
    /// Arrays written as [[name]], by the table that holds them: those alone may grow.
    std::set<std::pair<const TomlTable*, std::string>> of_tables_;
    std::vector<std::pair<std::size_t, std::string>> newer_;
};

}  // namespace

std::string_view Toml::kind() const {
    static constexpr std::array<std::string_view, 9> words{
        "a text",         "a whole number", "a whole number", "too large a number", "a decimal number", "true or false",
        "a date or time", "an array",       "a table"};
    return words[value_.index()];
}

const Toml* Toml::find(std::string_view key) const {
    const TomlTable* all = table();
    const TomlEntry* entry = all == nullptr ? nullptr : all->find(key);
    return entry == nullptr ? nullptr : &entry->value;
}

const Toml* Toml::find(std::initializer_list<std::string_view> path) const {
    const Toml* at = this;
    for (const auto key : path)
        if (at != nullptr) at = at->find(key);
    return at;
}

const TomlEntry* TomlTable::find(std::string_view key) const {
    const auto found = index.find(key);
    return found == index.end() ? nullptr : &entries[found->second];
}

std::variant<TomlText, TomlFault> read_toml(std::string_view text) {
    if (auto fault = wrong_encoding(text)) return std::move(*fault);
    try {
        return Reader(text).read();
    } catch (TomlCursor::Failed& failed) {
        return std::move(failed.fault);
    }
}

}  // namespace eflow
