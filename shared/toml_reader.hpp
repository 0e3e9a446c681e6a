#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace eflow {

struct TomlTable;

/// One value of a TOML text, with its place.
class Toml {
public:
    /// A number outside of 64 bits, signed or not: whatever reads it as a number fails.
    struct TooLarge {
        bool for_all = false;  ///< beyond 128 bits or a float's range: also what only skips it fails
    };

    using Array = std::vector<Toml>;
    struct Datetime {
        std::string text;
    };
    using Value = std::variant<std::string, std::int64_t, std::uint64_t, TooLarge, double, bool, Datetime, Array,
                               std::unique_ptr<TomlTable>>;

    Toml() = default;
    Toml(Value value, std::size_t line) : value_(std::move(value)), line_(line) {}

    [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&value_); }
    [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&value_); }
    /// An integer of up to 63 bits; a larger one is none of this.
    [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value_); }
    [[nodiscard]] const Array* array() const { return std::get_if<Array>(&value_); }
    [[nodiscard]] const TomlTable* table() const {
        const auto* table = std::get_if<std::unique_ptr<TomlTable>>(&value_);
        return table == nullptr ? nullptr : table->get();
    }
    [[nodiscard]] const Value& value() const { return value_; }
    [[nodiscard]] Value& value() { return value_; }
    /// Where the value begins, 1-based.
    [[nodiscard]] std::size_t line() const { return line_; }
    /// What it is, in words: "text", "whole number", "table".
    [[nodiscard]] std::string_view kind() const;

    /// The value below the keys, or nullptr.
    [[nodiscard]] const Toml* find(std::string_view key) const;
    [[nodiscard]] const Toml* find(std::initializer_list<std::string_view> path) const;

private:
    Value value_;
    std::size_t line_ = 0;
};

struct TomlEntry {
    std::string key;
    std::size_t line = 0;  ///< where the key first stands: of the header for a table
    Toml value;
};

/// A table: its entries in the order of the text.
struct TomlTable {
    std::vector<TomlEntry> entries;
    std::map<std::string, std::size_t, std::less<>> index;

    // How it came about, which decides what may still be added to it (TOML 1.1, Table and Inline Table).
    bool implicit = false;  ///< only as the parent of another
    bool dotted = false;    ///< by a dotted key
    bool closed = false;    ///< written as { }

    [[nodiscard]] const TomlEntry* find(std::string_view key) const;
};

/// Why a text is no TOML, and where.
struct TomlFault {
    std::size_t line = 1;
    std::string what;    ///< what stands there or is missing
    std::string remedy;  ///< how such a line is written
};

struct TomlText {
    Toml root;  ///< a table
    /// Lines with syntax of TOML 1.1, which earlier readers refuse, in order; each with what it is.
    std::vector<std::pair<std::size_t, std::string>> newer;
};

/// Reads TOML 1.1 as Rust's crate toml 1.1.2 does, which IoT Edge 1.6 is built with: same texts taken, same refused.
/// Linear in the text; brackets and braces nest at most 80 deep (toml src/de/parser/mod.rs:74), everything 400.
std::variant<TomlText, TomlFault> read_toml(std::string_view text);

}  // namespace eflow
