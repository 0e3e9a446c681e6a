#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace eflow {

/// A text file as people's editors write it, as UTF-8 without a byte order mark: UTF-8 with one or without, and UTF-16 of
/// either order, with a mark or recognised by its zero bytes (Windows PowerShell's `>` and Out-File write it so). Nothing
/// when it is none of these; what is then wrong says `text_fault`.
[[nodiscard]] std::optional<std::string> written_text(std::string_view bytes);

/// Why a file is no text, for a person: "it is not UTF-8 (byte 17)", "it is UTF-32".
[[nodiscard]] std::string text_fault(std::string_view bytes);

/// "line 3, column 14" for the byte at which a parser stopped, counted from one. Nothing of the text itself, in which
/// secrets may stand.
[[nodiscard]] std::string place_in(std::string_view text, std::size_t byte);

}  // namespace eflow
