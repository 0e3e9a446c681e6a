#include "vm-agent/placement/stray_keys.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "shared/failure.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/placement/check.hpp"
#include "vm-agent/placement/exposure.hpp"
#include "vm-agent/placement/key_copies.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

constexpr auto id = "files.no-stray-keys";
constexpr std::size_t largest_key = 64 * 1024;
/// Of each directory, so that one user's many files hide nothing of another's.
constexpr std::size_t most_entries = 2000;
constexpr std::size_t most_homes = 64;
constexpr std::size_t most_told = 20;

/// Where the how-to, EFLOW and this program put identities: only root or IoT Edge writes there on a sound device.
constexpr std::array places_of_ours{"/var/aziot",   "/var/aziot/secrets", "/var/aziot/certs", "/var/secrets",
                                    "/var/secrets/aziot", "/etc/aziot",   places::state};
constexpr std::array places_of_others{"/tmp", "/var/tmp"};
constexpr auto homes = "/home";

struct Found {
    std::string path;
    struct stat status {};
    Exposure exposure;
    bool ours = false;  ///< in a place of ours
};

struct Search {
    std::vector<Found> keys;
    std::vector<std::string> cut;         ///< directories that were not looked through to the end
    std::vector<std::string> unreadable;  ///< directories and files that this user may not look into
};

struct Listing {
    std::vector<std::string> names;
    bool cut = false;
};

/// At most `limit` names, in order. Nothing for what is no directory.
Listing list(const Tree& tree, const std::string& folder, std::size_t limit) {
    Listing listing;
    const auto directory = tree.directory(folder);
    if (!directory) return listing;
    Descriptor readable(openat(directory->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!readable.valid()) throw Failure(ExitCode::machine_lacks, folder + " cannot be listed");
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(readable.get()), closedir);
    if (!stream) throw Failure(ExitCode::machine_lacks, folder + " cannot be listed");
    readable.release();
    while (const dirent* entry = readdir(stream.get())) {
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (listing.names.size() == limit) {
            listing.cut = true;
            break;
        }
        listing.names.push_back(name);
    }
    std::sort(listing.names.begin(), listing.names.end());
    return listing;
}

bool holds_private_key(std::string_view bytes) {
    // An OpenSSH key is nothing that keyd could load.
    for (std::size_t at = bytes.find("-----BEGIN "); at != std::string_view::npos;
         at = bytes.find("-----BEGIN ", at + 1)) {
        const std::string_view label = bytes.substr(at + 11, 40);
        const auto end = label.find("PRIVATE KEY-----");
        if (end != std::string_view::npos && !label.starts_with("OPENSSH")) return true;
    }
    return false;
}

/// Looks for private keys in one directory, not below it.
void look_through(const Tree& tree, const UserTable& users, const std::string& folder, bool ours, Search& search) {
    Listing listing;
    std::optional<struct stat> directory;
    try {
        directory = tree.status(folder);
        if (!directory || !S_ISDIR(directory->st_mode)) return;
        listing = list(tree, folder, most_entries);
    } catch (const Failure&) {
        search.unreadable.push_back(folder);
        return;
    }
    if (listing.cut) search.cut.push_back(folder);
    const Trusted all = trusted(users, {"aziotks", "aziotcs"});
    for (const auto& name : listing.names) {
        const std::string path = folder + "/" + name;
        try {
            const auto status = tree.status(path);
            if (!status || !S_ISREG(status->st_mode) || status->st_size == 0 ||
                static_cast<std::size_t>(status->st_size) > largest_key)
                continue;
            const auto bytes = tree.read(path, largest_key);
            if (bytes && holds_private_key(bytes->reveal()))
                search.keys.push_back({path, *status, exposure_of(tree, users, path, all), ours});
        } catch (const Failure&) {
            search.unreadable.push_back(path);
        }
    }
}

Search search_all(const Tree& tree, const UserTable& users) {
    Search search;
    for (const char* folder : places_of_ours) look_through(tree, users, folder, true, search);
    for (const char* folder : places_of_others) look_through(tree, users, folder, false, search);
    try {
        const Listing all = list(tree, homes, most_homes);
        if (all.cut) search.cut.emplace_back(homes);
        for (const auto& home : all.names) {
            // EFLOW's VM: certs and private below it (EFLOW 1.1, and Microsoft's sample scripts).
            for (const char* below : {"", "/certs", "/private"})
                look_through(tree, users, std::string(homes) + "/" + home + below, false, search);
        }
    } catch (const Failure&) {
        search.unreadable.emplace_back(homes);
    }
    return search;
}

bool belongs_to(const UserTable& users, const struct stat& status) {
    const Trusted all = trusted(users, {"aziotks", "aziotcs"});
    return std::find(all.uids.begin(), all.uids.end(), status.st_uid) != all.uids.end();
}

bool everybody_reads(const Found& key) {
    return !key.exposure.readers.empty() && key.exposure.readers.front().everybody;
}

/// A key of root's or IoT Edge's, where nobody else could have put or replaced it.
bool is_ours(const UserTable& users, const Found& key) {
    return key.ours && key.exposure.changers.empty() && belongs_to(users, key.status);
}

std::string described(const UserTable& users, const Found& key) {
    std::string text = shell_path(key.path) + " (" + access_text(users, key.status) + ")";
    if (key.exposure.readers.empty()) return text + ": only root, IoT Edge or its owner can read it";
    return text + ": can be read by " + to_text(key.exposure.readers);
}

/// What its owner or root can do about it without destroying anything. Where others could swap a name for a link while
/// root follows the advice, root is given none to run.
std::string advice(const UserTable& users, const Found& key) {
    const std::string name = shell_path(key.path);
    if (is_ours(users, key))
        return "sudo chmod 0600 " + name + "\nsudo mv -n " + name + " /root";
    if (!belongs_to(users, key.status))
        return "sudo -u " + shell_path(users.user_name(key.status.st_uid)) + " chmod go= " + name;
    return "ls -l " + name;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
    return text;
}

std::string names_of(const std::vector<std::string>& paths) {
    std::string text;
    for (std::size_t i = 0; i < paths.size() && i < most_told; ++i)
        text += (text.empty() ? "" : " ") + shell_path(paths[i]);
    if (paths.size() > most_told) text += " and " + std::to_string(paths.size() - most_told) + " more";
    return text;
}

/// What the search did not see, as lines for the detail.
std::vector<std::string> gaps(const Search& search) {
    std::vector<std::string> lines;
    if (!search.cut.empty())
        lines.push_back("the search was cut after " + std::to_string(most_entries) +
                        " entries, so there may be more in " + names_of(search.cut));
    if (!search.unreadable.empty()) lines.push_back("could not be looked into: " + names_of(search.unreadable));
    return lines;
}

}  // namespace

Finding judge_stray_keys(const Tree& tree, const UserTable& users, const std::optional<std::string>& config) {
    const KeysInUse used = keys_in_use(tree, config);
    Search search = search_all(tree, users);
    // Another name of a key in use is that key.
    std::vector<FileId> ids;
    for (const auto& path : used.paths) {
        try {
            if (const auto status = tree.status(path)) ids.push_back(id_of(*status));
        } catch (const Failure&) {
            // Reached through a link: it has no name of its own in the places that are searched.
        }
    }
    std::erase_if(search.keys, [&](const Found& key) {
        return used.may_use(key.path) || std::find(ids.begin(), ids.end(), id_of(key.status)) != ids.end();
    });

    std::vector<std::string> lines;
    std::vector<std::string> remedies;
    bool fails = false;
    bool open = false;
    for (const auto& key : search.keys) {
        open = open || everybody_reads(key);
        fails = fails || (everybody_reads(key) && is_ours(users, key));
        if (lines.size() == most_told) continue;
        lines.push_back(described(users, key));
        remedies.push_back(advice(users, key));
    }
    if (search.keys.size() > lines.size())
        lines.push_back("and " + std::to_string(search.keys.size() - lines.size()) + " more");
    const std::vector<std::string> unseen = gaps(search);
    lines.insert(lines.end(), unseen.begin(), unseen.end());

    if (search.keys.empty()) {
        if (search.cut.empty()) return ok(id, "No private key lies about", joined(lines));
        return warning(id, "Not every directory was searched for private keys to the end", joined(lines),
                       "Look through the rest: sudo grep -ls 'PRIVATE KEY' " + shell_path(search.cut.front()) + "/*");
    }
    if (!used.doubt.empty()) {
        // Whose they are cannot be said, so nothing is said but where they are.
        lines.insert(lines.begin(), "whether it is in use cannot be said: " + used.doubt);
        return open ? warning(id, "A private key can be read by everybody", joined(lines), "")
                    : skipped(id, "Whether private keys are in use was not judged", joined(lines));
    }
    lines.insert(lines.begin(), "neither config.toml, nor the one before it, nor any other setting of IoT Edge names it");
    std::string remedy = joined(remedies);
    remedy = "Restrict it; and set it aside once it is certain that nothing needs it:\n" + remedy;
    return fails ? failed(id, "A private key that no setting names can be read by everybody", joined(lines), remedy)
                 : warning(id, "A private key that no setting names lies about", joined(lines), remedy);
}

}  // namespace eflow
