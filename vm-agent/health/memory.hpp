#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vm-agent/health/agent_log.hpp"
#include "vm-agent/health/seen.hpp"

namespace eflow {

/// What one look cannot show, kept by the watcher across looks and reboots.
struct Memory {
    static constexpr std::chrono::minutes window{10};  ///< in which ends are counted as a loop
    static constexpr std::size_t loop = 3;             ///< this many are one

    bool agent_has_run = false;  ///< edgeAgent, since this identity was provisioned
    bool hub_has_run = false;    ///< edgeHub, likewise
    AgentSaid agent;             ///< what edgeAgent said of its hub and its deployment
    std::map<std::string, std::vector<Stamp>> ends;  ///< by unit or container: unwanted ends, oldest first

    /// That a container runs. True when that is news.
    bool note_running(std::string_view name);
    /// An end that nobody asked for, of a unit or container.
    void note_end(const std::string& name, Stamp at);
    /// How many such ends lie in the window before `now`.
    [[nodiscard]] std::size_t recent_ends(const std::string& name, Stamp now) const;

    [[nodiscard]] std::string to_json() const;
    /// An empty memory for a text that is none.
    static Memory from_json(std::string_view text);

    bool operator==(const Memory&) const = default;
};

}  // namespace eflow
