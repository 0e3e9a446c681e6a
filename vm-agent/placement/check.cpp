#include "vm-agent/placement/check.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "shared/failure.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/placement/decide.hpp"
#include "vm-agent/placement/exposure.hpp"
#include "vm-agent/placement/named_files.hpp"
#include "vm-agent/placement/plan.hpp"
#include "vm-agent/placement/readable.hpp"
#include "vm-agent/placement/stray_keys.hpp"

namespace eflow {

namespace {

using Role = NamedFile::Role;

constexpr auto owner_and_mode = "files.owner-and-mode";
constexpr auto key_protected = "files.key-protected";
constexpr auto install = "Install aziot-identity-service and aziot-edge first.";
constexpr auto move_advice =
    "Put the file into /var/aziot/certs, or a key into /var/aziot/secrets, and let config.toml name it there.";

/// What was found of one row, file by file, and what ends it. Each remedy stands once.
class Row {
public:
    void fail(const std::string& line, const std::vector<std::string>& remedies) {
        add(failures_, line);
        for (const auto& remedy : remedies) add(remedies_, remedy);
    }
    void warn(const std::string& line, const std::vector<std::string>& remedies) {
        add(warnings_, line);
        for (const auto& remedy : remedies) add(remedies_, remedy);
    }
    /// What would be tighter, or could not be judged: no fault.
    void hint(const std::string& line) { add(hints_, line); }

    [[nodiscard]] Finding finding(const char* id, const char* well, const char* unwell) const {
        if (failures_.empty() && warnings_.empty()) return ok(id, well, joined(hints_));
        std::vector<std::string> lines = failures_;
        lines.insert(lines.end(), warnings_.begin(), warnings_.end());
        return failures_.empty() ? warning(id, unwell, joined(lines), joined(remedies_))
                                 : failed(id, unwell, joined(lines), joined(remedies_));
    }

private:
    static void add(std::vector<std::string>& to, const std::string& line) {
        if (std::find(to.begin(), to.end(), line) == to.end()) to.push_back(line);
    }
    static std::string joined(const std::vector<std::string>& lines) {
        std::string text;
        for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
        return text;
    }

    std::vector<std::string> failures_, warnings_, hints_, remedies_;
};

bool lies_in(const std::string& path, const std::string& folder) {
    return path == folder || path.starts_with(folder + "/");
}

/// A directory whose owner and mode this program may advise to change: no home, nothing of the system's.
bool is_ours_to_set(const std::string& segment) {
    return lies_in(segment, places::material) || lies_in(segment, "/var/secrets") || lies_in(segment, "/etc/aziot");
}

std::string chown_chmod(const std::string& path, const char* owner, const char* mode) {
    const std::string name = shell_path(path);
    return std::string("sudo chown ") + owner + " " + name + "\nsudo chmod " + mode + " " + name;
}

/// What makes `segment`, the file or a directory above it, as ours is.
std::string set_right(const NamedFile& file, const std::string& segment) {
    const bool key = file.role == Role::key;
    if (segment == file.path) {
        if (key) return chown_chmod(segment, "root:aziotks", "0440");
        if (file.role == Role::payload) return chown_chmod(segment, "root:aziotid", "0440");
        return chown_chmod(segment, "root:aziotcs", "0644");
    }
    if (!is_ours_to_set(segment)) return move_advice;
    if (key && segment == places::secrets) return chown_chmod(segment, "root:aziotks", "0750");
    if (segment == places::certificates) return chown_chmod(segment, "root:aziotcs", "0755");
    return chown_chmod(segment, "root:root", "0755");
}

std::vector<std::string> set_right(const NamedFile& file, const std::vector<Stranger>& strangers) {
    std::vector<std::string> remedies;
    for (const auto& one : strangers) remedies.push_back(set_right(file, one.segment));
    return remedies;
}

/// Looks at one file for one row; what cannot be judged is a hint.
template <class Look>
void each(Row& row, const std::vector<NamedFile>& files, Look look) {
    for (const auto& file : files) {
        try {
            look(file);
        } catch (const Failure& failure) {
            row.hint(file.what + " was not judged: " + failure.what());
        }
    }
}

std::string named(const NamedFile& file) {
    return file.what + " " + shell_path(file.path);
}

// --- files.owner-and-mode ---------------------------------------------------------------------------------------------

/// config.toml: whoever writes it decides what root applies; whoever reads it has its secrets.
void judge_config_file(const Tree& tree, const UserTable& users, std::string_view text, Row& row) {
    const std::string path = places::config;
    const Exposure exposure = exposure_of(tree, users, path, trusted(users, {}));
    const Exposure strangers = exposure_of(tree, users, path, trusted(users, {"aziotks", "aziotcs"}));
    const auto status = tree.status(path);
    if (!status) return;
    const std::string is = path + " is " + access_text(users, *status) + " and ";
    const std::vector<std::string> remedies{chown_chmod(path, "root:root", "0600")};
    std::vector<std::string> change_remedies = remedies;
    for (const auto& one : exposure.changers)
        if (one.segment != path) change_remedies.push_back(chown_chmod(one.segment, "root:root", "0755"));
    if (!strangers.changers.empty())
        row.fail(is + "can be changed by " + to_text(strangers.changers), change_remedies);
    else if (!exposure.changers.empty())
        row.warn(is + "can be changed by " + to_text(exposure.changers), change_remedies);
    if (exposure.readers.empty()) return;
    const std::string readers = is + "can be read by " + to_text(exposure.readers);
    const bool everybody = exposure.readers.front().everybody;
    const bool secret = redacted(text) != text;
    if (secret && everybody)
        row.fail(readers + ", and a secret stands in it", remedies);
    else if (secret)
        row.warn(readers + ", and a secret stands in it", remedies);
    else if (everybody)
        row.warn(readers + "; no secret stands in it", remedies);
    else
        row.hint(readers + "; no secret stands in it");
}

Finding judge_owners(const Tree& tree, const UserTable& users, const std::optional<std::string>& config,
                     const std::vector<NamedFile>& files) {
    Row row;
    const Trusted all = trusted(users, {"aziotks", "aziotcs"});
    if (config) {
        try {
            judge_config_file(tree, users, *config, row);
        } catch (const Failure& failure) {
            row.hint(std::string(places::config) + " was not judged: " + failure.what());
        }
    }
    each(row, files, [&](const NamedFile& file) {
        const auto status = tree.status(file.path);
        if (!status) return;  // said by the row of its reader
        const Exposure exposure = exposure_of(tree, users, file.path, all);
        if (!exposure.changers.empty())
            row.fail(named(file) + " (" + access_text(users, *status) + ") can be changed or replaced by " +
                         to_text(exposure.changers),
                     set_right(file, exposure.changers));
        else if (status->st_uid != users.user("root").uid)
            row.hint("tighter: " + named(file) + " (" + access_text(users, *status) + ") owned by root");
    });
    return row.finding(owner_and_mode, "Only root and IoT Edge can change config.toml and what it names",
                       "Others than root and IoT Edge can reach what they should not");
}

// --- files.readable-by-… ----------------------------------------------------------------------------------------------

Finding judge_readable(const Tree& tree, const UserTable& users, Role role, const std::vector<NamedFile>& files,
                       const char* id, const char* well, const char* unwell) {
    Row row;
    const char* user = reader_of(role);
    each(row, files, [&](const NamedFile& file) {
        if (file.role != role) return;
        const auto obstacle = reading_obstacle(tree, file.path, users.user(user));
        if (!obstacle) return row.hint(named(file));
        if (!tree.status(file.path)) {
            if (file.may_be_absent) return row.hint(named(file) + " is not there yet");
            return row.fail(named(file) + " does not exist",
                            {"Put " + file.what + " there, or take its name out of config.toml."});
        }
        const bool passing = obstacle->segment != file.path;
        const bool world = passing && (is_ours_to_set(obstacle->segment) && obstacle->segment != places::secrets);
        row.fail(named(file) + ": " + shell_path(obstacle->segment) + " is not readable by user " + user + ": it " +
                     obstacle->why,
                 {world ? "sudo chmod o+rx " + shell_path(obstacle->segment) : set_right(file, obstacle->segment)});
    });
    return row.finding(id, well, unwell);
}

// --- files.key-protected ----------------------------------------------------------------------------------------------

/// identityd takes a certificate that certd cannot give for one that was never issued: with a registration_id it has
/// keyd delete the key and make another in its place (aziot-identityd/src/identity.rs get_identity_credentials,
/// aziot-keys/src/key_pair.rs delete_inner).
bool keyd_may_delete(const Tree& tree, const UserTable& users, const std::string& path) {
    const auto keyd = users.user("aziotks");
    const auto folder = tree.status(path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)));
    if (!folder || keyd.uid == users.user("root").uid) return false;
    return folder->st_uid == keyd.uid || (folder->st_gid == keyd.gid && (folder->st_mode & 0020) != 0) ||
           (folder->st_mode & 0002) != 0;
}

Finding judge_keys(const Tree& tree, const UserTable& users, std::string_view config,
                   const std::vector<NamedFile>& files) {
    Row row;
    const Trusted all = trusted(users, {"aziotks", "aziotcs"});
    const auto provisioning = read_provisioning(config);
    const bool reissues = provisioning && provisioning->registration_id;
    each(row, files, [&](const NamedFile& file) {
        if (file.role != Role::key) return;
        const auto status = tree.status(file.path);
        if (!status) return;
        const Exposure exposure = exposure_of(tree, users, file.path, all);
        const std::string is = named(file) + " (" + access_text(users, *status) + ")";
        if (!exposure.readers.empty())
            row.fail(is + " can be read by " + to_text(exposure.readers), set_right(file, exposure.readers));
        if (!exposure.changers.empty())
            row.fail(is + " can be changed or replaced by " + to_text(exposure.changers),
                     set_right(file, exposure.changers));
        if (!file.identity || !keyd_may_delete(tree, users, file.path)) return;
        const std::string folder = file.path.substr(0, std::max<std::size_t>(file.path.rfind('/'), 1));
        const std::string hazard = "keyd may delete " + shell_path(file.path) + ", since aziotks can write " +
                                   shell_path(folder);
        if (reissues && is_ours_to_set(folder))
            row.warn(hazard + "; with registration_id in config.toml, identityd has it do so when the certificate "
                              "cannot be read",
                     {chown_chmod(folder, "root:aziotks", "0750"), chown_chmod(file.path, "root:aziotks", "0440")});
        else
            row.hint("tighter: " + hazard);
    });
    return row.finding(key_protected, "Nobody but root and keyd can read or change the private keys",
                       "A private key is not protected");
}

}  // namespace

std::string access_text(const UserTable& users, const struct stat& status) {
    return octal(status.st_mode & 07777) + " " + users.user_name(status.st_uid) + ":" +
           users.group_name(status.st_gid);
}

std::vector<std::string> missing_users(const UserTable& users) {
    std::vector<std::string> missing;
    for (const std::string name : {"aziotks", "aziotcs", "aziotid"})
        if (users.users.count(name) == 0) missing.push_back(name);
    return missing;
}

Findings judge_readers(const Tree& tree, const UserTable& users, const std::vector<NamedFile>& files) {
    struct ReaderRow {
        Role role;
        const char* id;
        const char* well;
        const char* unwell;
    };
    static constexpr std::array<ReaderRow, 3> rows{{
        {Role::certificate, "files.readable-by-aziotcs", "aziotcs can read every certificate that config.toml names",
         "aziotcs cannot read a certificate that config.toml names"},
        {Role::key, "files.readable-by-aziotks", "aziotks can read every key that config.toml names",
         "aziotks cannot read a key that config.toml names"},
        {Role::payload, "files.readable-by-aziotid", "aziotid can read the DPS payload",
         "aziotid cannot read the DPS payload"},
    }};
    Findings findings;
    for (const auto& row : rows) {
        const bool named = std::any_of(files.begin(), files.end(), [&](const auto& one) { return one.role == row.role; });
        const std::string user = reader_of(row.role);
        if (!named && row.role == Role::payload) continue;
        if (!named)
            findings.push_back(skipped(row.id, "Not judged", "config.toml names no such file"));
        else if (users.users.count(user) == 0)
            findings.push_back(skipped(row.id, "Not judged", "the user " + user + " does not exist. " + install));
        else
            findings.push_back(judge_readable(tree, users, row.role, files, row.id, row.well, row.unwell));
    }
    return findings;
}

Findings judge_files(const Tree& tree, const UserTable& users, const std::optional<std::string>& config) {
    Findings findings;
    const auto files = named_files(config.value_or(""));
    if (config)
        findings.push_back(judge_owners(tree, users, config, files));
    else
        findings.push_back(skipped(owner_and_mode, "Not judged", "there is no config.toml"));
    append(findings, judge_readers(tree, users, files));
    const bool has_key =
        std::any_of(files.begin(), files.end(), [](const NamedFile& one) { return one.role == Role::key; });
    if (!has_key)
        findings.push_back(skipped(key_protected, "Not judged", "config.toml names no such file"));
    else if (users.users.count("aziotks") == 0)
        findings.push_back(skipped(key_protected, "Not judged", std::string("the user aziotks does not exist. ") + install));
    else
        findings.push_back(judge_keys(tree, users, *config, files));
    findings.push_back(judge_stray_keys(tree, users, config));
    return findings;
}

}  // namespace eflow
