#include "host-shim/render.hpp"

namespace eflow {

namespace {

std::string indented(std::string_view text, std::string_view indent) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        out += std::string(indent) + plain_text(text.substr(at, end - at)) + "\n";
        at = end + 1;
    }
    return out;
}

}  // namespace

std::string plain_text(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // C1 controls too, which UTF-8 writes as C2 80 to C2 9F: some consoles obey them.
        const bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1) ++i;
        out += (byte < ' ' && byte != '\n') || byte == 0x7f || c1 ? '?' : text[i];
    }
    return out;
}

std::string told(const Report& report) {
    std::string text;
    std::size_t fine = 0;
    for (const auto& finding : report.findings) {
        if (finding.severity == Severity::ok || finding.severity == Severity::skipped) {
            ++fine;
            continue;
        }
        text += (finding.severity == Severity::failed ? "FAILED   " : "warning  ") + plain_text(finding.summary) +
                "  (" + plain_text(finding.id) + ")\n" + indented(finding.detail, "         ");
        if (!finding.remedy.empty()) text += indented("What to do: " + finding.remedy, "         ");
    }
    text += std::to_string(fine) + (fine == 1 ? " check" : " checks") + " in order.\n";
    if (report.data.contains("steps") && !report.data["steps"].empty()) {
        text += "\nSteps\n";
        for (const auto& step : report.data["steps"]) {
            const auto outcome = step.value("outcome", std::string());
            text += "  " + outcome + std::string(outcome.size() < 10 ? 10 - outcome.size() : 1, ' ') +
                    plain_text(step.value("title", std::string())) + "\n";
        }
    }
    if (!report.changes.empty()) {
        text += "\nChanges in the VM\n";
        for (const auto& change : report.changes)
            text += "  " + std::string(to_text(change.action)) + "  " +
                    plain_text(change.mode + " " + change.owner + ":" + change.group) + "  " + plain_text(change.path) +
                    "\n";
    }
    if (report.data.contains("notes"))
        for (const auto& note : report.data["notes"]) text += "\n" + plain_text(note.get<std::string>());
    if (report.phase != Phase::unknown) text += "\nThe device: " + std::string(to_text(report.phase));
    if (!text.ends_with('\n')) text += "\n";
    return text;
}

}  // namespace eflow
