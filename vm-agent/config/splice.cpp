#include "vm-agent/config/splice.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "shared/failure.hpp"
#include "vm-agent/config/document.hpp"
#include "vm-agent/config/edit.hpp"
#include "vm-agent/config/judge.hpp"

namespace eflow {

namespace {

std::string described(const ProvisioningSeen& seen) {
    if (seen.source == "dps" && seen.method == "x509" && !seen.identity_cert)
        return "DPS with an X.509 certificate that is issued (EST or CA)";
    if (seen.source == "dps") return "DPS with " + (seen.method.empty() ? std::string("no attestation") : seen.method);
    if (seen.source.empty()) return "a [provisioning] without a source";
    return "source \"" + seen.source + "\"" + (seen.method.empty() ? "" : " with " + seen.method);
}

bool is_dps_x509(const ProvisioningSeen& seen) {
    return seen.source == "dps" && seen.method == "x509" && seen.identity_cert;
}

bool has_only(const toml::value& table, std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : table.as_table())
        if (std::find(known.begin(), known.end(), key) == known.end()) return false;
    return true;
}

/// The beginning of DPS X.509 and of nothing else, as a writer that died half way leaves it.
bool is_unfinished(const toml::value& root) {
    const toml::value* provisioning = value_at(root, {"provisioning"});
    if (provisioning == nullptr || !provisioning->is_table() ||
        !has_only(*provisioning, {"source", "global_endpoint", "id_scope", "payload", "attestation"}) ||
        (provisioning->as_table().count("source") > 0 && text_at(root, {"provisioning", "source"}) != "dps"))
        return false;
    const toml::value* attestation = value_at(root, {"provisioning", "attestation"});
    if (attestation == nullptr) return true;
    if (!attestation->is_table()) return false;
    const auto& keys = attestation->as_table();
    const auto absent_or_text = [&](const char* key) { return keys.count(key) == 0 || keys.at(key).is_string(); };
    return has_only(*attestation, {"method", "registration_id", "identity_cert", "identity_pk"}) &&
           (keys.count("method") == 0 || text_at(*attestation, {"method"}) == "x509") &&
           absent_or_text("identity_cert") && absent_or_text("identity_pk");
}

/// The provisioning that stands beside the one that is wanted.
Finding judge_existing(const toml::value& root, const std::optional<ProvisioningSeen>& seen,
                       const ManagedConfig& managed, bool force) {
    constexpr auto id = "config.matches-manifest";
    if (!seen) return ok(id, "config.toml holds no provisioning yet");
    if (!is_dps_x509(*seen) && is_unfinished(root))
        return ok(id, "config.toml holds the beginning of a provisioning by DPS X.509, which is completed");
    if (!is_dps_x509(*seen)) {
        const std::string detail = "/etc/aziot/config.toml provisions this device by " + described(*seen);
        if (force)
            return warning(id, "Another provisioning method is replaced, as asked", detail,
                           "The previous config.toml is kept: eflow-agent undo brings it back.");
        return failed(id, "Another provisioning method stands in config.toml", detail,
                      "If this device is to change over to DPS X.509, say --force; --dry-run --force shows the "
                      "difference first.");
    }
    if (seen->id_scope != managed.id_scope)
        return warning(id, "The device moves to another ID scope",
                       "from " + seen->id_scope.value_or("none") + " to " + managed.id_scope,
                       "If that is not meant: sudo eflow-agent undo");
    return ok(id, "config.toml provisions this device by DPS X.509 already");
}

/// One thing that is to be so: the key has this text, or is gone.
struct Edit {
    KeyPath path;
    std::optional<std::string> text;
    Remark remark = Remark::stays;
};

const toml::value* at(const toml::value& root, const KeyPath& path) {
    const toml::value* found = &root;
    for (const auto& part : path) {
        if (!found->is_table()) return nullptr;
        const auto& table = found->as_table();
        const auto next = table.find(part);
        if (next == table.end()) return nullptr;
        found = &next->second;
    }
    return found;
}

bool is_text(const toml::value* value, const std::string& text) {
    return value != nullptr && value->is_string() && value->as_string() == text;
}

/// Settings of the other sources and methods (super_config.rs ManualProvisioning, DpsAttestationMethod,
/// CertIssuanceOptions): beside DPS X.509 from files they would be dead, or secrets that nothing needs any more.
struct Foreign {
    KeyPath path;
    bool secret = false;
};
const std::vector<Foreign>& foreign() {
    static const std::vector<Foreign> all{
        {{"provisioning", "connection_string"}, true},
        {{"provisioning", "iothub_hostname"}},
        {{"provisioning", "device_id"}},
        {{"provisioning", "authentication"}, true},
        {{"provisioning", "attestation", "symmetric_key"}, true},
    };
    return all;
}

/// What IoT Edge would read [edge_ca] by in place of the pair of files (iotedge super_config.rs EdgeCa).
constexpr std::array other_edge_ca{"method", "url", "common_name", "subject", "expiry_days", "auto_renew",
                                   "auto_generated_edge_ca_expiry_days"};

/// What DPS X.509 with these values needs, and nothing else: the rest of [provisioning] is its owner's.
std::vector<Edit> provisioning_edits(const toml::value& root, const ManagedConfig& managed) {
    std::vector<Edit> edits{{{"provisioning", "source"}, "dps"},
                            {{"provisioning", "global_endpoint"}, managed.global_endpoint},
                            {{"provisioning", "id_scope"}, managed.id_scope}};
    if (managed.payload_uri) edits.push_back({{"provisioning", "payload", "uri"}, managed.payload_uri});
    edits.push_back({{"provisioning", "attestation", "method"}, "x509"});
    edits.push_back({{"provisioning", "attestation", "registration_id"}, managed.registration_id});
    edits.push_back({{"provisioning", "attestation", "identity_cert"}, managed.identity_cert_uri});
    edits.push_back({{"provisioning", "attestation", "identity_pk"}, managed.identity_pk_uri});
    for (const auto& one : foreign())
        if (at(root, one.path) != nullptr)
            edits.push_back({one.path, std::nullopt, one.secret ? Remark::goes : Remark::stays});
    return edits;
}

std::vector<Edit> edge_ca_edits(const toml::value& root, const ManagedConfig::EdgeCa& edge_ca, bool force,
                                Findings& findings) {
    if (value_at(root, {"edge_ca"}) != nullptr && !text_at(root, {"edge_ca", "cert"}) && !force) {
        findings.push_back(failed("config.matches-manifest", "Another kind of Edge CA stands in config.toml",
                                  "[edge_ca] there is not a pair of files", "If it is to be replaced, say --force."));
        return {};
    }
    std::vector<Edit> edits{{{"edge_ca", "cert"}, edge_ca.cert_uri}, {{"edge_ca", "pk"}, edge_ca.pk_uri}};
    for (const char* key : other_edge_ca)
        if (at(root, {"edge_ca", key}) != nullptr) edits.push_back({{"edge_ca", key}, std::nullopt});
    return edits;
}

/// [agent] needs name, type and config.image as soon as it stands there at all (edgelet-settings ModuleSpec).
std::vector<Edit> agent_edits(const toml::value& root, const ManagedConfig& managed, Findings& findings) {
    const bool has_agent = value_at(root, {"agent"}) != nullptr;
    if (!has_agent && !managed.agent_image) {
        findings.push_back(
            failed("config.matches-manifest", "A proxy for edgeAgent needs its image",
                   "[agent.env] makes IoT Edge demand agent.name, agent.type and agent.config.image too",
                   "Set edge.agent_image in the manifest, for example mcr.microsoft.com/azureiotedge-agent:1.5."));
        return {};
    }
    std::vector<Edit> edits;
    if (!has_agent) edits = {{{"agent", "name"}, "edgeAgent"}, {{"agent", "type"}, "docker"}};
    if (managed.agent_image) edits.push_back({{"agent", "config", "image"}, managed.agent_image});
    if (managed.proxy) edits.push_back({{"agent", "env", "https_proxy"}, managed.proxy});
    return edits;
}

std::string applied_to_text(std::string text, const toml::value& root, const std::vector<Edit>& edits) {
    for (const auto& edit : edits) {
        const toml::value* stands = at(root, edit.path);
        if (!edit.text) {
            if (stands != nullptr) text = remove_value(text, edit.path, edit.remark);
        } else if (!is_text(stands, *edit.text)) {
            // A table of one key is written in one line: payload = { uri = "…" }.
            const KeyPath table(edit.path.begin(), edit.path.end() - 1);
            const bool payload = edit.path.back() == "uri" && at(root, table) == nullptr;
            text = payload ? set_value(text, table, "{ uri = " + quoted_toml(*edit.text) + " }")
                           : set_value(text, edit.path, quoted_toml(*edit.text));
        }
    }
    return text;
}

/// The same on the values: what the text must come to, and nothing else changed.
toml::value applied_to_values(toml::value root, const std::vector<Edit>& edits) {
    for (const auto& edit : edits) {
        toml::value* table = &root;
        for (std::size_t i = 0; i + 1 < edit.path.size() && table != nullptr; ++i) {
            auto& keys = table->as_table();
            const auto found = keys.find(edit.path[i]);
            if (found != keys.end() && found->second.is_table())
                table = &found->second;
            else if (edit.text)
                table = &(keys[edit.path[i]] = toml::value(toml::table()));
            else
                table = nullptr;
        }
        if (table == nullptr) continue;
        auto& keys = table->as_table();
        if (!edit.text)
            keys.erase(edit.path.back());
        else if (const auto found = keys.find(edit.path.back());
                 found == keys.end() || !is_text(&found->second, *edit.text))
            keys[edit.path.back()] = toml::value(*edit.text);
    }
    return root;
}

[[noreturn]] void would_change_more() {
    throw Failure(ExitCode::internal,
                  "writing the provisioning into config.toml would have changed something else in it",
                  "Nothing was changed. Write [provisioning] (and [agent], [edge_ca]) as plain tables, not as inline "
                  "ones, and run this again; please report the file's shape.");
}

/// What of `edits` takes something out that is not ours, in words: `connection_string`, `authentication`.
std::string named_drops(const toml::value& root, const std::vector<Edit>& edits) {
    std::string text;
    const auto add = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
    for (const auto& edit : edits) {
        const toml::value* stands = at(root, edit.path);
        if (stands == nullptr) continue;
        std::string dotted;
        for (const auto& part : edit.path) dotted += (dotted.empty() ? "" : ".") + part;
        // The registration ID is ours to leave out: the leaf's CN says it.
        if (!edit.text && edit.path.back() != "registration_id") add(dotted);
        if (edit.text && !stands->is_string()) add(dotted + " as it stood");
    }
    return text;
}

}  // namespace

Spliced splice(std::string_view existing, const ManagedConfig& managed, bool force) {
    Spliced spliced;
    auto parsed = parse_document(existing);
    if (auto* finding = std::get_if<Finding>(&parsed)) {
        spliced.findings.push_back(std::move(*finding));
        return spliced;
    }
    toml::value before = std::move(std::get<toml::value>(parsed));
    Findings& findings = spliced.findings;
    findings.push_back(judge_existing(before, read_provisioning(existing), managed, force));

    std::string text(existing);
    // No table at all: nothing of it can stay.
    if (const auto* provisioning = value_at(before, {"provisioning"});
        provisioning != nullptr && !provisioning->is_table()) {
        text = remove_table(text, {"provisioning"});
        before.as_table().erase("provisioning");
    }
    std::vector<Edit> edits = provisioning_edits(before, managed);
    const auto more = [&](std::vector<Edit> others) {
        edits.insert(edits.end(), std::make_move_iterator(others.begin()), std::make_move_iterator(others.end()));
    };
    if (managed.hostname) more({{{"hostname"}, managed.hostname}});
    if (managed.trust_bundle_uri) more({{{"trust_bundle_cert"}, managed.trust_bundle_uri}});
    if (managed.edge_ca) more(edge_ca_edits(before, *managed.edge_ca, force, findings));
    if (managed.agent_image || managed.proxy) more(agent_edits(before, managed, findings));
    if (gravest(findings) == Severity::failed) return spliced;

    if (const auto drops = named_drops(before, edits); !drops.empty())
        findings.push_back(warning("config.matches-manifest", "Settings of another method are taken out of config.toml",
                                   drops, "The diff shows them; eflow-agent undo brings them back."));
    if (const auto kept = text_at(before, {"provisioning", "payload", "uri"}); kept && !managed.payload_uri)
        findings.push_back(ok("config.payload", "The DPS payload that config.toml names stays", *kept));
    for (const auto& edit : edits)
        if (edit.text && edit.path.front() != "provisioning") {
            const toml::value* stood = at(before, edit.path);
            std::optional<std::string> text_before;
            if (stood != nullptr) text_before = stood->is_string() ? std::string(stood->as_string()) : std::string();
            spliced.edge.push_back({edit.path, *edit.text, std::move(text_before)});
        }
    text = applied_to_text(std::move(text), before, edits);
    const auto after = parse_document(text);
    const auto* root = std::get_if<toml::value>(&after);
    if (root == nullptr || *root != applied_to_values(before, edits)) would_change_more();
    spliced.text = std::move(text);
    return spliced;
}

Spliced remove_provisioning(std::string_view existing) {
    Spliced spliced;
    auto parsed = parse_document(existing);
    if (auto* finding = std::get_if<Finding>(&parsed)) {
        spliced.findings.push_back(std::move(*finding));
        return spliced;
    }
    std::string text = remove_table(existing, {"provisioning"});
    toml::value wanted = std::get<toml::value>(parsed);
    wanted.as_table().erase("provisioning");
    const auto after = parse_document(text);
    const auto* root = std::get_if<toml::value>(&after);
    if (root == nullptr || *root != wanted)
        throw Failure(ExitCode::internal,
                      "taking the provisioning out of config.toml would have changed something else in it",
                      "Nothing was changed. Take [provisioning] out by hand, then run this again.");
    // The empty line that was set before our block when it was put at the end.
    if (text.size() < existing.size() && existing.starts_with(text) &&
        (text.ends_with("\n\n") || text.ends_with("\n\r\n")))
        text.erase(text.size() - (text.ends_with("\r\n") ? 2 : 1));
    spliced.text = std::move(text);
    return spliced;
}

std::string remove_settings(std::string_view existing, const std::vector<EdgeSetting>& ours) {
    const auto removed = [&](bool with_agent) {
        std::string text(existing);
        for (const auto& one : ours) {
            const bool needed = one.path.front() == "agent" && one.path.back() != "https_proxy";
            if (needed && !with_agent) continue;
            for (KeyPath path = one.path; !path.empty(); path.pop_back()) {
                const auto parsed = parse_document(text);
                const auto* root = std::get_if<toml::value>(&parsed);
                const toml::value* stands = root == nullptr ? nullptr : at(*root, path);
                const bool goes = stands != nullptr && (path.size() == one.path.size()
                                                            ? is_text(stands, one.text)
                                                            : stands->is_table() && stands->as_table().empty());
                if (!goes) break;
                text = remove_value(text, path);
            }
        }
        return text;
    };
    std::string text = removed(true);
    const auto parsed = parse_document(text);
    const auto* root = std::get_if<toml::value>(&parsed);
    return root != nullptr && at(*root, {"agent"}) == nullptr ? text : removed(false);
}

}  // namespace eflow
