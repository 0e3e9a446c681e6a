#include <filesystem>

#include "shared/failure.hpp"
#include "shared/manifest.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/health/check.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

/// Two texts that ought to say the same, and which of them says what.
class Differences {
public:
    explicit Differences(const char* other) : other_(other) {}

    void compare(const char* key, const std::string& config, const std::string& other) {
        if (config == other) return;
        text_ += (text_.empty() ? "" : "\n") + std::string(key) + " is '" + config + "', not '" + other + "' as " + other_;
    }
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    const char* other_;
    std::string text_;
};

std::string plain_endpoint(const std::string& text) {
    const auto endpoint = DpsEndpoint::parse(text);
    return std::holds_alternative<DpsEndpoint>(endpoint) ? std::get<DpsEndpoint>(endpoint).url() : text;
}

std::string lowered(std::string text) {
    for (auto& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

/// The registration ID that config.toml comes to: its own, else the leaf's CN; empty where neither is one.
std::string registration_id_of(const Observations& seen, const ProvisioningSeen& provisioning) {
    std::string text = provisioning.registration_id.value_or("");
    if (const auto& certificates = certificates_in(seen); text.empty() && !certificates.empty())
        text = certificates.front().common_name().value_or("");
    return std::holds_alternative<RegistrationId>(RegistrationId::parse(text)) ? text : std::string();
}

}  // namespace

Finding judge_manifest(const Observations& seen, const ProvisioningSeen& provisioning) {
    constexpr auto id = "config.matches-manifest";
    const std::string path = places::manifest;
    if (!seen.manifest.value) return skipped(id, "The manifest was not read", seen.manifest.why);
    if (!seen.manifest.value->present) return skipped(id, "No manifest to hold it against", path + " does not exist");
    try {
        const Manifest manifest = parse_manifest(seen.manifest.value->text, std::filesystem::path(path).parent_path());
        Differences differences("in /etc/eflow-agent/device.toml");
        differences.compare("id_scope", provisioning.id_scope.value_or(""), manifest.scope_id);
        differences.compare("global_endpoint", plain_endpoint(provisioning.global_endpoint.value_or("")),
                            plain_endpoint(manifest.global_endpoint.value_or(std::string(DpsEndpoint::global))));
        // Where config.toml leaves it to the leaf's CN, identity.cn-matches-registration-id judges that.
        if (provisioning.registration_id && lowered(*provisioning.registration_id) != lowered(manifest.registration_id))
            differences.compare("registration_id", *provisioning.registration_id, manifest.registration_id);
        if (differences.text().empty()) return ok(id, "config.toml says what the manifest says", path);
        return failed(id, "config.toml says something else than " + path, differences.text(),
                      "If the manifest is right: sudo eflow-agent provision --manifest " + path +
                          "\nIf config.toml is right: put these keys right in " + path +
                          ", or move that file away; until then the two undo each other.");
    } catch (const Failure& failure) {
        return failed(id, "The manifest " + path + " cannot be used", failure.what(),
                      "Correct " + path + ", or move it away.");
    }
}

Finding judge_scope_applied(const Observations& seen, const ProvisioningSeen& provisioning) {
    constexpr auto id = "config.scope-applied";
    if (!seen.device_info.value) return skipped(id, "What identityd remembers was not seen", seen.device_info.why);
    if (!is_registered(seen)) return skipped(id, "identityd remembers no registration yet", device_info_path);
    const DeviceInfo& info = **seen.device_info.value;
    const std::string remembered = info.device_id + " at " + info.hub_name;
    constexpr auto again = "sudo iotedge system reprovision";
    if (provisioning.source != "dps") return ok(id, "identityd remembers a registration", remembered);

    const std::string wanted_id = registration_id_of(seen, provisioning);
    const auto& by = seen.registered_by;
    // identityd has registered since this configuration was applied: with it, then.
    const bool is_new = seen.applied.applied && applied_at(seen) != Stamp{} && info.written > applied_at(seen);
    if (!is_new && by && by->hub_name == info.hub_name && by->device_id == info.device_id) {
        Differences differences("when the device registered");
        differences.compare("id_scope", provisioning.id_scope.value_or(""), by->id_scope);
        differences.compare("global_endpoint", plain_endpoint(provisioning.global_endpoint.value_or("")),
                            plain_endpoint(by->global_endpoint));
        if (!wanted_id.empty() && !by->registration_id.empty() && lowered(wanted_id) != lowered(by->registration_id))
            differences.compare("registration_id", wanted_id, by->registration_id);
        if (differences.text().empty())
            return ok(id, "identityd runs with the registration that config.toml asks for", remembered);
        return failed(id, "identityd runs on with an earlier registration: a new ID scope, endpoint or registration ID "
                          "does not make it register again",
                      differences.text() + "\nit remembers " + remembered, again);
    }
    // DPS names the device after the registration ID, unless an individual enrollment gives it another name.
    if (!wanted_id.empty() && lowered(wanted_id) != lowered(info.device_id))
        return warning(id, "identityd remembers a device of another name than config.toml registers",
                       "config.toml registers " + wanted_id + "; identityd remembers " + remembered,
                       std::string("Unless the enrollment gives the device that name, have it register again: ") + again);
    return ok(id, "identityd remembers a registration that fits config.toml", remembered);
}

Finding judge_unfinished(const Observations& seen) {
    constexpr auto id = "config.unfinished-change";
    const auto& one = seen.unfinished;
    if (!one) return ok(id, "No change was left open");
    const std::string what = one->verb + (one->since.empty() ? "" : " since " + one->since);
    if (one->runs)
        return ok(id, "A change is under way: " + what, "by process " + std::to_string(one->pid));
    return warning(id, "A change was interrupted and left open: " + what,
                   one->committed ? "its config.toml stands; it was neither seen to come up nor taken back"
                                  : "it had not put its config.toml in place; the previous one stands",
                   "sudo eflow-agent undo");
}

}  // namespace eflow
