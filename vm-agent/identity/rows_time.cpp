#include <algorithm>

#include "vm-agent/identity/rows.hpp"

namespace eflow {

namespace {

constexpr Instant start_of_2038 = std::chrono::sys_days(std::chrono::year(2038) / 1 / 1);
constexpr std::chrono::days soon{30};

}  // namespace

Finding current(const Subject& subject) {
    constexpr auto id = "identity.current";
    const Instant now = subject.expected->now;
    std::vector<std::string> faults;
    for (std::size_t depth = 0; depth < subject.chain.path.size(); ++depth) {
        const Certificate& one = subject.chain.path[depth];
        if (now < one.not_before()) faults.push_back(at(depth, one) + ": valid only from " + in_utc(one.not_before()));
        if (now > one.not_after()) faults.push_back(at(depth, one) + ": expired on " + in_utc(one.not_after()));
    }
    if (faults.empty()) return ok(id, "All certificates are within their dates", "the clock here says " + in_utc(now));
    return failed(
        id, "A certificate is outside its dates", joined(faults) + "\nthe clock here says " + in_utc(now),
        "If the clock is right, have the certificate issued again; else set the clock first: timedatectl status");
}

Finding expires_soon(const Subject& subject) {
    constexpr auto id = "identity.expires-soon";
    const Instant now = subject.expected->now;
    std::vector<std::string> soon_gone;
    Instant first = Instant::max();
    for (std::size_t depth = 0; depth < subject.chain.path.size(); ++depth) {
        const Certificate& one = subject.chain.path[depth];
        first = std::min(first, one.not_after());
        if (now <= one.not_after() && one.not_after() - now < soon)
            soon_gone.push_back(at(depth, one) + ": expires on " + in_utc(one.not_after()) + ", in " +
                                std::to_string(std::chrono::floor<std::chrono::days>(one.not_after() - now).count()) + " days");
    }
    if (!soon_gone.empty())
        return warning(id, "A certificate expires soon", joined(soon_gone),
                       "Have it issued again, then run provision with the new files.");
    if (now > first) return skipped(id, "How long the certificates last was not judged", "one has expired already");
    return ok(id, "No certificate expires soon", "the first on " + in_utc(first));
}

Finding before_2038(const Subject& subject) {
    constexpr auto id = "identity.before-2038";
    std::vector<std::string> late;
    bool root_alone = true;
    for (std::size_t depth = 0; depth < subject.chain.path.size(); ++depth) {
        const Certificate& one = subject.chain.path[depth];
        if (one.not_after() < start_of_2038) continue;
        late.push_back(at(depth, one) + ": expires on " + in_utc(one.not_after()));
        root_alone = root_alone && subject.is_root(depth);
    }
    if (late.empty()) return ok(id, "All certificates expire before 2038");
    const std::string detail =
        joined(late) +
        "\nMicrosoft's how-to excludes certificates that expire on or after 2038-01-01: a limit of libiothsm in "
        "IoT Edge 1.0 and 1.1. Versions 1.2 and later (1.4, 1.5, 1.6) do not have it.";
    if (root_alone)
        return warning(id, "The root expires in 2038 or later", detail,
                       "On IoT Edge 1.2 or later nothing has to be done; the root need not be in the file at all.");
    constexpr auto remedy =
        "On IoT Edge 1.2 or later say --allow-after-2038; else have the certificate issued with an earlier end.";
    return subject.expected->allow_after_2038
               ? warning(id, "A certificate expires in 2038 or later, as allowed", detail, remedy)
               : failed(id, "A certificate expires in 2038 or later", detail, remedy);
}

}  // namespace eflow
