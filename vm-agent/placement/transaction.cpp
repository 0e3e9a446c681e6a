#include "vm-agent/placement/transaction.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "shared/failure.hpp"
#include "vm-agent/identity/digest.hpp"
#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/custody.hpp"
#include "vm-agent/placement/decide.hpp"
#include "vm-agent/placement/errors.hpp"
#include "vm-agent/placement/folders.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/record.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_file = 1024 * 1024;

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

void clear_all_temporaries(const Tree& tree, const Journal& journal) {
    // config.toml's first: from then on the change is settled (is_settled), and nobody takes back half of it.
    if (journal.config) clear_temporaries(tree, *journal.config);
    for (const auto& file : journal.material) clear_temporaries(tree, file);
    for (const auto& path : journal.set_aside) clear_temporaries(tree, {path, true});
}

/// A file of the agent's own state that goes in with the transaction and comes back with it.
struct StateFile {
    std::string path;
    SecretBytes bytes;
};

/// What this change makes of the record: it is the last one, unless config.toml says what it said before.
ChangeRecord record_of(const Plan& plan, const Journal& journal, bool replaces) {
    ChangeRecord record = plan.record;
    if (journal.removes_config && plan.remove_material)
        record.last.reset();
    else
        record.last = LastChange{journal.verb, journal.since, journal.removes_config ? "" : journal.config_sha256, replaces};
    return record;
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

/// Under its backup name until it is known whether the change stands.
void set_aside(const Tree& tree, const std::string& path) {
    const Descriptor folder = enter(tree, folder_of(path));
    const std::string name = name_of(path);
    if (renameat(folder.get(), name.c_str(), folder.get(), backup_name(name).c_str()) != 0 && errno != ENOENT)
        throw system_failure("cannot set aside", path, errno);
    sync_folder(folder, path);
}

/// What was set aside has its name again, whatever has come in its place.
void bring_back(const Tree& tree, const std::string& path) {
    const auto folder = tree.directory(folder_of(path));
    if (!folder) return;
    const std::string name = name_of(path);
    if (renameat(folder->get(), backup_name(name).c_str(), folder->get(), name.c_str()) != 0 && errno != ENOENT)
        throw system_failure("cannot put back", path, errno);
    sync_folder(*folder, path);
}

void write_state(const Tree& tree, const UserTable& users, const StateFile& file, unsigned mode, bool keeps_old) {
    const Descriptor folder = enter(tree, folder_of(file.path));
    const std::string name = name_of(file.path);
    fill(folder, name, file.bytes.reveal(), root_only(users, mode), file.path);
    if (keeps_old && exists(folder, name)) keep_old(folder, name, file.path);
    rename_filled(folder, name, file.path);
    sync_folder(folder, file.path);
}

/// What undo will need: the config.toml that is replaced, its certificate and key, and the record of the change. None
/// of it where only an owner or a mode is put right: what an earlier change replaced is still the previous one.
std::vector<StateFile> files_of_state(const Tree& tree, const Plan& plan, const Decision& decision,
                                      const Journal& journal) {
    std::vector<StateFile> files;
    if (!journal.config) return files;
    auto previous = tree.read(journal.config->path, largest_file);
    if (previous && !journal.removes_config && previous->reveal() == decision.config.file->contents.reveal())
        return files;
    const bool replaces = previous.has_value();
    if (previous) files.push_back({names::previous_config, std::move(*previous)});
    if (!plan.remove_material)
        for (const auto& path : plan.kept)
            if (auto bytes = tree.read(path, largest_file)) files.push_back({custody_of(path), std::move(*bytes)});
    files.push_back(
        {names::record, SecretBytes(std::string_view(record_of(plan, journal, replaces).to_json()))});
    return files;
}

void remove_journal(const Tree& tree) {
    const auto folder = tree.directory(places::state);
    if (!folder) return;
    // A kill while one of them was being filled leaves only this.
    remove_name(*folder, filling_name(name_of(names::journal)), names::journal);
    // Not synced: a journal that comes back after a power loss is recovered from once more, to the same state.
    remove_name(*folder, name_of(names::journal), names::journal);
}

/// Those of the identity's files, the inner ones first.
constexpr std::array material_directories{places::certificates, places::secrets, places::material};

/// Whether it was there, empty, and is gone.
bool remove_if_empty(const Tree& tree, const char* path) {
    const auto above = tree.directory(folder_of(path));
    return above && unlinkat(above->get(), name_of(path).c_str(), AT_REMOVEDIR) == 0;
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
    for (const auto& path : journal.set_aside) attempt([&] { bring_back(tree, path); });
    for (auto file = journal.material.rbegin(); file != journal.material.rend(); ++file)
        // While config.toml is not back, the copy of it is the last that there is.
        if (file->path != names::previous_config || !first) attempt([&] { restore(tree, *file); });
    for (auto directory = journal.directories.rbegin(); directory != journal.directories.rend(); ++directory)
        attempt([&] { unmake(tree, *directory); });
    if (first) throw *first;
    remove_journal(tree);
}

}  // namespace

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
    return state_->open || (state_->decision && state_->decision->acts());
}

Leftover Transaction::recover() {
    const auto text = state_->tree.read(names::journal, largest_file);
    if (!text) {
        remove_journal(state_->tree);
        return Leftover::none;
    }
    const Journal journal = Journal::from_json(text->reveal());
    if (!is_committed(state_->tree, journal)) {
        take_back(state_->tree, journal);
        return Leftover::undone;
    }
    for (const auto& path : journal.retired)
        if (const auto folder = state_->tree.directory(folder_of(path))) remove_name(*folder, name_of(path), path);
    if (!journal.retired.empty())
        for (const char* path : material_directories) remove_if_empty(state_->tree, path);
    clear_all_temporaries(state_->tree, journal);
    remove_journal(state_->tree);
    return Leftover::committed;
}

bool Transaction::adopt() {
    State& state = *state_;
    const auto text = state.tree.read(names::journal, largest_file);
    if (!text) return false;
    Journal journal = Journal::from_json(text->reveal());
    if (is_removal(journal) || !is_committed(state.tree, journal) || is_settled(state.tree, journal)) return false;
    state.journal = std::move(journal);
    state.open = state.committed = true;
    return true;
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
    journal.verb = plan.verb;
    journal.since = plan.since;
    journal.pid = getpid();
    journal.started = start_of_process(journal.pid);
    journal.set_aside = decision.set_aside;
    if (decision.removes_config || decision.removes_material) journal.retired = decision.retired;
    const auto state_files = files_of_state(state.tree, state.plan, decision, journal);
    for (auto file = state_files.rbegin(); file != state_files.rend(); ++file)
        journal.material.insert(journal.material.begin(), {file->path, state.tree.status(file->path).has_value()});

    // Open before it is written: when the writing fails half way, the destructor clears that too.
    state.open = true;
    write_state(state.tree, state.users, {names::journal, SecretBytes(std::string_view(journal.to_json()))}, 0644, false);
    for (const auto& file : state_files) {
        if (file.path.starts_with(names::previous_material) && !state.tree.status(names::previous_material))
            make_folder(state.tree, names::previous_material, root_only(state.users, 0700));
        write_state(state.tree, state.users, file, 0600, true);
    }

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
    if (state.open)
        for (const auto& path : state.decision->set_aside) set_aside(state.tree, path);
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
                const auto& kept = state.plan.kept;
                if (std::find(kept.begin(), kept.end(), path) != kept.end() && !state.tree.status(custody_of(path)))
                    return;  // nowhere else: it stays where it is
                const auto folder = state.tree.directory(folder_of(path));
                const auto status = state.tree.status(path);
                if (!folder || !status || !remove_name(*folder, name_of(path), path)) return;
                state.changes.push_back({path, Action::removed, state.users.user_name(status->st_uid),
                                         state.users.group_name(status->st_gid), octal(status->st_mode & 07777)});
            });
        // What an earlier change had replaced is of no use once this one can be taken back.
        attempt(names::previous_material, [&] { clear_custody(state.tree, state.plan.kept); });
        // Deprovisioned: the folders we made go when nothing is left in them.
        if (state.decision->removes_material)
            for (const char* path : material_directories)
                attempt(path, [&] {
                    if (remove_if_empty(state.tree, path)) state.changes.push_back({path, Action::removed, "", "", ""});
                });
    }
    if (state.open) {
        attempt(names::journal, [&] {
            clear_all_temporaries(state.tree, state.journal);
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
