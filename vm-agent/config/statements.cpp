#include "vm-agent/config/statements.hpp"

#include <algorithm>

namespace eflow {

namespace {

class Scanner {
public:
    explicit Scanner(std::string_view text, std::size_t at) : text_(text), at_(at) {}

    std::vector<Statement> run() {
        std::vector<Statement> all;
        KeyPath table;
        bool below_header = false;
        std::size_t begin = at_;
        while (at_ < text_.size()) {
            Statement one;
            one.begin = begin;
            skip_space();
            if (peek() == '[') {
                one.kind = Statement::Kind::header;
                while (peek() == '[') ++at_;
                table = key_path();
                one.path = table;
                while (peek() == ']') ++at_;
                one.value_begin = one.value_end = at_;
                below_header = true;
            } else if (peek() == '#') {
                one.kind = Statement::Kind::comment;
            } else if (peek() != '\n' && peek() != '\r' && at_ < text_.size()) {
                one.kind = Statement::Kind::key_value;
                one.path = table;
                for (auto& part : key_path()) one.path.push_back(std::move(part));
                if (peek() == '=') ++at_;
                skip_space();
                one.value_begin = at_;
                one.value_end = skip_value(false);
                one.below_header = below_header;
                one.header_size = table.size();
            }
            skip_line();
            one.end = begin = at_;
            all.push_back(std::move(one));
        }
        return all;
    }

    /// From after the `{` of an inline table to its `}`.
    std::vector<Member> members(const KeyPath& table) {
        std::vector<Member> all;
        for (;;) {
            while (peek() == '#' || (at_ < text_.size() && std::string_view(" \t\r\n,").find(peek()) != std::string_view::npos)) {
                if (peek() == '#')
                    skip_line();
                else
                    ++at_;
            }
            if (at_ >= text_.size() || peek() == '}') return all;
            Member one{table, at_, 0, 0};
            for (auto& part : key_path()) one.path.push_back(std::move(part));
            while (at_ < text_.size() && std::string_view(" \t\r\n=").find(peek()) != std::string_view::npos) ++at_;
            one.value_begin = at_;
            one.value_end = skip_value(true);
            all.push_back(std::move(one));
        }
    }

private:
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    void skip_space() {
        while (peek() == ' ' || peek() == '\t') ++at_;
    }

    void skip_line() {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
        if (at_ < text_.size()) ++at_;
    }

    /// `a . "b" . 'c'` up to what follows it.
    KeyPath key_path() {
        KeyPath path;
        for (;;) {
            skip_space();
            path.push_back(key_part());
            skip_space();
            if (peek() != '.') return path;
            ++at_;
        }
    }

    std::string key_part() {
        const char quote = peek();
        std::string part;
        if (quote == '"' || quote == '\'') {
            ++at_;
            while (at_ < text_.size() && peek() != quote && peek() != '\n') {
                if (quote == '"' && peek() == '\\') ++at_;
                part += peek();
                ++at_;
            }
            ++at_;
            return part;
        }
        while (at_ < text_.size() && std::string_view(" \t.=]\r\n#").find(peek()) == std::string_view::npos)
            part += text_[at_++];
        return part;
    }

    void skip_string() {
        const char quote = peek();
        const bool several_lines = peek(1) == quote && peek(2) == quote;
        at_ += several_lines ? 3 : 1;
        while (at_ < text_.size()) {
            if (quote == '"' && peek() == '\\') {
                at_ += 2;
            } else if (peek() == quote && (!several_lines || (peek(1) == quote && peek(2) == quote))) {
                at_ += several_lines ? 3 : 1;
                // Up to two quotes more may stand right before the closing three.
                while (several_lines && peek() == quote) ++at_;
                return;
            } else {
                ++at_;
            }
        }
    }

    /// To the end of the value; gives the byte after its last one that is no white space. Within an inline table a comma
    /// or the closing brace ends it, outside of one the line.
    std::size_t skip_value(bool within) {
        int depth = 0;
        std::size_t end = at_;
        while (at_ < text_.size()) {
            const char c = peek();
            if (c == '"' || c == '\'') {
                skip_string();
                end = at_ = std::min(at_, text_.size());
                continue;
            }
            if (depth == 0 && (within ? c == ',' || c == '}' : c == '\n' || c == '#')) break;
            if (c == '#') {
                while (at_ < text_.size() && peek() != '\n') ++at_;
                continue;
            }
            if (c == '[' || c == '{') ++depth;
            if (c == ']' || c == '}') --depth;
            ++at_;
            if (c != ' ' && c != '\t' && c != '\r' && c != '\n') end = at_;
        }
        return end;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

std::size_t mark_size(std::string_view text) {
    return text.starts_with("\xef\xbb\xbf") ? 3 : 0;
}

std::vector<Statement> statements_of(std::string_view text) {
    return Scanner(text, mark_size(text)).run();
}

std::vector<Member> members_of(std::string_view text, std::size_t open, const KeyPath& path) {
    return Scanner(text, open + 1).members(path);
}

bool begins_with(const KeyPath& path, const KeyPath& prefix) {
    return path.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

}  // namespace eflow
