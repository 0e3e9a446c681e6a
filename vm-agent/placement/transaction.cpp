#include "vm-agent/placement/transaction.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "shared/failure.hpp"
#include "vm-agent/identity/digest.hpp"
#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/decide.hpp"
#include "vm-agent/placement/errors.hpp"
#include "vm-agent/placement/journal.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_file = 1024 * 1024;

Descriptor enter(const Tree& tree, const std::string& path) {
    auto folder = tree.directory(path);
    if (!folder) throw system_failure("cannot enter", path, ENOENT);
    return std::move(*folder);
}

NumericAccess root_only(const UserTable& users, unsigned mode) {
    return {users.user("root").uid, users.group("root"), mode};
}

/// Makes a folder with exactly this access, whatever the umask. That it is there already is fine.
void make_folder(const Tree& tree, const std::string& path, const NumericAccess& access) {
    const std::string parent = folder_of(path);
    const Descriptor above = enter(tree, parent);
    const std::string name = name_of(path);
    if (mkdirat(above.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
        throw system_failure("cannot make the folder", path, errno);
    const Descriptor made(openat(above.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made.valid()) throw system_failure("cannot enter", path, errno);
    set_access(made.get(), access, path);
    sync_folder(above, path);
}

/// The folders above `path` that are missing, root's and passable, as the packages of a full system make them.
void make_parents(const Tree& tree, const UserTable& users, const std::string& path) {
    const std::string parent = folder_of(path);
    if (parent == "/" || tree.status(parent)) return;
    make_parents(tree, users, parent);
    make_folder(tree, parent, root_only(users, 0755));
}

void mend_folder(const Tree& tree, const std::string& path, const NumericAccess& access) {
    const Descriptor above = enter(tree, folder_of(path));
    const Descriptor folder(
        openat(above.get(), name_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder.valid()) throw system_failure("cannot enter", path, errno);
    set_access(folder.get(), access, path);
}

bool same_file(const Descriptor& folder, const std::string& a, const std::string& b) {
    struct stat first {};
    struct stat second {};
    return fstatat(folder.get(), a.c_str(), &first, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(folder.get(), b.c_str(), &second, AT_SYMLINK_NOFOLLOW) == 0 && first.st_ino == second.st_ino &&
           first.st_dev == second.st_dev;
}

bool exists(const Descriptor& folder, const std::string& name) {
    struct stat status {};
    return fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/// Keeps the old file under its backup name: the very file, with owner, mode and time.
void keep_old(const Descriptor& folder, const std::string& name, const std::string& shown) {
    const std::string backup = backup_name(name);
    remove_name(folder, backup, shown);
    if (linkat(folder.get(), name.c_str(), folder.get(), backup.c_str(), 0) != 0)
        throw system_failure("cannot keep the old", shown, errno);
}

/// Puts the file back as it was before the transaction; again is fine.
void restore(const Tree& tree, const JournalFile& file) {
    const auto folder = tree.directory(folder_of(file.path));
    if (!folder) return;
    const std::string name = name_of(file.path);
    const std::string backup = backup_name(name);
    if (!file.replaces) {
        remove_name(*folder, name, file.path);
    } else if (same_file(*folder, name, backup)) {
        remove_name(*folder, backup, file.path);
    } else if (exists(*folder, backup)) {
        if (renameat(folder->get(), backup.c_str(), folder->get(), name.c_str()) != 0)
            throw system_failure("cannot put back", file.path, errno);
    }
    remove_name(*folder, filling_name(name), file.path);
    sync_folder(*folder, file.path);
}

/// The backups and filled files of a transaction that is over.
void clear_temporaries(const Tree& tree, const JournalFile& file) {
    const auto folder = tree.directory(folder_of(file.path));
    if (!folder) return;
    remove_name(*folder, backup_name(name_of(file.path)), file.path);
    remove_name(*folder, filling_name(name_of(file.path)), file.path);
}

void unmake(const Tree& tree, const JournalDirectory& directory) {
    if (!directory.made) {
        mend_folder(tree, directory.path, {directory.uid, directory.gid, directory.mode});
        return;
    }
    const auto above = tree.directory(folder_of(directory.path));
    if (!above) return;
    if (unlinkat(above->get(), name_of(directory.path).c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT &&
        errno != ENOTEMPTY && errno != EEXIST)
        throw system_failure("cannot remove the folder", directory.path, errno);
    sync_folder(*above, directory.path);
}

void write_state(const Tree& tree, const UserTable& users, const std::string& path, std::string_view bytes) {
    const Descriptor folder = enter(tree, folder_of(path));
    fill(folder, name_of(path), bytes, root_only(users, 0600), path);
    rename_filled(folder, name_of(path), path);
    sync_folder(folder, path);
}

void remove_journal(const Tree& tree) {
    const auto folder = tree.directory(places::state);
    if (!folder) return;
    // A kill while one of them was being filled leaves only this.
    remove_name(*folder, filling_name(name_of(names::journal)), names::journal);
    remove_name(*folder, filling_name(name_of(names::previous_config)), names::previous_config);
    // Not synced: a journal that comes back after a power loss is recovered from once more, to the same state.
    remove_name(*folder, name_of(names::journal), names::journal);
}

/// Everything the journal tells of, taken back. Each step may be done again; one that fails does not keep the others
/// from being done, but keeps the journal, and its Failure is thrown at the end.
void take_back(const Tree& tree, const Journal& journal) {
    std::optional<Failure> first;
    const auto attempt = [&](const auto& step) {
        try {
            step();
        } catch (const Failure& failure) {
            if (!first) first = failure;
        }
    };
    if (journal.config) attempt([&] { restore(tree, *journal.config); });
    for (auto file = journal.material.rbegin(); file != journal.material.rend(); ++file)
        attempt([&] { restore(tree, *file); });
    for (auto directory = journal.directories.rbegin(); directory != journal.directories.rend(); ++directory)
        attempt([&] { unmake(tree, *directory); });
    if (first) throw *first;
    remove_journal(tree);
}

bool committed(const Tree& tree, const Journal& journal) {
    if (!journal.config) return false;
    const auto folder = tree.directory(folder_of(journal.config->path));
    if (!folder) return false;
    const std::string name = name_of(journal.config->path);
    // Until the rename the backup is the file itself.
    if (same_file(*folder, name, backup_name(name))) return false;
    const auto config = tree.read(journal.config->path, largest_file);
    if (journal.removes_config) return !config;
    return config && sha256_hex(config->reveal()) == journal.config_sha256;
}

}  // namespace

ChangeLock::ChangeLock(const Tree& tree, const UserTable& users, bool wait) : tree_(tree) {
    const std::string name = name_of(names::lock);
    for (;;) {
        if (!tree.status(places::state)) {
            make_parents(tree, users, places::state);
            make_folder(tree, places::state, root_only(users, 0755));
        }
        const Descriptor folder = enter(tree, places::state);
        descriptor_ = Descriptor(openat(folder.get(), name.c_str(),
                                        O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600));
        if (!descriptor_.valid() && errno == ENOENT) continue;  // the folder was removed meanwhile
        if (!descriptor_.valid()) throw system_failure("cannot take the lock", names::lock, errno);
        while (flock(descriptor_.get(), LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
            if (errno == EINTR) continue;
            if (errno == EWOULDBLOCK)
                throw Failure(ExitCode::machine_lacks, "another run of eflow-agent is changing this device right now",
                              "Wait for it, or leave out --no-wait and this run waits by itself.");
            throw system_failure("cannot take the lock", names::lock, errno);
        }
        // The one who had it may have removed it: a lock that nobody else can find is none.
        struct stat taken {};
        struct stat found {};
        if (fstat(descriptor_.get(), &taken) != 0) throw system_failure("cannot take the lock", names::lock, errno);
        if (fstatat(folder.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && found.st_ino == taken.st_ino &&
            found.st_dev == taken.st_dev)
            return;
    }
}

bool ChangeLock::remove_state() {
    const Descriptor folder = enter(tree_, places::state);
    remove_name(folder, name_of(names::previous_config), names::previous_config);
    remove_name(folder, name_of(names::lock), names::lock);
    const std::string state = places::state;
    const Descriptor parent = enter(tree_, folder_of(state));
    return unlinkat(parent.get(), name_of(state).c_str(), AT_REMOVEDIR) == 0;
}

struct Transaction::State {
    const Tree& tree;
    const UserTable& users;
    Plan plan;  ///< the decision points into it
    std::optional<Decision> decision;
    Journal journal;
    bool open = false;  ///< a journal of ours stands on disk
    bool committed = false;
    std::vector<Change> changes;
};

Transaction::Transaction(const Tree& tree, const UserTable& users)
    : state_(new State{tree, users, {}, {}, {}, false, false, {}}) {}

Transaction::~Transaction() {
    // Left by an exception before the commit: what was staged goes. After the commit the journal stays for the next
    // run.
    if (!state_->open || state_->committed) return;
    try {
        take_back(state_->tree, state_->journal);
    } catch (const std::exception&) {
        // The journal still stands, and recover() of the next run takes it from there.
    }
}

const std::vector<Change>& Transaction::changes() const {
    return state_->changes;
}

bool Transaction::changes_something() const {
    return state_->decision && state_->decision->acts();
}

Leftover Transaction::recover() {
    const auto text = state_->tree.read(names::journal, largest_file);
    if (!text) {
        remove_journal(state_->tree);
        return Leftover::none;
    }
    const Journal journal = Journal::from_json(text->reveal());
    if (!committed(state_->tree, journal)) {
        take_back(state_->tree, journal);
        return Leftover::undone;
    }
    for (const auto& file : journal.material) clear_temporaries(state_->tree, file);
    clear_temporaries(state_->tree, *journal.config);
    remove_journal(state_->tree);
    return Leftover::committed;
}

Findings Transaction::stage(const Plan& plan) {
    State& state = *state_;
    state.plan = plan;
    state.decision = decide(state.tree, state.users, state.plan);
    Decision& decision = *state.decision;
    state.changes = decision.changes;
    if (!decision.acts()) return decision.findings;

    Journal& journal = state.journal;
    for (const auto& step : decision.directories)
        if (step.acts)
            journal.directories.push_back(
                {step.path, !step.exists, step.before.uid, step.before.gid, step.before.mode});
    for (const auto& step : decision.material)
        if (step.acts) journal.material.push_back({step.file->path, step.exists});
    if (decision.config.acts) journal.config = JournalFile{decision.config.file->path, decision.config.exists};
    journal.removes_config = decision.removes_config;
    journal.config_sha256 = sha256_hex(decision.config.file->contents.reveal());

    // Open before it is written: when the writing fails half way, the destructor clears that too.
    state.open = true;
    if (decision.config.acts && decision.config.exists)
        if (const auto previous = state.tree.read(decision.config.file->path, largest_file))
            write_state(state.tree, state.users, names::previous_config, previous->reveal());
    write_state(state.tree, state.users, names::journal, journal.to_json());

    for (const auto& step : decision.directories) {
        if (!step.acts) continue;
        if (step.exists) {
            mend_folder(state.tree, step.path, step.wanted);
        } else {
            make_parents(state.tree, state.users, step.path);
            make_folder(state.tree, step.path, step.wanted);
        }
    }
    for (const auto& step : decision.material) {
        if (!step.acts) continue;
        const std::string& path = step.file->path;
        const Descriptor folder = enter(state.tree, folder_of(path));
        fill(folder, name_of(path), step.file->contents.reveal(), step.wanted, path);
        if (step.exists) keep_old(folder, name_of(path), path);
        rename_filled(folder, name_of(path), path);
        sync_folder(folder, path);
    }
    if (decision.config.acts) {
        const std::string& path = decision.config.file->path;
        const Descriptor folder = enter(state.tree, folder_of(path));
        if (!decision.removes_config)
            fill(folder, name_of(path), decision.config.file->contents.reveal(), decision.config.wanted, path);
        if (decision.config.exists) keep_old(folder, name_of(path), path);
        sync_folder(folder, path);
    }
    return decision.findings;
}

void Transaction::commit() {
    State& state = *state_;
    if (state.open && state.decision->config.acts) {
        const std::string& path = state.decision->config.file->path;
        const Descriptor folder = enter(state.tree, folder_of(path));
        if (state.decision->removes_config)
            remove_name(folder, name_of(path), path);
        else
            rename_filled(folder, name_of(path), path);
        // A failure here leaves through the destructor, which takes the rename back.
        sync_folder(folder, path);
    }
    state.committed = true;
}

Findings Transaction::finish(bool retire) {
    State& state = *state_;
    Findings findings;
    const auto attempt = [&](const std::string& path, const auto& action) {
        try {
            action();
        } catch (const Failure& failure) {
            findings.push_back(
                warning("files.no-stray-keys", path + " could not be removed", failure.what(), failure.remedy()));
        }
    };
    if (retire && state.decision) {
        for (const auto& path : state.decision->retired)
            attempt(path, [&] {
                const auto folder = state.tree.directory(folder_of(path));
                const auto status = state.tree.status(path);
                if (!folder || !status || !remove_name(*folder, name_of(path), path)) return;
                state.changes.push_back({path, Action::removed, state.users.user_name(status->st_uid),
                                         state.users.group_name(status->st_gid), octal(status->st_mode & 07777)});
            });
        // Deprovisioned: the folders we made go when nothing is left in them.
        if (state.decision->removes_material)
            for (const char* path : {places::certificates, places::secrets, places::material})
                attempt(path, [&] {
                    const auto above = state.tree.directory(folder_of(path));
                    if (above && unlinkat(above->get(), name_of(path).c_str(), AT_REMOVEDIR) == 0)
                        state.changes.push_back({path, Action::removed, "", "", ""});
                });
    }
    if (state.open) {
        attempt(names::journal, [&] {
            for (const auto& file : state.journal.material) clear_temporaries(state.tree, file);
            if (state.journal.config) clear_temporaries(state.tree, *state.journal.config);
            remove_journal(state.tree);
        });
        state.open = false;
    }
    return findings;
}

void Transaction::undo() {
    State& state = *state_;
    if (!state.open) return;
    try {
        take_back(state.tree, state.journal);
    } catch (const Failure& failure) {
        throw Failure(
            ExitCode::not_restored, std::string("the previous state could not be restored: ") + failure.what(),
            failure.remedy() +
                " Then run eflow-agent again: it finishes the undoing first. The previous config.toml is also in " +
                names::previous_config + ".");
    }
    state.open = false;
    state.committed = false;
    state.changes.clear();
}

std::vector<Change> preview(const Tree& tree, const UserTable& users, const Plan& plan) {
    return decide(tree, users, plan).changes;
}

}  // namespace eflow
