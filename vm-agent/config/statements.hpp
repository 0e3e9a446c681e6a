#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// One statement of a TOML text with the bytes it takes: a header, a key with its value, or what stands between them.
struct Statement {
    enum class Kind { blank, comment, header, key_value };
    Kind kind = Kind::blank;
    std::size_t begin = 0;
    std::size_t end = 0;            ///< after its line end
    std::vector<std::string> path;  ///< whole: a key below a header carries the header's path in front
    std::size_t value_begin = 0;    ///< of a key_value
    std::size_t value_end = 0;
    bool below_header = false;  ///< a key_value that stands after some header
};

/// Splits a text that a TOML parser has accepted into its statements; together they are every byte of it. Strings over
/// several lines and arrays over several lines are one statement.
std::vector<Statement> statements_of(std::string_view text);

/// `path` begins with `prefix`.
bool begins_with(const std::vector<std::string>& path, const std::vector<std::string>& prefix);

}  // namespace eflow
