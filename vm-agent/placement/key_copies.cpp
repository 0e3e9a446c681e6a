#include "vm-agent/placement/key_copies.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "shared/failure.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/identity/pem.hpp"
#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/decide.hpp"
#include "vm-agent/placement/errors.hpp"
#include "vm-agent/placement/journal.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_key = 64 * 1024;
constexpr std::size_t most_entries = 4000;

/// Seen in the field: /home/iotedge-user/{certs,private} (EFLOW 1.1, and Microsoft's sample scripts),
/// /var/secrets/aziot (made by the VM's cloud-init since 1.4), /var/aziot and /etc/aziot/certificates (how-tos).
constexpr std::array folders_of_copies{"/home/iotedge-user", "/var/secrets",           "/var/secrets/aziot",
                                       "/var/aziot",         "/var/aziot/certs",       "/var/aziot/secrets",
                                       "/var/aziot/private", "/etc/aziot/certificates"};

/// A candidate, opened once: what was looked at is what is overwritten.
struct Opened {
    Descriptor folder;
    Descriptor file;
    struct stat status {};
    SecretBytes bytes;
};

/// Nothing when it is not there, or no regular file of a key's size. Throws Failure when it may not be opened.
std::optional<Opened> open_candidate(const Tree& tree, const std::string& path, int how) {
    auto folder = tree.directory(folder_of(path));
    if (!folder) return std::nullopt;
    Opened opened;
    opened.folder = std::move(*folder);
    opened.file = Descriptor(
        openat(opened.folder.get(), name_of(path).c_str(), how | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!opened.file.valid()) {
        if (errno == ENOENT) return std::nullopt;
        throw system_failure("cannot open", path, errno);
    }
    if (fstat(opened.file.get(), &opened.status) != 0) throw system_failure("cannot look at", path, errno);
    const auto size = static_cast<std::size_t>(opened.status.st_size);
    if (!S_ISREG(opened.status.st_mode) || size == 0 || size > largest_key) return std::nullopt;
    opened.bytes = SecretBytes(size);
    std::size_t filled = 0;
    while (filled < size) {
        const ssize_t count =
            pread(opened.file.get(), opened.bytes.data() + filled, size - filled, static_cast<off_t>(filled));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw system_failure("cannot read", path, errno);
        if (count == 0) return std::nullopt;
        filled += static_cast<std::size_t>(count);
    }
    return opened;
}

bool holds_key_of(std::string_view bytes, const Certificate& leaf) {
    if (bytes.find("PRIVATE KEY-----") == std::string_view::npos) return false;
    const auto key = read_private_key(bytes, "");
    return std::holds_alternative<PrivateKey>(key) && std::get<PrivateKey>(key).belongs_to(leaf);
}

bool is_wiped(std::string_view bytes) {
    return bytes.find_first_not_of('\0') == std::string_view::npos;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

/// The very name of the key in use, however the path to it was spelt or mounted.
bool is_placed(const Tree& tree, const Opened& opened, const std::string& path, const KeyCopies& copies) {
    struct stat folder {};
    const auto placed = tree.status(folder_of(copies.placed));
    return placed && fstat(opened.folder.get(), &folder) == 0 && id_of(folder) == id_of(*placed) &&
           name_of(path) == name_of(copies.placed);
}

/// A copy, or what an interrupted removal left of one that config.toml named.
bool is_copy(const Tree& tree, const Opened& opened, const std::string& path, const KeyCopies& copies) {
    if (is_placed(tree, opened, path, copies)) return false;
    const FileId id = id_of(opened.status);
    if (std::find(copies.spared.begin(), copies.spared.end(), id) != copies.spared.end()) return false;
    return holds_key_of(opened.bytes.reveal(), copies.leaf) ||
           (contains(copies.named, path) && is_wiped(opened.bytes.reveal()));
}

std::vector<std::string> names_in(const Tree& tree, const std::string& folder) {
    try {
        return tree.names(folder);
    } catch (const Failure&) {
        return {};  // a link or something else that is no folder: nothing that we look through
    }
}

std::vector<std::string> candidates(const Tree& tree, const KeyCopies& copies) {
    std::vector<std::string> all = copies.named;
    std::vector<std::string> folders(folders_of_copies.begin(), folders_of_copies.end());
    for (const auto& name : names_in(tree, folders.front())) folders.push_back(folders.front() + "/" + name);
    std::size_t looked_at = 0;
    for (const auto& folder : folders)
        for (const auto& name : names_in(tree, folder)) {
            if (++looked_at > most_entries) return all;
            if (const std::string path = folder + "/" + name; !contains(all, path)) all.push_back(path);
        }
    return all;
}

void overwrite(const Opened& opened, const std::string& path) {
    const SecretBytes zeros(opened.bytes.size());
    std::size_t written = 0;
    while (written < zeros.size()) {
        const ssize_t count = pwrite(opened.file.get(), zeros.reveal().data() + written, zeros.size() - written,
                                     static_cast<off_t>(written));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw system_failure("cannot overwrite", path, errno);
        written += static_cast<std::size_t>(count);
    }
    if (fsync(opened.file.get()) != 0) throw system_failure("cannot overwrite", path, errno);
}

/// Whether the name still leads to the file that was opened.
bool still_named(const Opened& opened, const std::string& path) {
    struct stat status {};
    return fstatat(opened.folder.get(), name_of(path).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           id_of(status) == id_of(opened.status);
}

}  // namespace

FileId id_of(const struct stat& status) {
    return {status.st_dev, status.st_ino};
}

std::vector<std::string> find_copies(const Tree& tree, const KeyCopies& copies) {
    std::vector<std::string> found;
    for (const auto& path : candidates(tree, copies)) {
        try {
            const auto opened = open_candidate(tree, path, O_RDONLY);
            if (opened && is_copy(tree, *opened, path, copies)) found.push_back(path);
        } catch (const Failure&) {
            continue;
        }
    }
    return found;
}

Findings remove_copies(const Tree& tree, const UserTable& users, const KeyCopies& copies,
                       const std::vector<std::string>& paths, std::vector<Change>& changes) {
    Findings findings;
    const auto placed = tree.status(copies.placed);
    for (const auto& path : paths) {
        try {
            const auto opened = open_candidate(tree, path, O_RDWR);
            if (!opened || !is_copy(tree, *opened, path, copies)) continue;
            // Another name of the key in use: overwriting it would take the device's key.
            if (!placed || id_of(*placed) != id_of(opened->status)) overwrite(*opened, path);
            if (!still_named(*opened, path) || !remove_name(opened->folder, name_of(path), path)) continue;
            sync_folder(opened->folder, path);
            changes.push_back({path, Action::removed, users.user_name(opened->status.st_uid),
                               users.group_name(opened->status.st_gid), octal(opened->status.st_mode & 07777)});
        } catch (const Failure& failure) {
            findings.push_back(warning("files.no-stray-keys", "A copy of the private key could not be removed",
                                       failure.what(), "See who may read it: ls -l " + shell_path(path)));
        }
    }
    return findings;
}

}  // namespace eflow
