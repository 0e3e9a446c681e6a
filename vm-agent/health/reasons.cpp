#include "vm-agent/health/reasons.hpp"

#include <algorithm>

namespace eflow {

namespace {

constexpr std::string_view identityd_unit = "aziot-identityd.service";

const char* who_is_asked(const Diagnosis& diagnosis) {
    for (const auto& text : diagnosis.record.chain) {
        if (text == "DPS client error") return "DPS";
        if (text == "Hub client error") return "IoT Hub";
    }
    const bool is_hub = diagnosis.cause != nullptr && diagnosis.cause->id.starts_with("hub-");
    return is_hub ? "IoT Hub" : "DPS";
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

Consequence Reasons::consequence_of(const std::vector<std::string>& units) const {
    bool is_local = false;
    bool may_come_good = false;
    bool is_explained = false;
    for (const auto& unit : units) {
        const Diagnosis* found = of(unit);
        const Consequence one = found == nullptr ? Consequence::local : found->consequence();
        if (one == Consequence::refused) return one;
        if (one == Consequence::follows) continue;
        is_explained = true;
        const bool is_open = one == Consequence::tries_again || (one == Consequence::unknown && found->is_of_cloud());
        (is_open ? may_come_good : is_local) = true;
    }
    if (is_local || !is_explained) return Consequence::local;
    return may_come_good && registration() != nullptr && registration()->cause == nullptr ? Consequence::unknown
                                                                                          : Consequence::tries_again;
}

Reasons read_reasons(const Journals& journals) {
    Reasons reasons;
    for (const auto& [unit, lines] : journals)
        if (auto found = diagnose(unit, lines)) reasons.by_unit.emplace(unit, std::move(*found));
    // The reason that another service keeps to itself takes the place of "internal error".
    for (auto& [unit, diagnosis] : reasons.by_unit) {
        if (diagnosis.cause == nullptr) continue;
        for (std::string_view units = diagnosis.cause->reason_in; !units.empty();) {
            const std::string_view one = units.substr(0, units.find(' '));
            units.remove_prefix(std::min(units.size(), one.size() + 1));
            const Diagnosis* deeper = reasons.of(one);
            if (deeper == nullptr || deeper->unit == diagnosis.unit || deeper->cause == nullptr ||
                deeper->consequence() == Consequence::follows)
                continue;
            diagnosis = Diagnosis(*deeper);
            break;
        }
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
        return failed(
            id, "Registering with " + who + " fails for a reason that is not known here: " + words, said,
            "Compare registration ID, certificate and ID scope with the enrollment in DPS; sudo journalctl -u "
            "aziot-identityd -n 100 shows all that it says.");
    const std::string detail = said + "\n" + std::string(cause->meaning);
    const std::string remedy(cause->remedy);
    if (cause->consequence == Consequence::refused)
        return failed(id, who + " refused this device: " + words, detail, remedy);
    if (cause->fault == Fault::network)
        return warning(id, "identityd cannot reach " + who + ", and tries again: " + std::string(cause->meaning),
                       detail, remedy);
    return warning(id, who + " cannot serve this device now, and identityd tries again: " + std::string(cause->meaning),
                   detail, remedy);
}

}  // namespace eflow
