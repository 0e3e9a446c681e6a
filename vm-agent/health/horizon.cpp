#include "vm-agent/health/horizon.hpp"

#include <algorithm>

#include "vm-agent/health/check.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {

namespace {

std::vector<Certificate> certificates_of(const Observations& seen) {
    if (!seen.certificate.value || !seen.certificate.value->present) return {};
    auto judged = read_certificates(seen.certificate.value->text, seen.certificate_path);
    auto* certificates = std::get_if<std::vector<Certificate>>(&judged);
    return certificates != nullptr ? std::move(*certificates) : std::vector<Certificate>{};
}

class Earliest {
public:
    explicit Earliest(Stamp now) : now_(now) {}
    void consider(Stamp when) {
        if (when > now_ && (!found_ || when < *found_)) found_ = when;
    }
    [[nodiscard]] std::optional<Stamp> found() const { return found_; }

private:
    Stamp now_;
    std::optional<Stamp> found_;
};

}  // namespace

std::optional<Stamp> next_horizon(const Observations& seen) {
    // Judgement is by whole seconds, and a limit counts as passed in the second after it.
    constexpr std::chrono::seconds tick{1};
    Earliest earliest{Stamp(seen.now)};
    for (const auto& certificate : certificates_of(seen)) {
        earliest.consider(Stamp(certificate.not_before()));
        earliest.consider(Stamp(certificate.not_after()) + tick);
        for (const int days : expiry_thresholds)
            earliest.consider(Stamp(certificate.not_after()) - std::chrono::days(days) + tick);
    }
    if (const UnitSeen* edged = unit(seen, "aziot-edged.service"); edged != nullptr && edged->active == "active")
        earliest.consider(edged->changed + grace + tick);
    if (seen.units.value)
        for (const auto& one : *seen.units.value)
            if (one.restarts > 0) earliest.consider(one.changed + Memory::window + tick);
    for (const auto& [name, ends] : seen.memory.ends)
        if (ends.size() >= Memory::loop)
            earliest.consider(ends[ends.size() - Memory::loop] + Memory::window + tick);
    return earliest.found();
}

std::optional<int> expiry_stage(const Observations& seen) {
    const auto certificates = certificates_of(seen);
    if (certificates.empty()) return std::nullopt;
    const auto first = std::min_element(certificates.begin(), certificates.end(), [](const auto& a, const auto& b) {
                           return a.not_after() < b.not_after();
                       })->not_after();
    if (seen.now > first) return 0;
    for (auto days = expiry_thresholds.rbegin(); days != expiry_thresholds.rend(); ++days)
        if (first - seen.now < std::chrono::days(*days)) return *days;
    return std::nullopt;
}

}  // namespace eflow
