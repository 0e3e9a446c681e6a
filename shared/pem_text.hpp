#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "shared/secret.hpp"

namespace eflow {

/// How the bytes of a text file are written. UTF-16 is told by its byte order mark, or by a first character `-` or letter
/// with a zero byte beside it.
enum class TextEncoding { plain, utf8_bom, utf16 };

[[nodiscard]] TextEncoding encoding_of(std::string_view bytes);

/// One block of a PEM text, BEGIN line to END line, and the line that it begins in (from 1).
struct PemBlock {
    std::string_view label;
    std::string_view text;
    std::size_t line = 0;
};

/// A line that looks like a BEGIN or END line of PEM and is none, or has no partner: whatever it delimits would be passed over
/// by OpenSSL's reader without a word (pem_lib.c get_name wants the five dashes at both ends of the line).
struct PemFault {
    enum class Kind {
        not_ended,      ///< no END line before the next BEGIN line or the end of the file: cut
        not_begun,      ///< an END line without a BEGIN line
        label_differs,  ///< BEGIN X, END Y
        joined,         ///< two of these lines, or one and base64, stand in one line
        wrapped,        ///< indented, quoted, commented out, or inside a string
        escaped,        ///< line ends are written as \n, as in JSON and C
        dashes,         ///< not five hyphens on both sides
        carriage_returns,  ///< lines end in CR alone, which OpenSSL takes for one line
    };
    Kind kind = Kind::not_ended;
    std::size_t line = 0;
};

/// The PEM blocks of a file, found in one pass over its lines and by OpenSSL's rules: blanks at the end of a line, CRLF, text
/// around blocks and blocks of any label are fine. A byte order mark is read past, UTF-16 is read as the text that it is.
/// Refers to the bytes it was made from, or owns its text where they were UTF-16.
class PemText {
public:
    explicit PemText(std::string_view bytes);
    PemText(PemText&&) = default;
    PemText& operator=(PemText&&) = default;

    [[nodiscard]] TextEncoding encoding() const noexcept { return encoding_; }
    /// As UTF-8 without a byte order mark.
    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    [[nodiscard]] const std::vector<PemBlock>& blocks() const noexcept { return blocks_; }
    /// In the order of the file; the first few where there are many.
    [[nodiscard]] const std::vector<PemFault>& faults() const noexcept { return faults_; }

private:
    void scan();

    TextEncoding encoding_;
    SecretBytes converted_;
    std::string_view text_;
    std::vector<PemBlock> blocks_;
    std::vector<PemFault> faults_;
};

/// What is wrong with the block, as the end of a sentence: "line 12: the block has no END line: the file is cut".
[[nodiscard]] std::string to_text(const PemFault& fault);

}  // namespace eflow
