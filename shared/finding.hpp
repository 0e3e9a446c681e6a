#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace eflow {

enum class Severity { ok, skipped, warning, failed };

std::string_view to_text(Severity severity);

/// One judged fact about the device or the input. `id` is `area.name` and stable (`identity.key-matches`).
/// `summary` is one line; `detail` is the evidence; `remedy` is what to do, with the command that does it.
struct Finding {
    std::string id;
    Severity severity = Severity::ok;
    std::string summary;
    std::string detail;
    std::string remedy;

    bool operator==(const Finding&) const = default;
};

using Findings = std::vector<Finding>;

Finding ok(std::string id, std::string summary, std::string detail = {});
/// Not judged: `why` names what could not be seen or why it does not apply.
Finding skipped(std::string id, std::string summary, std::string why);
Finding warning(std::string id, std::string summary, std::string detail, std::string remedy);
Finding failed(std::string id, std::string summary, std::string detail, std::string remedy);

/// The gravest severity present; ok for none.
Severity gravest(const Findings& findings);

void append(Findings& to, Findings from);

}  // namespace eflow
