#include "vm-agent/machine/tar_gz.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>

#include <zlib.h>

#include "shared/failure.hpp"

namespace eflow {

namespace {

constexpr std::size_t block = 512;
constexpr std::size_t name_length = 100;
constexpr std::size_t prefix_length = 155;

/// Fields of the header: where they begin, how long they are.
struct Field {
    std::size_t at;
    std::size_t length;
};
constexpr Field name_field{0, name_length};
constexpr Field mode_field{100, 8};
constexpr Field uid_field{108, 8};
constexpr Field gid_field{116, 8};
constexpr Field size_field{124, 12};
constexpr Field time_field{136, 12};
constexpr Field checksum_field{148, 8};
constexpr Field type_field{156, 1};
constexpr Field magic_field{257, 8};
constexpr Field owner_field{265, 32};
constexpr Field group_field{297, 32};
constexpr Field prefix_field{345, prefix_length};

using Header = std::array<char, block>;

void put(Header& header, const Field& field, std::string_view text) {
    const auto fits = text.substr(0, field.length);
    std::copy(fits.begin(), fits.end(), header.data() + field.at);
}

void put_number(Header& header, const Field& field, unsigned long long number) {
    std::array<char, 24> digits{};
    std::snprintf(digits.data(), digits.size(), "%0*llo", static_cast<int>(field.length - 1), number);
    put(header, field, digits.data());
}

[[noreturn]] void refuse(const std::string& name, const char* why) {
    throw Failure(ExitCode::internal, "the archive cannot hold '" + name.substr(0, 300) + "': " + why);
}

void require_plain(const std::string& name) {
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
               c == '_' || c == '/';
    });
    if (name.empty() || !plain) refuse(name, "it is no plain name");
    for (std::size_t from = 0; from <= name.size();) {
        const auto to = std::min(name.find('/', from), name.size());
        const auto part = name.substr(from, to - from);
        if (part.empty() || part == "." || part == "..") refuse(name, "it leads elsewhere");
        from = to + 1;
    }
}

Header header_of(const ArchiveEntry& entry, std::chrono::sys_seconds time) {
    require_plain(entry.name);
    std::string_view name = entry.name;
    std::string_view prefix;
    if (name.size() > name_length) {
        const auto slash = name.find('/', name.size() - name_length - 1);
        if (slash == std::string_view::npos || slash > prefix_length) refuse(entry.name, "it is too long");
        prefix = name.substr(0, slash);
        name = name.substr(slash + 1);
    }
    Header header{};
    put(header, name_field, name);
    put_number(header, mode_field, 0600);
    put_number(header, uid_field, 0);
    put_number(header, gid_field, 0);
    put_number(header, size_field, entry.text.size());
    put_number(header, time_field,
               static_cast<unsigned long long>(
                   std::max<long long>(0, static_cast<long long>(time.time_since_epoch().count()))));
    put(header, checksum_field, "        ");
    put(header, type_field, "0");
    put(header, magic_field,
        std::string_view("ustar\0"
                         "00",
                         8));
    put(header, owner_field, "root");
    put(header, group_field, "root");
    put(header, prefix_field, prefix);
    const unsigned sum = std::accumulate(header.begin(), header.end(), 0U, [](unsigned so_far, char c) {
        return so_far + static_cast<unsigned char>(c);
    });
    std::array<char, 8> digits{};
    std::snprintf(digits.data(), digits.size(), "%06o", sum);
    // Six digits, a NUL, a blank: as tar has always written it.
    put(header, checksum_field, std::string_view(digits.data(), 7));
    return header;
}

}  // namespace

std::string tar(const std::vector<ArchiveEntry>& entries, std::chrono::sys_seconds time) {
    std::string archive;
    for (const auto& entry : entries) {
        const Header header = header_of(entry, time);
        archive.append(header.data(), header.size());
        archive += entry.text;
        archive.append((block - entry.text.size() % block) % block, '\0');
    }
    archive.append(2 * block, '\0');
    return archive;
}

std::string gzip(std::string_view bytes) {
    constexpr int window_and_gzip = 15 + 16;
    constexpr int memory = 8;
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_and_gzip, memory, Z_DEFAULT_STRATEGY) != Z_OK)
        throw Failure(ExitCode::machine_lacks, "there is not enough memory to compress the archive");
    std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
    // zlib's interface has no const for what it only reads.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int done = deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    if (done != Z_STREAM_END) throw Failure(ExitCode::internal, "the archive could not be compressed");
    return out;
}

}  // namespace eflow
