#include "shared/eflow_support.hpp"

#include <algorithm>

namespace eflow {

namespace {

constexpr auto id = "host.support-ended";

}  // namespace

Finding judge_eflow_support(std::chrono::sys_seconds now) {
    if (now < eflow_support_ends)
        return ok(id, "EFLOW is supported until 2026-11-10", "1.5 LTS is its last release; IoT Edge 1.6 has no EFLOW");
    return warning(id, "EFLOW left support on 2026-11-10: the device works, and gets no more fixes",
                   "1.5 LTS was its last release; IoT Edge 1.6, supported until November 2028, has no EFLOW",
                   "Nothing has to be done at once. Plan to move this device to IoT Edge 1.6 on a Linux host.");
}

void keep_one_support_note(Findings& findings) {
    const auto is_note = [](const Finding& finding) { return finding.id == id; };
    const auto first = std::find_if(findings.begin(), findings.end(), is_note);
    if (first != findings.end()) findings.erase(std::remove_if(first + 1, findings.end(), is_note), findings.end());
}

}  // namespace eflow
