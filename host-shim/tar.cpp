#include "host-shim/tar.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "shared/failure.hpp"

namespace eflow {

namespace {

constexpr std::size_t block = 512;
constexpr std::size_t largest = std::size_t{1} << 33;  // what eleven octal digits hold

using Header = std::array<char, block>;

void put(Header& header, std::size_t at, std::string_view text) {
    std::memcpy(header.data() + at, text.data(), text.size());
}

void put_octal(Header& header, std::size_t at, std::size_t digits, std::size_t value) {
    for (std::size_t i = 0; i < digits; ++i, value >>= 3)
        header[at + digits - 1 - i] = static_cast<char>('0' + (value & 7));
}

Header header_of(const TarEntry& entry, std::size_t size) {
    if (entry.name.empty() || entry.name.size() > 99 || size >= largest)
        throw Failure(ExitCode::internal, "'" + entry.name + "' does not fit into an archive");
    Header header{};
    const bool folder = entry.name.back() == '/';
    put(header, 0, entry.name);
    put_octal(header, 100, 7, entry.mode);
    put_octal(header, 108, 7, 0);
    put_octal(header, 116, 7, 0);
    put_octal(header, 124, 11, size);
    put_octal(header, 136, 11, 0);
    put(header, 148, "        ");
    header[156] = folder ? '5' : '0';
    put(header, 257,
        std::string_view("ustar\0"
                         "00",
                         8));
    std::size_t sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    put_octal(header, 148, 6, sum);
    header[154] = '\0';
    return header;
}

std::size_t padded(std::size_t size) {
    return (size + block - 1) / block * block;
}

}  // namespace

SecretBytes make_tar(const std::vector<TarEntry>& entries) {
    std::size_t total = 2 * block;
    for (const auto& entry : entries) total += block + (entry.content != nullptr ? padded(entry.content->size()) : 0);
    SecretBytes archive(total);
    char* at = archive.data();
    for (const auto& entry : entries) {
        const std::string_view content = entry.content != nullptr ? entry.content->reveal() : std::string_view();
        const Header header = header_of(entry, content.size());
        std::memcpy(at, header.data(), block);
        std::copy(content.begin(), content.end(), at + block);
        at += block + padded(content.size());
    }
    return archive;
}

}  // namespace eflow
