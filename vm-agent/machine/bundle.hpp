#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "vm-agent/machine/input.hpp"
#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// A folder in which somebody staged files for us, and whoever could write there is not trusted with more than that:
/// entered once, so that what is judged is what is read; files by plain names only; no links, pipes, devices; none that
/// a third user owns or could change.
class Bundle {
public:
    /// Throws Failure(refused) when it is a link, no folder, one that others than its owner can write to, or one of
    /// somebody else than root, this process's user and `caller` (who ran sudo). What is staged decides which cloud the
    /// device obeys, so it is worth no less than root.
    Bundle(const std::string& given, std::optional<uid_t> caller);

    /// The folder as given.
    [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
    /// Whether an absolute path leads into the folder.
    [[nodiscard]] bool holds(const std::string& path) const;
    /// The file of that name, of at most `limit` bytes; `why` says what kept it from being read.
    [[nodiscard]] InputFile read(const std::string& name, std::size_t limit) const;
    /// The file of that name, if it is there at all: to know it again elsewhere.
    [[nodiscard]] std::optional<struct stat> status(const std::string& name) const;

    /// The name in the folder that a path written in a manifest stands for: the base name of a Windows path or of a
    /// relative one, and of an absolute one that leads right into this folder. Throws Failure(refused) for every other:
    /// `key` is the manifest's key.
    [[nodiscard]] std::string name_of(const std::string& written, const char* key) const;

private:
    std::string folder_;
    Descriptor descriptor_;
    struct stat status_ {};
};

}  // namespace eflow
