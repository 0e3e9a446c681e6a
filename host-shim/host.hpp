#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "shared/report.hpp"
#include "shared/secret.hpp"

namespace eflow {

/// What PowerShell says of a failure, in its own words.
struct PowerShellError {
    std::string stage;  ///< "import": the module could not be loaded; "call": the cmdlet failed; "powershell": it did
    std::string id;     ///< FullyQualifiedErrorId
    std::string message;
    std::string position;
};

/// What one cmdlet gave back.
struct Called {
    std::vector<std::string> output;  ///< the objects it returned, as text
    std::vector<std::string> said;    ///< what it wrote to the host and its warnings
    std::optional<PowerShellError> error;
    bool timed_out = false;
    bool cancelled = false;

    [[nodiscard]] bool failed() const { return error || timed_out || cancelled; }
};

/// What facts.ps1 saw. An optional without a value could not be seen: `problems` says why, by the same name.
struct HostFacts {
    struct User {
        std::string name;
        std::string sid;
        bool elevated = false;
    };
    struct Windows {
        std::string product;
        std::string edition;
        std::string kind;  ///< "Client", "Server", "Server Core"
        std::string build;
    };
    struct PowerShell {
        std::string version;
        std::string language;
        std::string policy;
    };
    struct Service {
        std::string status;
        std::string start;
    };
    struct Module {
        std::string version;
        std::string path;
    };
    struct Vm {
        std::string name;
        std::string power;
        std::string runtime;
    };

    std::optional<User> user;
    std::optional<Windows> windows;
    std::optional<PowerShell> powershell;
    std::vector<std::string> installed;                          ///< versions of the module that are there
    std::optional<Service> service;                              ///< wssdagent
    std::optional<Module> module;                                ///< as imported
    std::map<std::string, std::vector<std::string>> parameters;  ///< of every cmdlet of the module, by its name
    std::optional<bool> exists;
    std::optional<Vm> vm;
    std::map<std::string, PowerShellError> problems;
};

/// What the host's own crypto reads in a leaf.
struct LeafFacts {
    std::string common_name;  ///< empty: none
    std::string sha256;       ///< of the DER, 64 lower-case hex digits
    std::chrono::sys_seconds not_before;
    std::chrono::sys_seconds not_after;
};

/// The Windows host as the workflow sees it. WindowsHost does it by PowerShell and the Windows API; FakeHost behaves.
class Host {
public:
    Host() = default;
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;
    virtual ~Host() = default;

    virtual HostFacts facts(std::chrono::seconds timeout) = 0;
    /// Runs one cmdlet of the EFLOW module. `even_if_cancelled` is for cleaning up after Ctrl-C.
    virtual Called call(const std::string& cmdlet, const nlohmann::json& parameters, std::chrono::seconds timeout,
                        bool even_if_cancelled) = 0;

    /// The bytes of a regular file of at most `limit` bytes, or why there are none.
    virtual std::variant<SecretBytes, std::string> read(const std::string& path, std::size_t limit) = 0;
    /// The first certificate of a PEM text, or why it is none.
    virtual std::variant<LeafFacts, std::string> leaf(const std::string& pem) = 0;
    /// The folder this program stands in, with a closing slash.
    virtual std::string program_folder() = 0;
    /// 32 random hex digits.
    virtual std::string random_hex() = 0;

    /// From here on this run alone may change things, and what a killed run left staged on this host is gone. Throws
    /// Failure(machine_lacks) when another one is at work.
    virtual void begin_changes() = 0;
    /// Writes a file into this run's private folder, which is made when first needed; gives its path.
    virtual std::string stage(const std::string& name, const SecretBytes& content) = 0;
    /// Overwrites and removes everything staged, of earlier runs too. False when something stayed.
    virtual bool unstage() = 0;

    /// The state that an earlier run left; nothing when there is none.
    virtual std::optional<std::string> load_state() = 0;
    virtual void save_state(const std::string& text) = 0;

    virtual std::chrono::system_clock::time_point now() = 0;
    /// Waits; shorter when cancelled, unless it is to be waited even then.
    virtual void sleep(std::chrono::seconds time, bool even_if_cancelled) = 0;
    virtual bool cancelled() = 0;
    /// One line a step for a person, and for the log.
    virtual void progress(const std::string& line) = 0;
    /// The end of a run, for the log and the Event Log.
    virtual void conclude(const Report& report) = 0;
};

}  // namespace eflow
