#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace eflow {

/// One character of a UTF-8 text: its bytes, and whether it may be shown as it is. Not shown are control characters (C0, DEL,
/// C1), line and paragraph separators, what turns the direction of text or has no width (bidi marks, zero-width characters,
/// tags, variation selectors beyond the emoji's) and each byte that is not UTF-8.
struct Glyph {
    std::size_t size = 1;
    bool shows = false;
};

/// The character that begins at `at`, which must be below text.size().
[[nodiscard]] Glyph glyph_at(std::string_view text, std::size_t at);

/// `text` with each character that may not be shown as `\xHH` for each of its bytes: it cannot drive a terminal, and no name
/// looks like another by what cannot be seen in it. At most `most` bytes of the text are taken; "..." then says so.
[[nodiscard]] std::string printable(std::string_view text, std::size_t most = 256);

}  // namespace eflow
