#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/secret.hpp"

namespace eflow {

/// An open descriptor, closed with its owner.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor();
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
    int release() noexcept;

private:
    int fd_ = -1;
};

/// The file tree of one machine, "/" or the folder given with --root. Every path is absolute as that machine sees it
/// and walked component by component by directory descriptor; a symbolic link at any segment, a `..` or a non-directory
/// on the way is a Failure that names the segment. Nothing outside the root can be reached.
class Tree {
public:
    enum class Kind {
        machine,  ///< the running machine: its services follow its files
        offline,  ///< an image or a sandbox: no service is touched
    };

    /// Throws Failure(usage) when `root` is no directory.
    Tree(const std::string& root, Kind kind);

    [[nodiscard]] const std::string& root() const noexcept { return root_; }
    [[nodiscard]] bool live() const noexcept { return kind_ == Kind::machine; }
    /// The directory itself (O_DIRECTORY); nothing when it does not exist.
    [[nodiscard]] std::optional<Descriptor> directory(std::string_view path) const;
    /// lstat of the last component; nothing when any component does not exist.
    [[nodiscard]] std::optional<struct stat> status(std::string_view path) const;
    /// The bytes of a regular file of at most `limit` bytes; nothing when it does not exist. Never blocks on a FIFO.
    [[nodiscard]] std::optional<SecretBytes> read(std::string_view path, std::size_t limit) const;
    /// Names in a directory, sorted, without `.` and `..`; empty when it does not exist.
    [[nodiscard]] std::vector<std::string> names(std::string_view path) const;

private:
    std::string root_;
    Kind kind_;
    Descriptor descriptor_;
};

}  // namespace eflow
