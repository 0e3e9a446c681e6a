#include "vm-agent/cli/version.hpp"

#include <string_view>

namespace eflow {

std::string version_text() {
    std::string text = EFLOW_VERSION;
    if (!std::string_view(EFLOW_COMMIT).empty()) text += std::string("+") + EFLOW_COMMIT;
    return text;
}

std::string version_details() {
    return "eflow-agent " + version_text() + "\nBuilt by " + EFLOW_COMPILER + " for " + EFLOW_PROCESSOR +
           "\nLinked in: " + EFLOW_LINKED_IN + "\nFrom the system: " + EFLOW_FROM_SYSTEM;
}

}  // namespace eflow
