#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// The parts of a key, outermost first: `provisioning`, `attestation`, `method`.
using KeyPath = std::vector<std::string>;

/// One statement of a TOML text with the bytes it takes: a header, a key with its value, or what stands between them.
struct Statement {
    enum class Kind { blank, comment, header, key_value };
    Kind kind = Kind::blank;
    std::size_t begin = 0;        ///< with its indentation
    std::size_t end = 0;          ///< after its line end
    KeyPath path;                 ///< whole: a key below a header carries the header's path in front
    std::size_t value_begin = 0;  ///< of a key_value; of a header: after its brackets
    std::size_t value_end = 0;
    bool below_header = false;    ///< a key_value that stands after some header
    std::size_t header_size = 0;  ///< how many parts of `path` come from the header above
};

/// Splits a text that a TOML parser has accepted into its statements; together they are every byte of it after the byte
/// order mark. Strings, arrays and inline tables over several lines are one statement.
std::vector<Statement> statements_of(std::string_view text);

/// How many bytes a byte order mark takes at the start of `text`: 3 or none.
std::size_t mark_size(std::string_view text);

/// One `key = value` of an inline table.
struct Member {
    KeyPath path;                 ///< whole
    std::size_t begin = 0;        ///< of its key
    std::size_t value_begin = 0;
    std::size_t value_end = 0;
};

/// The members of the inline table whose `{` stands at `open`; `path` is the table's.
std::vector<Member> members_of(std::string_view text, std::size_t open, const KeyPath& path);

/// `path` begins with `prefix`.
bool begins_with(const KeyPath& path, const KeyPath& prefix);

}  // namespace eflow
