#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eflow {

/// Overwrites `size` bytes so that the compiler cannot drop the writes.
inline void wipe(void* data, std::size_t size) noexcept {
    auto* byte = static_cast<volatile unsigned char*>(data);
    while (size-- > 0) *byte++ = 0;
}

/// Bytes that must not be printed, logged or left behind: no formatter, no stream operator, wiped on destruction.
/// Fixed in size from its making, so that no reallocation leaves a copy in freed memory.
class SecretBytes {
public:
    SecretBytes() = default;
    explicit SecretBytes(std::size_t size) : bytes_(size) {}
    explicit SecretBytes(std::string_view text) : bytes_(text.begin(), text.end()) {}
    SecretBytes(const SecretBytes&) = default;
    SecretBytes(SecretBytes&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    SecretBytes& operator=(SecretBytes other) noexcept {
        bytes_.swap(other.bytes_);
        return *this;
    }
    ~SecretBytes() { wipe(bytes_.data(), bytes_.size()); }

    [[nodiscard]] char* data() noexcept { return bytes_.data(); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    /// The bytes themselves, for the code that writes or parses them. Never hand this to a log or a message.
    [[nodiscard]] std::string_view reveal() const noexcept { return {bytes_.data(), bytes_.size()}; }

private:
    std::vector<char> bytes_;
};

}  // namespace eflow
