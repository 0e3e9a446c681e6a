#pragma once

#include <string_view>

namespace eflow {

/// A row of the table of what edgeAgent's exceptions mean: words of .NET, of the device SDK or of edgeAgent itself.
struct AgentCause {
    std::string_view words;
    bool refused;              ///< the hub answered, and said no
    std::string_view meaning;  ///< a clause
    std::string_view remedy;
};

/// The first row whose words stand in the text; nullptr when none does.
[[nodiscard]] const AgentCause* agent_cause_of(std::string_view text);

}  // namespace eflow
