#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/toml_reader.hpp"

namespace eflow {

/// A place in a TOML text that only moves forward and knows its line.
class TomlCursor {
public:
    /// Thrown by fail(); read_toml() alone catches it.
    struct Failed {
        TomlFault fault;
    };

    explicit TomlCursor(std::string_view text) : text_(text) {}

    [[nodiscard]] bool ended() const { return at_ >= text_.size(); }
    /// NUL past the end: no text with one gets this far.
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    [[nodiscard]] bool starts_with(std::string_view words) const { return text_.substr(at_).starts_with(words); }
    [[nodiscard]] std::size_t line() const { return line_; }
    [[nodiscard]] std::string_view text() const { return text_.substr(at_); }
    void skip(std::size_t count);
    /// What stands here up to the end of the line, as it may be shown.
    [[nodiscard]] std::string here() const;

    [[noreturn]] void fail(std::string what, std::string remedy) const {
        fail_at(line_, std::move(what), std::move(remedy));
    }
    [[noreturn]] static void fail_at(std::size_t line, std::string what, std::string remedy);

private:
    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
};

/// C0 controls but the tab, and DEL: TOML allows them nowhere.
bool is_control(char c);

/// A hostile name or value in quotes as it may be shown: printable, cut at 60 bytes.
std::string shown(std::string_view text);

/// A text that is not UTF-8 or holds a NUL, by the name of what it probably is; nothing when it is fit to be read.
std::optional<TomlFault> wrong_encoding(std::string_view text);

/// One part of a key: bare, or a string in quotes on one line.
std::string key_name(TomlCursor& at, const std::function<void(const char*)>& newer);

/// A string, number, boolean or date. `newer` is told of what TOML 1.0 does not know.
Toml::Value scalar(TomlCursor& at, const std::function<void(const char*)>& newer);

}  // namespace eflow
