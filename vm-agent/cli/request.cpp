#include "vm-agent/cli/request.hpp"

#include <filesystem>
#include <utility>

#include <nlohmann/json.hpp>

#include "shared/failure.hpp"
#include "shared/manifest.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/identity/pem.hpp"
#include "vm-agent/identity/uses.hpp"
#include "vm-agent/machine/input.hpp"
#include "vm-agent/machine/users.hpp"
#include "vm-agent/placement/check.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_payload = 96 * 1024;  // what DPS takes in one message (azure-docs iot-dps-limits.md)

std::string absolute(const std::string& path) {
    return std::filesystem::absolute(path).lexically_normal().string();
}

/// The flag where it was given, else the manifest's value.
void take(std::string& value, const std::string& flag) {
    if (!flag.empty()) value = flag;
}
void take(std::optional<std::string>& value, const std::string& flag) {
    if (!flag.empty()) value = flag;
}

/// The value, or nothing with its finding noted.
template <class T>
std::optional<T> keep(Judged<T> judged, Findings& findings) {
    if (auto* finding = std::get_if<Finding>(&judged)) {
        findings.push_back(std::move(*finding));
        return std::nullopt;
    }
    return std::move(std::get<T>(judged));
}

std::optional<std::string> judge_scope(const std::string& text, Findings& findings) {
    const auto scope = keep(IdScope::parse(text), findings);
    if (!scope) return std::nullopt;
    if (scope->unusual())
        findings.push_back(warning(
            "config.scope-id", "The ID scope looks unusual",
            "'" + scope->text() + "' is not 0ne, 0us or 0cn and eight hexadecimal digits, as DPS gives them today",
            "Compare it with the ID Scope on the overview page of the DPS instance."));
    else
        findings.push_back(ok("config.scope-id", "The ID scope has the form DPS gives"));
    return scope->text();
}

std::optional<std::string> judge_endpoint(const std::optional<std::string>& text, const std::string& scope,
                                          Findings& findings) {
    const auto endpoint = keep(DpsEndpoint::parse(text.value_or(std::string(DpsEndpoint::global))), findings);
    if (!endpoint) return std::nullopt;
    if (auto mixed = cloud_mismatch(scope, endpoint->host()))
        findings.push_back(std::move(*mixed));
    else
        findings.push_back(ok("config.endpoint", "The global endpoint is an https address", endpoint->url()));
    return endpoint->url();
}

/// A file that config.toml will refer to where it stands on the device: there, regular, and of a sane size.
std::optional<SecretBytes> referred(const Tree& tree, const std::string& path, std::size_t limit, const char* id,
                                    const char* what, Findings& findings) {
    std::string why = "no such file there";
    try {
        if (auto bytes = tree.read(path, limit)) return bytes;
    } catch (const Failure& failure) {
        why = failure.what();
    }
    findings.push_back(
        failed(id, std::string("The ") + what + " cannot be read where the device would look for it", path + ": " + why,
               std::string("Put the ") + what +
                   " on the device at that path first (below --root, when that is given); config.toml refers "
                   "to it there."));
    return std::nullopt;
}

void judge_payload(const Tree& tree, const std::string& path, Findings& findings) {
    const auto bytes = referred(tree, path, largest_payload, "config.payload", "DPS payload", findings);
    if (!bytes) return;
    if (nlohmann::json::accept(bytes->reveal()))
        findings.push_back(ok("config.payload", "The DPS payload is JSON", path));
    else
        findings.push_back(failed("config.payload", "The DPS payload is not JSON",
                                  path + " would make identityd fail when it registers",
                                  "Correct the file; this shows where it breaks: python3 -m json.tool " + shell_path(path)));
}

void judge_trust_bundle(const Tree& tree, const std::string& path, Instant now, Findings& findings) {
    constexpr auto id = "config.trust-bundle";
    const auto bytes = referred(tree, path, InputLimits::file_bytes, id, "trust bundle", findings);
    if (bytes)
        append(findings, judge_trust_bundle_file({id, "trust bundle"}, {bytes->reveal(), path}, now, Reading::in_place));
}

void judge_edge_ca(const Tree& tree, const Manifest::EdgeCa& edge_ca, Instant now, Findings& findings) {
    constexpr auto id = "identity.edge-ca";
    const auto certificate =
        referred(tree, edge_ca.certificate, InputLimits::file_bytes, id, "Edge CA certificate", findings);
    const auto key = referred(tree, edge_ca.private_key, InputLimits::file_bytes, id, "Edge CA's key", findings);
    if (certificate && key)
        append(findings, judge_edge_ca_pair({id, "Edge CA"}, {certificate->reveal(), edge_ca.certificate},
                                            FileBytes{key->reveal(), edge_ca.private_key}, now, Reading::in_place));
}

/// Whether IoT Edge's users could read what config.toml is going to name and the device holds already.
void judge_referred_readers(const Tree& tree, const Manifest& wanted, Findings& findings) {
    using Role = NamedFile::Role;
    std::vector<NamedFile> files;
    if (wanted.trust_bundle) files.push_back({*wanted.trust_bundle, "the trust bundle", Role::certificate});
    if (wanted.edge_ca) {
        files.push_back({wanted.edge_ca->certificate, "the Edge CA certificate", Role::certificate});
        files.push_back({wanted.edge_ca->private_key, "the Edge CA's key", Role::key});
    }
    if (wanted.payload) files.push_back({*wanted.payload, "the DPS payload", Role::payload});
    if (files.empty()) return;
    for (auto& finding : judge_readers(tree, read_users(tree), files))
        if (finding.severity != Severity::skipped) findings.push_back(std::move(finding));
}

}  // namespace

Manifest manifest_of(const ProvisionOptions& options) {
    if (options.manifest.empty()) return {};
    const InputFile file = read_input(options.manifest, InputLimits::file_bytes);
    if (file.state != InputFile::State::read)
        throw Failure(ExitCode::refused, "the manifest " + options.manifest + " cannot be read: " + file.why,
                      "Check the path, and that this user may read it.");
    return parse_manifest(file.bytes.reveal(), std::filesystem::path(absolute(options.manifest)).parent_path());
}

Manifest with_flags(Manifest manifest, const ProvisionOptions& options) {
    take(manifest.scope_id, options.scope_id);
    take(manifest.registration_id, options.registration_id);
    take(manifest.certificate, options.certificate);
    take(manifest.private_key, options.key);
    take(manifest.global_endpoint, options.global_endpoint);
    take(manifest.hostname, options.hostname);
    if (!options.payload.empty()) manifest.payload = absolute(options.payload);
    if (!options.trust_bundle.empty()) manifest.trust_bundle = absolute(options.trust_bundle);
    if (!options.enrollment.empty())
        manifest.enrollment = options.enrollment == "individual" ? Enrollment::individual : Enrollment::group;
    return manifest;
}

JudgedRequest judge_request(const Manifest& wanted, const IdentityFiles& files, bool allow_after_2038, const Tree& tree,
                            Instant now) {
    JudgedRequest judged;
    Findings& findings = judged.findings;

    const auto scope = judge_scope(wanted.scope_id, findings);
    const auto endpoint = judge_endpoint(wanted.global_endpoint, wanted.scope_id, findings);
    std::optional<RegistrationId> registration_id;
    if (!wanted.registration_id.empty())
        registration_id = keep(RegistrationId::parse(wanted.registration_id), findings);

    if (files.certificate.state != InputFile::State::read)
        findings.push_back(failed("identity.cert-readable", "The certificate file cannot be read",
                                  files.certificate_name + ": " + files.certificate.why,
                                  remedy_for(files.certificate, files.certificate_remedy)));
    if (files.key.state != InputFile::State::read)
        findings.push_back(failed("identity.key-readable", "The private key file cannot be read",
                                  files.key_name + ": " + files.key.why,
                                  remedy_for(files.key, files.key_remedy)));
    if (files.certificate.state == InputFile::State::read && files.key.state == InputFile::State::read) {
        IdentityExpectation expectation;
        expectation.registration_id = registration_id;
        expectation.enrollment = wanted.enrollment.value_or(Enrollment::group);
        expectation.now = now;
        expectation.allow_after_2038 = allow_after_2038;
        IdentityVerdict verdict = judge_identity(files.certificate.bytes.reveal(), files.certificate_name,
                                                 files.key.bytes.reveal(), files.key_name, expectation);
        append(findings, std::move(verdict.findings));
        judged.material = std::move(verdict.material);
    }
    if (wanted.payload) judge_payload(tree, *wanted.payload, findings);
    if (wanted.trust_bundle) judge_trust_bundle(tree, *wanted.trust_bundle, now, findings);
    if (wanted.edge_ca) judge_edge_ca(tree, *wanted.edge_ca, now, findings);
    judge_referred_readers(tree, wanted, findings);

    if (gravest(findings) == Severity::failed || !judged.material || !scope || !endpoint) {
        judged.material.reset();
        return judged;
    }
    const std::string name = "/device-id-" + judged.material->fingerprint8;
    judged.certificate_path = std::string(places::certificates) + name + ".cert.pem";
    judged.key_path = std::string(places::secrets) + name + ".key.pem";

    ManagedConfig config;
    config.id_scope = *scope;
    config.global_endpoint = *endpoint;
    // With registration_id set, identityd takes an unreadable certificate for a missing one and has keyd delete the
    // private key; without it the CN decides and the key survives (identity.rs get_identity_credentials).
    if (registration_id && registration_id->text() != judged.material->common_name)
        config.registration_id = registration_id->text();
    config.identity_cert_uri = file_uri(judged.certificate_path);
    config.identity_pk_uri = file_uri(judged.key_path);
    if (wanted.payload) config.payload_uri = file_uri(*wanted.payload);
    config.hostname = wanted.hostname;
    if (wanted.trust_bundle) config.trust_bundle_uri = file_uri(*wanted.trust_bundle);
    if (wanted.edge_ca)
        config.edge_ca =
            ManagedConfig::EdgeCa{file_uri(wanted.edge_ca->certificate), file_uri(wanted.edge_ca->private_key)};
    config.agent_image = wanted.agent_image;
    config.proxy = wanted.proxy;
    judged.config = std::move(config);
    return judged;
}

}  // namespace eflow
