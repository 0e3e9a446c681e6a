#include "vm-agent/health/horizon.hpp"

#include <algorithm>

#include "shared/eflow_support.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/health/hub_link.hpp"
#include "vm-agent/identity/pem.hpp"
#include "vm-agent/health/restarts.hpp"

namespace eflow {

namespace {

class Earliest {
public:
    explicit Earliest(Stamp now) : now_(now) {}
    /// By whole seconds, as `now` is: what falls within a second is judged with the next one.
    void consider(Stamp instant) {
        const Stamp when(std::chrono::ceil<std::chrono::seconds>(instant));
        if (when > now_ && (!found_ || when < *found_)) found_ = when;
    }
    [[nodiscard]] std::optional<Stamp> found() const { return found_; }

private:
    Stamp now_;
    std::optional<Stamp> found_;
};

/// The limits of a certificate that a judgement of its dates knows.
void consider_dates(const Certificate& certificate, Earliest& earliest) {
    constexpr std::chrono::seconds tick{1};
    earliest.consider(Stamp(certificate.not_before()));
    earliest.consider(Stamp(certificate.not_after()) + tick);
    for (const int days : expiry_thresholds)
        earliest.consider(Stamp(certificate.not_after()) - std::chrono::days(days) + tick);
}

/// The same of every certificate in a file that was seen.
void consider_dates(const Sight<FileSeen>& file, Earliest& earliest) {
    if (!file.value || !file.value->present) return;
    const auto read = read_certificates(file.value->text, "");
    if (const auto* certificates = std::get_if<std::vector<Certificate>>(&read))
        for (const auto& certificate : *certificates) consider_dates(certificate, earliest);
}

}  // namespace

std::optional<Stamp> next_horizon(const Observations& seen) {
    // Judgement is by whole seconds, and a limit counts as passed in the second after it.
    constexpr std::chrono::seconds tick{1};
    Earliest earliest{Stamp(seen.now)};
    for (const auto& certificate : certificates_in(seen)) consider_dates(certificate, earliest);
    for (const auto& one : seen.credentials) consider_dates(one.certificate, earliest);
    consider_dates(seen.trust_bundle, earliest);
    // The days that are left, which the summary tells of the leaf.
    if (const auto& certificates = certificates_in(seen); !certificates.empty()) {
        const Instant end = certificates.front().not_after();
        earliest.consider(Stamp(end - std::chrono::floor<std::chrono::days>(end - seen.now)) + tick);
    }
    // is_lately: until then, and from then on where a clock that was set back has left a time in the future.
    const auto consider_lately = [&](Stamp stamp, std::chrono::seconds span) {
        earliest.consider(stamp - span);
        earliest.consider(stamp + span + tick);
    };
    if (const UnitSeen* edged = unit(seen, "aziot-edged.service"); edged != nullptr && edged->active == "active") {
        consider_lately(edged->changed, grace);
        consider_lately(edged->changed, fetch_patience);
    }
    if (seen.is_eflow_vm) earliest.consider(Stamp(eflow_support_ends));
    if (seen.applied.applied) consider_lately(applied_at(seen), apply_gap);
    if (const auto& deployment = seen.memory.agent.deployment; deployment && deployment->code == 0)
        consider_lately(deployment->at, fetch_patience);
    for (const auto& limit : {deployment_over_at(seen), silence_over_at(seen)})
        if (limit) earliest.consider(*limit + tick);
    if (seen.units.value)
        for (const auto& one : *seen.units.value) {
            if (one.restarts > 0) consider_lately(one.changed, Memory::window);
            if (const Restarts restarts = restarts_of(seen, one); restarts.looping && restarts.steady)
                earliest.consider(*restarts.steady + tick);
            if (one.active == "inactive") consider_lately(one.changed, restart_gap);
        }
    if (seen.containers.value)
        for (const auto& one : *seen.containers.value) {
            if (one.detail && one.detail->restart_count > 0) consider_lately(one.detail->started, Memory::window);
            if (const Restarts restarts = restarts_of(seen, one); restarts.looping && restarts.steady)
                earliest.consider(*restarts.steady + tick);
        }
    for (const auto& [name, ends] : seen.memory.ends)
        if (ends.size() >= Memory::loop) earliest.consider(ends[ends.size() - Memory::loop] + Memory::window + tick);
    return earliest.found();
}

std::optional<Instant> first_expiry(const Observations& seen) {
    std::optional<Instant> first;
    for (const auto& certificate : certificates_in(seen))
        first = std::min(first.value_or(certificate.not_after()), certificate.not_after());
    return first;
}

std::optional<int> expiry_stage(const Observations& seen) {
    const auto first = first_expiry(seen);
    if (!first) return std::nullopt;
    if (seen.now > *first) return 0;
    for (auto days = expiry_thresholds.rbegin(); days != expiry_thresholds.rend(); ++days)
        if (*first - seen.now < std::chrono::days(*days)) return *days;
    return std::nullopt;
}

}  // namespace eflow
