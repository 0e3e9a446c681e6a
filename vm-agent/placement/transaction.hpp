#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/finding.hpp"
#include "shared/report.hpp"
#include "vm-agent/placement/change_lock.hpp"
#include "vm-agent/placement/plan.hpp"
#include "vm-agent/placement/tree.hpp"
#include "vm-agent/placement/users.hpp"

namespace eflow {

/// What an interrupted earlier run left behind.
enum class Leftover {
    none,
    undone,     ///< it had not committed: what it had staged is gone, the old state stands
    committed,  ///< it had committed but not finished: the new config stands and must still be applied
};

/// What the plan would do, path by path, without doing it.
std::vector<Change> preview(const Tree& tree, const UserTable& users, const Plan& plan);

/// The crash-safe application of a Plan. SIGKILL or power loss at any point leaves config.toml either old or new, each
/// with its material whole; `recover` in the next run undoes or completes. Call order:
///   recover() -> stage() -> commit() -> [services apply] -> finish() | undo()
/// All failures before commit() leave everything as it was (Failure machine_lacks); after it undo() restores (and
/// throws Failure(not_restored) when it cannot).
class Transaction {
public:
    Transaction(const Tree& tree, const UserTable& users);
    ~Transaction();

    /// Looks at the journal in /var/lib/eflow-agent and undoes or completes what stands there. Under the lock.
    Leftover recover();
    /// Takes over a change that was committed and whose run ended before it was over, so that undo() takes it back.
    /// False when none stands, or when it was a removal: that can only be completed.
    bool adopt();
    /// Directories and material in place, journal written. Returns findings on directories that are not ours.
    Findings stage(const Plan& plan);
    /// The one rename. Afterwards the new config stands, durable.
    void commit();
    /// The transaction is over and the new state stands: the journal goes, and with `retire` the old material too, but
    /// for the copies that undo needs. Returns a warning for each file that would not go.
    Findings finish(bool retire);
    /// The previous config.toml back byte for byte (owner, mode and time too), new material gone.
    void undo();
    /// What was done so far, with what was kept.
    [[nodiscard]] const std::vector<Change>& changes() const;
    /// Whether stage() found anything to do.
    [[nodiscard]] bool changes_something() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace eflow
