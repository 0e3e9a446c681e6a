#include "vm-agent/placement/check.hpp"

#include <array>
#include <optional>
#include <vector>

#include "shared/failure.hpp"
#include "vm-agent/placement/decide.hpp"
#include "vm-agent/placement/readable.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_key = 64 * 1024;
constexpr std::size_t most_entries = 2000;
constexpr auto install = "Install aziot-identity-service and aziot-edge first.";

std::string access_text(const UserTable& users, const struct stat& status) {
    return octal(status.st_mode & 07777) + " " + users.user_name(status.st_uid) + ":" + users.group_name(status.st_gid);
}

/// What the contract says of one path; a difference is told with the commands that end it.
struct Wanted {
    std::string path;
    Access access;
};

Finding owner_and_mode(const Tree& tree, const UserTable& users, const std::vector<Wanted>& all) {
    constexpr auto id = "files.owner-and-mode";
    std::string detail;
    std::string remedy;
    for (const auto& one : all) {
        const auto status = tree.status(one.path);
        const std::string wanted = octal(one.access.mode) + " " + one.access.owner + ":" + one.access.group;
        const bool right = status && (status->st_mode & 07777) == one.access.mode &&
                           status->st_uid == users.user(one.access.owner).uid &&
                           status->st_gid == users.group(one.access.group);
        if (right) continue;
        detail += (detail.empty() ? "" : "\n") + one.path +
                  (status ? " is " + access_text(users, *status) + ", not " + wanted : " does not exist");
        if (status)
            remedy += (remedy.empty() ? "" : "\n") + std::string("chown ") + one.access.owner + ":" + one.access.group +
                      " " + one.path + "; chmod " + octal(one.access.mode) + " " + one.path;
    }
    if (detail.empty()) return ok(id, "Owners and modes are as they should be");
    return failed(id, "A file of the identity has another owner or mode", detail,
                  remedy.empty() ? "Run eflow-agent provision again." : remedy);
}

Finding readable(const Tree& tree, const UserTable& users, const char* id, const char* user, const char* what,
                 const std::string& path) {
    const auto obstacle = reading_obstacle(tree, path, users.user(user));
    if (!obstacle) return ok(id, std::string(user) + " can read the " + what, path);
    const bool is_path = obstacle->segment == path;
    return failed(id, std::string(user) + " cannot read the " + what,
                  path + ": " + obstacle->segment + " " + obstacle->why,
                  is_path ? "Run eflow-agent provision again: it sets owners and modes."
                          : "Let it pass: chmod o+rx " + obstacle->segment);
}

Finding key_protected(const Tree& tree, const UserTable& users, const std::string& key_path) {
    constexpr auto id = "files.key-protected";
    std::string detail;
    const auto complain = [&](const std::string& text) { detail += (detail.empty() ? "" : "\n") + text; };
    const auto key = tree.status(key_path);
    if (!key)
        return failed(id, "The private key does not exist", key_path, "Run eflow-agent provision again, with the key.");
    const unsigned root = users.user("root").uid;
    const unsigned keyd = users.user("aziotks").uid;
    const unsigned keyd_group = users.group("aziotks");
    const auto writable = [&](const struct stat& status) {
        return (status.st_mode & 02) != 0 || ((status.st_mode & 020) != 0 && status.st_gid != users.group("root")) ||
               (keyd != root && status.st_uid == keyd && (status.st_mode & 0200) != 0);
    };
    if ((key->st_mode & 04) != 0)
        complain(key_path + " can be read by everybody (" + octal(key->st_mode & 07777) + ")");
    if ((key->st_mode & 040) != 0 && key->st_gid != keyd_group && key->st_gid != users.group("root"))
        complain(key_path + " can be read by the group " + users.group_name(key->st_gid));
    if (writable(*key)) complain(key_path + " can be overwritten by others than root");
    const std::string folder = key_path.substr(0, key_path.rfind('/'));
    if (const auto status = tree.status(folder); status && writable(*status))
        complain(folder + " can be written by others than root (" + access_text(users, *status) +
                 "): identityd has keyd delete the key there when the certificate cannot be read");
    if (detail.empty()) return ok(id, "Nobody but root can change the private key");
    return failed(
        id, "The private key is not protected", detail,
        "chown root:aziotks " + folder + " " + key_path + "; chmod 0750 " + folder + "; chmod 0440 " + key_path);
}

bool is_private_key(const Tree& tree, const std::string& path, const struct stat& status) {
    if (!S_ISREG(status.st_mode) || static_cast<std::size_t>(status.st_size) > largest_key || status.st_size == 0)
        return false;
    try {
        const auto bytes = tree.read(path, largest_key);
        if (!bytes) return false;
        const auto begin = bytes->reveal().find("-----BEGIN ");
        if (begin == std::string_view::npos) return false;
        return bytes->reveal().substr(begin, 200).find("PRIVATE KEY-----") != std::string_view::npos ||
               bytes->reveal().find("PRIVATE KEY-----") != std::string_view::npos;
    } catch (const Failure&) {
        return false;
    }
}

/// Private keys that are in nobody's use: older identities, temporary files, copies left where they were staged.
Finding no_stray_keys(const Tree& tree, const UserTable& users, const std::string& key_path) {
    constexpr auto id = "files.no-stray-keys";
    std::vector<std::string> folders{
        "/var/aziot", "/var/aziot/secrets", "/var/aziot/certs", "/var/lib/eflow-agent", "/tmp", "/var/tmp"};
    const auto names_in = [&](const std::string& folder) {
        try {
            return tree.names(folder);
        } catch (const Failure&) {
            return std::vector<std::string>{};  // what this user may not list is told by other checks
        }
    };
    for (const auto& home : names_in("/home")) folders.push_back("/home/" + home);
    std::string detail;
    std::string remedy;
    bool open_to_others = false;
    std::size_t looked_at = 0;
    for (const auto& folder : folders) {
        for (const auto& name : names_in(folder)) {
            if (++looked_at > most_entries) break;
            const std::string path = folder + "/" + name;
            if (path == key_path) continue;
            std::optional<struct stat> status;
            try {
                status = tree.status(path);
            } catch (const Failure&) {
                continue;
            }
            if (!status || !is_private_key(tree, path, *status)) continue;
            detail += (detail.empty() ? "" : "\n") + path + " (" + access_text(users, *status) + ")";
            remedy += (remedy.empty() ? "If nothing needs it: shred -u " : " ") + path;
            open_to_others = open_to_others || (status->st_mode & 04) != 0;
        }
    }
    if (detail.empty()) return ok(id, "No private key lies about");
    return open_to_others ? failed(id, "A private key that is not in use can be read by everybody", detail, remedy)
                          : warning(id, "A private key that is not in use lies about", detail, remedy);
}

}  // namespace

Findings judge_files(const Tree& tree, const UserTable& users, const std::string& certificate_path,
                     const std::string& key_path) {
    Findings findings;
    // Without these users nothing about readers can be said.
    for (const char* name : {"aziotcs", "aziotks"})
        if (users.users.count(name) == 0) {
            for (const char* id :
                 {"owner-and-mode", "readable-by-aziotcs", "readable-by-aziotks", "key-protected", "no-stray-keys"})
                findings.push_back(skipped(std::string("files.") + id, "Not judged",
                                           std::string("the user or group ") + name + " does not exist. " + install));
            return findings;
        }
    if (certificate_path.empty() || key_path.empty()) {
        for (const char* id : {"owner-and-mode", "readable-by-aziotcs", "readable-by-aziotks", "key-protected"})
            findings.push_back(
                skipped(std::string("files.") + id, "Not judged", "config.toml names no identity files"));
    } else {
        std::vector<Wanted> wanted{{places::config, {"root", "root", 0600}}};
        if (certificate_path.starts_with(places::certificates)) {
            wanted.push_back({places::material, {"root", "root", 0755}});
            wanted.push_back({places::certificates, {"root", "aziotcs", 0755}});
            wanted.push_back({places::secrets, {"root", "aziotks", 0750}});
            wanted.push_back({certificate_path, {"root", "aziotcs", 0644}});
            wanted.push_back({key_path, {"root", "aziotks", 0440}});
        }
        findings.push_back(owner_and_mode(tree, users, wanted));
        findings.push_back(
            readable(tree, users, "files.readable-by-aziotcs", "aziotcs", "certificate", certificate_path));
        findings.push_back(readable(tree, users, "files.readable-by-aziotks", "aziotks", "private key", key_path));
        findings.push_back(key_protected(tree, users, key_path));
    }
    findings.push_back(no_stray_keys(tree, users, key_path));
    return findings;
}

}  // namespace eflow
