#include "tests/support/dps_simulator/directory.hpp"

#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow::dps {

namespace {

using nlohmann::json;

Certificate certificate_of(const json& pem, const std::string& where) {
    auto read = read_certificates(pem.get<std::string>(), where);
    if (const auto* fault = std::get_if<Finding>(&read)) throw std::runtime_error(where + ": " + fault->detail);
    return std::get<std::vector<Certificate>>(read).front();
}

Attestation attestation_of(const json& object, const std::string& where) {
    Attestation attestation;
    for (const char* name : {"primary", "secondary"})
        if (object.contains(name)) attestation.certificates.push_back(certificate_of(object.at(name), where));
    for (const char* name : {"primaryCa", "secondaryCa"})
        if (object.contains(name)) attestation.authorities.push_back(object.at(name).get<std::string>());
    if (attestation.certificates.empty() && attestation.authorities.empty())
        throw std::runtime_error(where + ": no certificate and no CA");
    return attestation;
}

Fault fault_of(const json& object) {
    static const std::map<std::string, Fault::Kind> kinds = {{"throttle", Fault::Kind::throttle},
                                                             {"error", Fault::Kind::error},
                                                             {"slow", Fault::Kind::slow},
                                                             {"cut", Fault::Kind::cut},
                                                             {"raw", Fault::Kind::raw}};
    Fault fault;
    fault.on = object.at("on").get<std::string>();
    fault.kind = kinds.at(object.at("kind").get<std::string>());
    fault.times = object.value("times", fault.times);
    fault.status = object.value("status", fault.status);
    fault.error_code = object.value("errorCode", fault.error_code);
    fault.message = object.value("message", fault.message);
    fault.content_type = object.value("contentType", fault.content_type);
    if (object.contains("retryAfter")) fault.retry_after = object.at("retryAfter").get<int>();
    fault.delay = std::chrono::milliseconds(object.value("delayMs", fault.delay.count()));
    return fault;
}

bool same_id(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool issued_by(const Certificate& child, const Certificate& issuer) {
    return X509_check_issued(issuer.get(), child.get()) == X509_V_OK &&
           X509_verify(child.get(), X509_get0_pubkey(issuer.get())) == 1;
}

bool is_one_of(const Certificate& leaf, const std::vector<Certificate>& certificates) {
    return std::any_of(certificates.begin(), certificates.end(),
                       [&](const Certificate& known) { return known.sha256() == leaf.sha256(); });
}

/// Signatures, CA flags, dates and purpose from the leaf to `anchor`, over what the client sent.
bool verifies(const std::vector<Certificate>& chain, const Certificate& anchor, Instant now) {
    const OwnedStore store(made(X509_STORE_new(), "making a store"));
    must(X509_STORE_add_cert(store.get(), anchor.get()), "adding an anchor");
    const BorrowedStack sent(made(sk_X509_new_null(), "making a stack"));
    for (const auto& certificate : chain) must(sk_X509_push(sent.get(), certificate.get()), "filling a stack");
    const OwnedStoreContext context(made(X509_STORE_CTX_new(), "making a context"));
    must(X509_STORE_CTX_init(context.get(), store.get(), chain.front().get(), sent.get()), "preparing a verification");
    X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_CLIENT);
    // An enrolled intermediate is an anchor too, though it signed itself nothing.
    X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_PARTIAL_CHAIN);
    X509_STORE_CTX_set_time(context.get(), 0, now.time_since_epoch().count());
    const bool good = X509_verify_cert(context.get()) == 1;
    drain_errors();
    return good;
}

std::vector<Certificate> anchors_of(const Directory& directory, const Attestation& attestation) {
    std::vector<Certificate> anchors = attestation.certificates;
    for (const auto& name : attestation.authorities)
        if (const auto found = directory.authorities.find(name); found != directory.authorities.end())
            anchors.push_back(found->second);
    return anchors;
}

bool in_date(const Certificate& certificate, Instant now) {
    return certificate.not_before() <= now && now <= certificate.not_after();
}

Decision refused(std::string why) {
    return {Decision::Kind::refused, {}, false, std::move(why)};
}

constexpr const char* invalid = "Invalid certificate.";
constexpr const char* no_authority = "CA certificate not found.";

Decision judge_individual(const Directory& directory, const IndividualEnrollment& enrollment,
                          const std::vector<Certificate>& chain, Instant now) {
    const auto& attestation = enrollment.attestation;
    const bool known = is_one_of(chain.front(), attestation.certificates);
    if (!known) {
        // By an uploaded CA: any leaf below it with the right CN.
        const auto anchors = anchors_of(directory, {{}, attestation.authorities});
        if (anchors.empty()) return refused(invalid);
        if (std::none_of(anchors.begin(), anchors.end(),
                         [&](const Certificate& anchor) { return verifies(chain, anchor, now); }))
            return refused(no_authority);
    }
    if (!enrollment.enabled) return {Decision::Kind::disabled, {}, false, {}};
    return {Decision::Kind::admitted,
            enrollment.device_id.empty() ? enrollment.registration_id : enrollment.device_id,
            false,
            {}};
}

Decision judge_groups(const Directory& directory, std::string_view registration_id,
                      const std::vector<Certificate>& chain, Instant now) {
    std::vector<Certificate> above(chain.begin() + 1, chain.end());
    Certificate current = chain.front();
    for (;;) {
        for (const auto& group : directory.groups) {
            for (const auto& anchor : anchors_of(directory, group.attestation)) {
                if (!issued_by(current, anchor)) continue;
                if (!verifies(chain, anchor, now)) return refused(invalid);
                if (!group.enabled) return {Decision::Kind::disabled, {}, true, {}};
                return {Decision::Kind::admitted, std::string(registration_id), true, {}};
            }
        }
        const auto next = std::find_if(above.begin(), above.end(), [&](const Certificate& candidate) {
            return candidate.sha256() != current.sha256() && issued_by(current, candidate);
        });
        if (next == above.end()) return refused(no_authority);
        current = *next;
        above.erase(next);
    }
}

}  // namespace

Directory Directory::parse(std::string_view text) {
    try {
        const json document = json::parse(text);
        Directory directory;
        directory.scopes = document.at("scopes").get<std::vector<std::string>>();
        if (document.contains("hub") && !document.at("hub").is_null())
            directory.hub = document.at("hub").get<std::string>();
        const json authorities = document.value("cas", json::object());
        for (const auto& [name, pem] : authorities.items())
            directory.authorities.emplace(name, certificate_of(pem, name));
        for (const auto& object : document.value("enrollments", json::array())) {
            IndividualEnrollment enrollment;
            enrollment.registration_id = object.at("registrationId").get<std::string>();
            enrollment.device_id = object.value("deviceId", "");
            enrollment.attestation = attestation_of(object, enrollment.registration_id);
            enrollment.enabled = object.value("provisioningStatus", "enabled") == "enabled";
            directory.enrollments.push_back(std::move(enrollment));
        }
        for (const auto& object : document.value("groups", json::array())) {
            EnrollmentGroup group;
            group.id = object.at("enrollmentGroupId").get<std::string>();
            group.attestation = attestation_of(object, group.id);
            group.enabled = object.value("provisioningStatus", "enabled") == "enabled";
            directory.groups.push_back(std::move(group));
        }
        for (const auto& object : document.value("faults", json::array())) directory.faults.push_back(fault_of(object));
        directory.images = document.value("images", directory.images);
        directory.faults_text = document.value("faults", json::array()).dump();
        directory.polls_assigning = document.value("pollsAssigning", directory.polls_assigning);
        directory.retry_after = document.value("retryAfter", directory.retry_after);
        return directory;
    } catch (const std::exception& fault) {
        throw std::runtime_error(std::string("the directory is not usable: ") + fault.what());
    }
}

Decision match(const Directory& directory, std::string_view registration_id, const std::vector<Certificate>& chain,
               Instant now) {
    if (chain.empty()) return refused("Unauthorized");
    const Certificate& leaf = chain.front();
    const auto name = leaf.common_name();
    if (!name || !same_id(*name, registration_id)) return refused("Unauthorized");
    if (!in_date(leaf, now)) return refused(invalid);
    for (const auto& enrollment : directory.enrollments)
        if (!enrollment.enabled && is_one_of(leaf, enrollment.attestation.certificates))
            return {Decision::Kind::disabled, {}, false, {}};
    for (const auto& enrollment : directory.enrollments)
        if (same_id(enrollment.registration_id, registration_id))
            return judge_individual(directory, enrollment, chain, now);
    return judge_groups(directory, registration_id, chain, now);
}

}  // namespace eflow::dps
