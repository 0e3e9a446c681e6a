#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shared/finding.hpp"
#include "vm-agent/health/causes.hpp"
#include "vm-agent/health/observations.hpp"

namespace eflow {

/// What keeps the services from their work, by the last words of their journals.
struct Reasons {
    /// By the unit that suffers. Where one service keeps the reason from another, the reason stands here, with the unit
    /// whose journal has it.
    std::map<std::string, Diagnosis, std::less<>> by_unit;

    [[nodiscard]] const Diagnosis* of(std::string_view unit) const;
    /// What identityd met with on the way to DPS and the hub; none when there was nothing, or something else.
    [[nodiscard]] const Diagnosis* registration() const;
    /// identityd is fine and the cloud is not there: systemd starts it again until it is.
    [[nodiscard]] bool tries_again() const;
    /// What these units, which do not do their work, mean for a change that was made: the cloud's no before all, then a
    /// fault of this machine, then what may still come good. One that says nothing known is a fault of this machine.
    [[nodiscard]] Consequence consequence_of(const std::vector<std::string>& units) const;
};

using Journals = std::map<std::string, std::vector<std::string>>;

/// By the journals of the units, oldest line first.
[[nodiscard]] Reasons read_reasons(const Journals& journals);

/// The finding cloud.registration: failed when the cloud said no or nobody knows why, a warning while identityd tries
/// on; skipped when there is nothing to say.
[[nodiscard]] Finding judge_registration(const Diagnosis* registration);

}  // namespace eflow
