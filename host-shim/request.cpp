#include "host-shim/request.hpp"

#include <filesystem>
#include <utility>

#include "host-shim/pem.hpp"
#include "shared/failure.hpp"
#include "shared/identity.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_config = 1024 * 1024;
constexpr std::size_t largest_pem = 1024 * 1024;

SecretBytes read_or_refuse(Host& host, const std::string& path, const char* what) {
    auto content = host.read(path, largest_config);
    if (auto* bytes = std::get_if<SecretBytes>(&content)) return std::move(*bytes);
    throw Failure(ExitCode::refused,
                  std::string(what) + " " + path + " cannot be read: " + std::get<std::string>(content),
                  "Give the path of a file that this account may read.");
}

std::string folder_of(const std::string& path) {
    const auto slash = path.find_last_of("\\/");
    return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

bool is_absolute(std::string_view path) {
    const bool drive = path.size() > 2 && ((path[0] | 32) >= 'a' && (path[0] | 32) <= 'z') && path[1] == ':' &&
                       (path[2] == '\\' || path[2] == '/');
    return drive || path.starts_with("\\\\") || path.starts_with('/');
}

/// A path of a file on this host as the manifest has it: relative to the manifest's folder.
std::string on_host(const std::string& path, const std::string& folder) {
    return is_absolute(path) ? path : folder + path;
}

/// What stands in the VM must be a path there, however the manifest came to this host.
void require_vm_path(const std::optional<std::string>& path, const char* key, Findings& findings) {
    if (path && !path->starts_with('/'))
        findings.push_back(failed("config.matches-manifest", std::string(key) + " is no path in the VM",
                                  "'" + *path + "' must begin with /: the file has to stand in the VM already",
                                  "Copy it there (Copy-EflowVmFile) and name it by its path in the VM."));
}

void judge_identifiers(const Manifest& device, Findings& findings) {
    const auto keep = [&](const auto& judged) {
        if (const auto* finding = std::get_if<Finding>(&judged)) findings.push_back(*finding);
    };
    const auto scope = IdScope::parse(device.scope_id);
    keep(scope);
    if (const auto* valid = std::get_if<IdScope>(&scope); valid != nullptr && valid->unusual())
        findings.push_back(warning("config.scope-id", "The ID scope does not look like one",
                                   "'" + valid->text() + "' is not 0ne and eight hexadecimal digits",
                                   "Compare it with the ID Scope on the overview page of the DPS instance."));
    keep(RegistrationId::parse(device.registration_id));
    if (device.global_endpoint) keep(DpsEndpoint::parse(*device.global_endpoint));
}

void judge_files(Request& request, Host& host) {
    auto certificate = host.read(request.device.certificate, largest_pem);
    if (const auto* why = std::get_if<std::string>(&certificate)) {
        request.findings.push_back(failed("identity.cert-readable", "The certificate cannot be read",
                                          request.device.certificate + ": " + *why,
                                          "Give the path of the full-chain certificate on this host."));
    } else {
        request.certificate_pem = std::string(plain_pem(std::get<SecretBytes>(certificate).reveal()).reveal());
        if (const auto fault = certificate_fault(request.certificate_pem))
            request.findings.push_back(
                failed("identity.cert-readable", "The certificate file is not PEM certificates",
                       request.device.certificate + ": " + *fault,
                       "Convert it: openssl pkcs12 -in FILE.pfx -nokeys -out full-chain.cert.pem"));
        else
            request.findings.push_back(
                ok("identity.cert-readable", "The certificate file is PEM", request.device.certificate));
    }
    auto key = host.read(request.device.private_key, largest_pem);
    if (const auto* why = std::get_if<std::string>(&key)) {
        request.findings.push_back(
            failed("identity.key-readable", "The private key cannot be read", request.device.private_key + ": " + *why,
                   "Give the path of the key on this host; this account must be able to read it."));
        return;
    }
    request.key_pem = plain_pem(std::get<SecretBytes>(key).reveal());
    if (const auto fault = key_fault(request.key_pem.reveal()))
        request.findings.push_back(failed(
            "identity.key-readable", "The key file is not one unencrypted PEM private key",
            request.device.private_key + ": " + *fault, "Convert it: openssl pkey -in FILE -out device.key.pem"));
    else
        request.findings.push_back(
            ok("identity.key-readable", "The key file is one unencrypted PEM key", request.device.private_key));
}

/// The CN is what DPS knows the device by when the module takes no registration ID, so it is proven here.
void judge_leaf(Request& request, Host& host) {
    if (request.refused()) return;
    const auto judged = host.leaf(request.certificate_pem);
    if (const auto* why = std::get_if<std::string>(&judged)) {
        request.findings.push_back(failed("identity.cert-readable", "The first certificate cannot be read",
                                          request.device.certificate + ": " + *why,
                                          "Make the file again; the leaf comes first."));
        return;
    }
    request.leaf = std::get<LeafFacts>(judged);
    const auto id = RegistrationId::parse(request.device.registration_id);
    if (!std::get<RegistrationId>(id).same_as(request.leaf->common_name)) {
        request.findings.push_back(
            failed("identity.cn-matches-registration-id", "The certificate's CN is not the registration ID",
                   "The first certificate of " + request.device.certificate + " has the CN '" +
                       request.leaf->common_name + "', the registration ID is '" + request.device.registration_id + "'",
                   "Use the certificate of this device, leaf first, or the registration ID that is its CN."));
        return;
    }
    request.findings.push_back(ok("identity.cn-matches-registration-id", "The certificate's CN is the registration ID",
                                  request.leaf->common_name));
}

void judge_deployment(const Options& options, Request& request) {
    if (!options.deploy) return;
    if (!request.deployment) request.deployment = Deployment{};
    if (options.accept_eula) request.deployment->accept_eula = true;
    for (const auto& fault : faults_of(*request.deployment))
        request.findings.push_back(failed("host.deployment", "Deploy-Eflow would not take this", fault,
                                          "Correct [host.deploy] of the manifest."));
    if (!request.deployment->accept_eula)
        request.findings.push_back(failed(
            "host.deployment", "Deploying accepts Microsoft's licence for EFLOW", "Nothing said that it is accepted",
            "Read it (Deploy-Eflow shows it when it is run by hand), then give --accept-eula or accept_eula = true."));
}

std::string toml_text(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
            out += "\\u00";
            out += digits[static_cast<unsigned char>(c) >> 4];
            out += digits[static_cast<unsigned char>(c) & 15];
        } else {
            out += c;
        }
    }
    return out + "\"";
}

}  // namespace

Request make_request(const Options& options, Host& host) {
    Request request;
    if (!options.manifest.empty()) {
        const SecretBytes bytes = read_or_refuse(host, options.manifest, "the manifest");
        // Relative paths are completed here, by the rules of this host, not by those of where this was compiled.
        request.device = parse_manifest(bytes.reveal(), {});
        const std::string folder = folder_of(options.manifest);
        request.device.certificate = on_host(request.device.certificate, folder);
        request.device.private_key = on_host(request.device.private_key, folder);
        request.deployment = parse_deployment(bytes.reveal());
    } else if (!options.autodeploy_config.empty()) {
        const SecretBytes text = read_or_refuse(host, options.autodeploy_config, "the autodeploy configuration");
        AutodeployConfig config = parse_autodeploy(text.reveal());
        request.device = std::move(config.device);
        request.deployment = std::move(config.deployment);
        request.findings = std::move(config.findings);
    }
    if (options.scope_id) request.device.scope_id = *options.scope_id;
    if (options.registration_id) request.device.registration_id = *options.registration_id;
    if (options.certificate) request.device.certificate = *options.certificate;
    if (options.private_key) request.device.private_key = *options.private_key;
    if (options.global_endpoint) request.device.global_endpoint = *options.global_endpoint;
    if (options.enrollment)
        request.device.enrollment = *options.enrollment == "group" ? Enrollment::group : Enrollment::individual;

    std::string missing;
    const auto need = [&](const std::string& value, const char* name) {
        if (value.empty()) missing += (missing.empty() ? "" : ", ") + std::string(name);
    };
    need(request.device.scope_id, "--scope-id");
    need(request.device.certificate, "--identity-cert");
    need(request.device.private_key, "--identity-key");
    // An autodeploy configuration for DpsX509 has no registration ID: the CN is it.
    if (options.autodeploy_config.empty()) need(request.device.registration_id, "--registration-id");
    if (!missing.empty())
        throw Failure(ExitCode::usage, "missing: " + missing,
                      "Give them, or --manifest device.toml. See eflow-shim provision --help.");

    if (!options.autodeploy_config.empty() && request.device.registration_id.empty()) {
        const auto content = host.read(request.device.certificate, largest_pem);
        if (const auto* bytes = std::get_if<SecretBytes>(&content)) {
            const auto leaf = host.leaf(std::string(bytes->reveal()));
            if (const auto* facts = std::get_if<LeafFacts>(&leaf)) request.device.registration_id = facts->common_name;
        }
    }
    judge_identifiers(request.device, request.findings);
    require_vm_path(request.device.payload, "provisioning.payload", request.findings);
    require_vm_path(request.device.trust_bundle, "edge.trust_bundle", request.findings);
    if (request.device.edge_ca) {
        require_vm_path(request.device.edge_ca->certificate, "edge.edge_ca.certificate", request.findings);
        require_vm_path(request.device.edge_ca->private_key, "edge.edge_ca.private_key", request.findings);
    }
    judge_files(request, host);
    judge_leaf(request, host);
    judge_deployment(options, request);
    return request;
}

std::string bundle_manifest(const Manifest& device) {
    std::string text = "schema = 1\n[provisioning]\n";
    const auto put = [&](const char* key, const std::optional<std::string>& value) {
        if (value) text += std::string(key) + " = " + toml_text(*value) + "\n";
    };
    put("scope_id", device.scope_id);
    put("registration_id", device.registration_id);
    put("global_endpoint", device.global_endpoint);
    if (device.enrollment) put("enrollment", std::string(to_text(*device.enrollment)));
    put("payload", device.payload);
    text += "[identity]\ncertificate = \"identity.cert.pem\"\nprivate_key = \"identity.key.pem\"\n";
    if (device.hostname || device.trust_bundle || device.edge_ca || device.agent_image || device.proxy) {
        text += "[edge]\n";
        put("hostname", device.hostname);
        put("trust_bundle", device.trust_bundle);
        put("agent_image", device.agent_image);
        put("proxy", device.proxy);
        if (device.edge_ca)
            text += "edge_ca = { certificate = " + toml_text(device.edge_ca->certificate) +
                    ", private_key = " + toml_text(device.edge_ca->private_key) + " }\n";
    }
    return text;
}

}  // namespace eflow
