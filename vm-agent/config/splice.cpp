#include "vm-agent/config/splice.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "shared/failure.hpp"
#include "vm-agent/config/document.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/statements.hpp"

namespace eflow {

namespace {

using Path = std::vector<std::string>;

/// A TOML basic string.
std::string as_toml(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            std::array<char, 8> escape{};
            std::snprintf(escape.data(), escape.size(), "\\u%04X", byte);
            out += escape.data();
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string render(const ManagedConfig& managed) {
    std::string text = "[provisioning]\nsource = \"dps\"\n";
    text += "global_endpoint = " + as_toml(managed.global_endpoint) + "\n";
    text += "id_scope = " + as_toml(managed.id_scope) + "\n";
    if (managed.payload_uri) text += "payload = { uri = " + as_toml(*managed.payload_uri) + " }\n";
    text += "\n[provisioning.attestation]\nmethod = \"x509\"\n";
    if (managed.registration_id) text += "registration_id = " + as_toml(*managed.registration_id) + "\n";
    text += "identity_cert = " + as_toml(managed.identity_cert_uri) + "\n";
    text += "identity_pk = " + as_toml(managed.identity_pk_uri) + "\n";
    return text;
}

std::string with_line_ends(const std::string& text, std::string_view like) {
    const auto first = like.find('\n');
    if (first == std::string_view::npos || first == 0 || like[first - 1] != '\r') return text;
    std::string out;
    for (const char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
    return out;
}

std::string_view slice(std::string_view text, const Statement& one) {
    return text.substr(one.begin, one.end - one.begin);
}

/// `text` with the block set after it, an empty line between.
std::string appended(std::string text, const std::string& block) {
    const std::string line_end = with_line_ends("\n", text);
    if (!text.empty() && text.back() != '\n') text += line_end;
    if (!text.empty()) text += line_end;
    return text + with_line_ends(block, text);
}

/// Replaces everything at or below `prefix` by `block` (empty to remove it), where the first of it stood; appends the
/// block where nothing stood. Comments between what is replaced and the next header stay: they belong to that header.
std::string replace_tables(std::string_view text, const Path& prefix, const std::string& block) {
    const auto all = statements_of(text);
    std::vector<bool> ours(all.size());
    bool any = false;
    bool only_top_level = true;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool statement = all[i].kind == Statement::Kind::header || all[i].kind == Statement::Kind::key_value;
        ours[i] = statement && begins_with(all[i].path, prefix);
        any = any || ours[i];
        if (ours[i] && (all[i].kind == Statement::Kind::header || all[i].below_header)) only_top_level = false;
    }
    if (!any) return block.empty() ? std::string(text) : appended(std::string(text), block);

    // A comment or blank line goes with ours when a key of ours follows it in the same section.
    for (std::size_t i = all.size(); i-- > 0;) {
        const bool between = all[i].kind == Statement::Kind::blank || all[i].kind == Statement::Kind::comment;
        const bool key_of_ours =
            i + 1 < all.size() && ours[i + 1] && all[i + 1].kind != Statement::Kind::header && all[i + 1].below_header;
        if (between && key_of_ours) ours[i] = true;
    }
    // Blank lines alone between two sections of ours go too.
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!ours[i]) continue;
        std::size_t next = i + 1;
        while (next < all.size() && all[next].kind == Statement::Kind::blank && !ours[next]) ++next;
        if (next < all.size() && ours[next])
            for (std::size_t blank = i + 1; blank < next; ++blank) ours[blank] = true;
    }
    const std::string fitting = with_line_ends(block, text);
    // Headers end the part where top-level keys may stand, so a block cannot take the place of a top-level key.
    if (only_top_level && !block.empty()) {
        std::string rest;
        for (std::size_t i = 0; i < all.size(); ++i)
            if (!ours[i]) rest += slice(text, all[i]);
        return appended(rest, block);
    }
    std::string out;
    bool placed = block.empty();
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!ours[i]) {
            out += slice(text, all[i]);
            continue;
        }
        const bool here = all[i].kind == Statement::Kind::header || all[i].below_header;
        if (!placed && here) {
            out += fitting;
            placed = true;
        }
    }
    return out;
}

/// Sets one key: its value replaced where it stands, else a line in its table, else a table at the end (or, for a
/// top-level key, a line before everything else).
std::string set_key(std::string_view text, const Path& table, const std::string& key, const std::string& value) {
    Path path = table;
    path.push_back(key);
    const auto all = statements_of(text);
    const Statement* after = nullptr;
    for (const auto& one : all) {
        if (one.kind == Statement::Kind::key_value && one.path == path)
            return std::string(text.substr(0, one.value_begin)) + value + std::string(text.substr(one.value_end));
        const bool in_table = one.kind == Statement::Kind::key_value && one.path.size() == path.size() &&
                              begins_with(one.path, table) && one.below_header == !table.empty();
        if ((one.kind == Statement::Kind::header && one.path == table) || in_table) after = &one;
    }
    const std::string line = key + " = " + value + "\n";
    if (after != nullptr) {
        std::string out(text.substr(0, after->end));
        if (out.back() != '\n') out += '\n';
        return out + with_line_ends(line, text) + std::string(text.substr(after->end));
    }
    if (table.empty()) return with_line_ends(line + (text.empty() ? "" : "\n"), text) + std::string(text);
    std::string header = "[";
    for (const auto& part : table) header += (header.size() > 1 ? "." : "") + part;
    return appended(std::string(text), header + "]\n" + line);
}

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
                           "The previous config.toml is kept.");
        return failed(id, "Another provisioning method stands in config.toml", detail,
                      "If this device is to change over to DPS X.509, say --force; --dry-run --force shows the "
                      "difference first.");
    }
    if (seen->id_scope != managed.id_scope)
        return warning(id, "The device moves to another ID scope",
                       "from " + seen->id_scope.value_or("none") + " to " + managed.id_scope,
                       "If that is not meant, undo it: the previous config.toml is kept.");
    return ok(id, "config.toml provisions this device by DPS X.509 already");
}

bool same_provisioning(const toml::value& root, const ManagedConfig& managed) {
    const toml::value* provisioning = value_at(root, {"provisioning"});
    const toml::value* attestation = value_at(root, {"provisioning", "attestation"});
    if (provisioning == nullptr || !provisioning->is_table() || attestation == nullptr || !attestation->is_table())
        return false;
    const std::size_t keys = managed.payload_uri ? 5 : 4;
    const std::size_t attestation_keys = managed.registration_id ? 4 : 3;
    return provisioning->as_table().size() == keys && attestation->as_table().size() == attestation_keys &&
           text_at(root, {"provisioning", "source"}) == "dps" &&
           text_at(root, {"provisioning", "global_endpoint"}) == managed.global_endpoint &&
           text_at(root, {"provisioning", "id_scope"}) == managed.id_scope &&
           text_at(root, {"provisioning", "payload", "uri"}) == managed.payload_uri &&
           text_at(root, {"provisioning", "attestation", "method"}) == "x509" &&
           text_at(root, {"provisioning", "attestation", "registration_id"}) == managed.registration_id &&
           text_at(root, {"provisioning", "attestation", "identity_cert"}) == managed.identity_cert_uri &&
           text_at(root, {"provisioning", "attestation", "identity_pk"}) == managed.identity_pk_uri;
}

/// `root` without what `managed` sets: the part that must come through unchanged.
toml::value unmanaged(toml::value root, const ManagedConfig& managed) {
    auto& top = root.as_table();
    const auto erase_in = [](toml::value& holder, std::initializer_list<const char*> path) {
        toml::value* at = &holder;
        for (auto key = path.begin(); key != path.end(); ++key) {
            if (!at->is_table() || at->as_table().count(*key) == 0) return;
            if (key + 1 == path.end()) {
                at->as_table().erase(*key);
                return;
            }
            at = &at->as_table()[*key];
        }
    };
    top.erase("provisioning");
    if (managed.hostname) top.erase("hostname");
    if (managed.trust_bundle_uri) top.erase("trust_bundle_cert");
    if (managed.edge_ca) top.erase("edge_ca");
    if (managed.agent_image || managed.proxy) {
        for (const char* key : {"name", "type"}) erase_in(root, {"agent", key});
        erase_in(root, {"agent", "config", "image"});
        erase_in(root, {"agent", "env", "https_proxy"});
        for (const char* table : {"config", "env"})
            if (const auto* one = value_at(root, {"agent", table});
                one != nullptr && one->is_table() && one->as_table().empty())
                erase_in(root, {"agent", table});
        if (const auto* agent = value_at(root, {"agent"});
            agent != nullptr && agent->is_table() && agent->as_table().empty())
            top.erase("agent");
    }
    return root;
}

/// [agent] needs name, type and config.image as soon as it stands there at all (edgelet-settings ModuleSpec).
std::string set_agent(std::string text, const toml::value& root, const ManagedConfig& managed, Findings& findings) {
    const bool has_agent = value_at(root, {"agent"}) != nullptr;
    if (!has_agent && !managed.agent_image) {
        findings.push_back(
            failed("config.matches-manifest", "A proxy for edgeAgent needs its image",
                   "[agent.env] makes IoT Edge demand agent.name, agent.type and agent.config.image too",
                   "Set edge.agent_image in the manifest, for example mcr.microsoft.com/azureiotedge-agent:1.5."));
        return text;
    }
    if (!has_agent) {
        text = set_key(text, {"agent"}, "name", as_toml("edgeAgent"));
        text = set_key(text, {"agent"}, "type", as_toml("docker"));
    }
    if (managed.agent_image) text = set_key(text, {"agent", "config"}, "image", as_toml(*managed.agent_image));
    if (managed.proxy) text = set_key(text, {"agent", "env"}, "https_proxy", as_toml(*managed.proxy));
    return text;
}

std::string set_edge_ca(std::string text, const toml::value& root, const ManagedConfig::EdgeCa& edge_ca, bool force,
                        Findings& findings) {
    const bool stands = value_at(root, {"edge_ca"}) != nullptr;
    const bool same =
        stands && value_at(root, {"edge_ca"})->is_table() && value_at(root, {"edge_ca"})->as_table().size() == 2 &&
        text_at(root, {"edge_ca", "cert"}) == edge_ca.cert_uri && text_at(root, {"edge_ca", "pk"}) == edge_ca.pk_uri;
    if (same) return text;
    if (stands && !text_at(root, {"edge_ca", "cert"}) && !force) {
        findings.push_back(failed("config.matches-manifest", "Another kind of Edge CA stands in config.toml",
                                  "[edge_ca] there is not a pair of files", "If it is to be replaced, say --force."));
        return text;
    }
    return replace_tables(
        text, {"edge_ca"},
        "[edge_ca]\ncert = " + as_toml(edge_ca.cert_uri) + "\npk = " + as_toml(edge_ca.pk_uri) + "\n");
}

/// The proof: what was wanted stands there, and nothing else changed.
void prove(const toml::value& before, const std::string& text, const ManagedConfig& managed) {
    const auto after = parse_document(text);
    const auto* root = std::get_if<toml::value>(&after);
    if (root == nullptr || !same_provisioning(*root, managed) ||
        unmanaged(*root, managed) != unmanaged(before, managed))
        throw Failure(ExitCode::internal,
                      "writing the provisioning into config.toml would have changed something else in it",
                      "Nothing was changed. Write [provisioning] (and [agent], [edge_ca]) as plain tables, not as "
                      "inline ones, and run "
                      "this again; please report the file's shape.");
}

}  // namespace

Spliced splice(std::string_view existing, const ManagedConfig& managed, bool force) {
    Spliced spliced;
    auto parsed = parse_document(existing);
    if (auto* finding = std::get_if<Finding>(&parsed)) {
        spliced.findings.push_back(std::move(*finding));
        return spliced;
    }
    const toml::value& before = std::get<toml::value>(parsed);
    spliced.findings.push_back(judge_existing(before, read_provisioning(existing), managed, force));

    std::string text(existing);
    if (!same_provisioning(before, managed)) text = replace_tables(text, {"provisioning"}, render(managed));
    if (managed.hostname) text = set_key(text, {}, "hostname", as_toml(*managed.hostname));
    if (managed.trust_bundle_uri) text = set_key(text, {}, "trust_bundle_cert", as_toml(*managed.trust_bundle_uri));
    if (managed.edge_ca) text = set_edge_ca(std::move(text), before, *managed.edge_ca, force, spliced.findings);
    if (managed.agent_image || managed.proxy) text = set_agent(std::move(text), before, managed, spliced.findings);
    if (gravest(spliced.findings) == Severity::failed) return spliced;
    prove(before, text, managed);
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
    std::string text = replace_tables(existing, {"provisioning"}, {});
    const auto after = parse_document(text);
    const auto* root = std::get_if<toml::value>(&after);
    if (root == nullptr || *root != unmanaged(std::get<toml::value>(parsed), {}))
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

}  // namespace eflow
