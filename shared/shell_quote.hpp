#pragma once

#include <string>
#include <string_view>

namespace eflow {

/// `text` as exactly one word of a POSIX shell, for commands that people copy out of a remedy and run as root. A plain word
/// (letters, digits and `_ . / : @ % + = , -`, no `-` in front) stays as it is; everything else is put between single
/// quotes. Control characters, C1 and what turns or hides text (bidi marks, zero-width characters, broken UTF-8) are written
/// as `$'\ooo'`, so that what is shown is what runs and a terminal cannot be driven by it: such a word needs bash, zsh or a
/// POSIX.1-2024 sh. A word that begins with `-` is quoted but still an option to most programs: give paths, not options.
[[nodiscard]] std::string shell_quoted(std::string_view text);

/// A file's path as one word that no program takes for an option: shell_quoted, with `./` before a leading `-`.
[[nodiscard]] std::string shell_path(std::string_view path);

}  // namespace eflow
