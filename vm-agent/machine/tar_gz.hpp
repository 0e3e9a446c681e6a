#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// A file of an archive.
struct ArchiveEntry {
    std::string name;  ///< relative, parts of letters, digits, dots, dashes and underscores
    std::string text;
};

/// The entries as a POSIX ustar archive (IEEE Std 1003.1, pax, "ustar Interchange Format"): regular files of root, mode
/// 0600, all of one time. Throws Failure(internal) for a name that the format cannot hold or that leads elsewhere.
std::string tar(const std::vector<ArchiveEntry>& entries, std::chrono::sys_seconds time);

/// `bytes` as one gzip member (RFC 1952).
std::string gzip(std::string_view bytes);

}  // namespace eflow
