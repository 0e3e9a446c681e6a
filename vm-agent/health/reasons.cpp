#include "vm-agent/health/reasons.hpp"

namespace eflow {

namespace {

constexpr std::string_view identityd_unit = "aziot-identityd.service";

const char* who_is_asked(const Diagnosis& diagnosis) {
    for (const auto& text : diagnosis.record.chain) {
        if (text == "DPS client error") return "DPS";
        if (text == "Hub client error") return "IoT Hub";
    }
    return diagnosis.fault() == Fault::hub ? "IoT Hub" : "DPS";
}

std::string on_one_line(std::string text) {
    for (char& c : text)
        if (c == '\n') c = ' ';
    return text;
}

}  // namespace

const Diagnosis* Reasons::of(std::string_view unit) const {
    const auto found = by_unit.find(unit);
    return found == by_unit.end() ? nullptr : &found->second;
}

const Diagnosis* Reasons::registration() const {
    const Diagnosis* found = of(identityd_unit);
    return found != nullptr && found->is_of_cloud() && found->consequence() != Consequence::local ? found : nullptr;
}

bool Reasons::tries_again() const {
    const Diagnosis* found = registration();
    return found != nullptr && found->consequence() == Consequence::tries_again;
}

bool Reasons::refused() const {
    const Diagnosis* found = registration();
    return found != nullptr && found->consequence() == Consequence::refused;
}

Reasons read_reasons(const Journals& journals) {
    Reasons reasons;
    for (const auto& [unit, lines] : journals)
        if (auto found = diagnose(unit, lines)) reasons.by_unit.emplace(unit, std::move(*found));
    // The reason that another service keeps to itself takes the place of "internal error".
    for (auto& [unit, diagnosis] : reasons.by_unit) {
        if (diagnosis.cause == nullptr || diagnosis.cause->reason_in.empty()) continue;
        const Diagnosis* deeper = reasons.of(diagnosis.cause->reason_in);
        if (deeper != nullptr && deeper != &diagnosis && deeper->cause != nullptr) diagnosis = Diagnosis(*deeper);
    }
    return reasons;
}

Finding judge_registration(const Diagnosis* registration) {
    constexpr auto id = "cloud.registration";
    if (registration == nullptr) return skipped(id, "No registration has failed", "identityd reports none");
    const std::string who = who_is_asked(*registration);
    const std::string words = on_one_line(registration->words());
    const Cause* cause = registration->cause;
    const std::string said = "aziot-identityd says: " + registration->told();
    if (cause == nullptr)
        return failed(id, "Registering with " + who + " fails for a reason that is not known here: " + words, said,
                      "Compare registration ID, certificate and ID scope with the enrollment in DPS; sudo journalctl -u "
                      "aziot-identityd -n 100 shows all that it says.");
    const std::string detail = said + "\n" + std::string(cause->meaning);
    const std::string remedy(cause->remedy);
    if (cause->consequence == Consequence::refused)
        return failed(id, who + " refused this device: " + words, detail, remedy);
    if (cause->fault == Fault::network)
        return warning(id, "identityd cannot reach " + who + ", and tries again: " + std::string(cause->meaning), detail,
                       remedy);
    return warning(id, who + " cannot serve this device now, and identityd tries again: " + std::string(cause->meaning),
                   detail, remedy);
}

}  // namespace eflow
