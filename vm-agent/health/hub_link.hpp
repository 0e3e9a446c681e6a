#pragma once

#include <optional>
#include <string>

#include "vm-agent/health/observations.hpp"

namespace eflow {

/// edgeAgent, as it runs now, has shown that it reached its hub.
[[nodiscard]] bool has_reached_hub(const Observations& seen);

/// edgeAgent, as it runs now, fails to reach its hub.
[[nodiscard]] bool fails_to_reach_hub(const Observations& seen);

/// A deployment has once been carried out for this device: its modules go on without the hub.
[[nodiscard]] bool was_deployed(const Observations& seen);

/// What keeps one from knowing that edgeAgent has reached its hub: a sentence, and what to do.
struct Missing {
    std::string what;
    std::string remedy;
};
[[nodiscard]] Missing what_is_missing(const Observations& seen);

/// modules.edge-agent of an edgeAgent that runs: how it stands with its hub. A hub out of reach is a failure on a device
/// that never had a deployment, since without one it does nothing; a deployed device works offline.
[[nodiscard]] Finding judge_hub_link(const Observations& seen, const ContainerSeen& agent);

/// The deployment's status as it is now. edgeAgent repeats a failure at each of its reconciliations, every five seconds
/// (Service/Program.cs, Agent.cs:126-222), and says nothing when there is nothing left to do: one that it no longer repeats
/// is over, and what was before it holds.
[[nodiscard]] std::optional<Deployment> deployment_now(const Observations& seen);

/// When a failure that is told now would be over; nothing when there is none, or it stands.
[[nodiscard]] std::optional<Stamp> deployment_over_at(const Observations& seen);

/// From then on an edgeAgent that has said nothing of its hub is told of.
[[nodiscard]] std::optional<Stamp> silence_over_at(const Observations& seen);

/// modules.deployment. `seen` has the containers.
[[nodiscard]] Finding judge_deployment(const Observations& seen);

}  // namespace eflow
