#include "shared/finding.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace eflow {

std::string_view to_text(Severity severity) {
    switch (severity) {
        case Severity::ok: return "ok";
        case Severity::skipped: return "skipped";
        case Severity::warning: return "warning";
        case Severity::failed: return "failed";
    }
    return "failed";
}

Finding ok(std::string id, std::string summary, std::string detail) {
    return {std::move(id), Severity::ok, std::move(summary), std::move(detail), {}};
}

Finding skipped(std::string id, std::string summary, std::string why) {
    return {std::move(id), Severity::skipped, std::move(summary), std::move(why), {}};
}

Finding warning(std::string id, std::string summary, std::string detail, std::string remedy) {
    return {std::move(id), Severity::warning, std::move(summary), std::move(detail), std::move(remedy)};
}

Finding failed(std::string id, std::string summary, std::string detail, std::string remedy) {
    return {std::move(id), Severity::failed, std::move(summary), std::move(detail), std::move(remedy)};
}

Severity gravest(const Findings& findings) {
    Severity worst = Severity::ok;
    for (const auto& finding : findings) worst = std::max(worst, finding.severity);
    return worst;
}

void append(Findings& to, Findings from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace eflow
