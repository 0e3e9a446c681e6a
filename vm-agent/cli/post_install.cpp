#include <sys/stat.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/carry_out.hpp"
#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/identity/pem.hpp"
#include "vm-agent/machine/bundle.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest_config = 1024 * 1024;
constexpr auto manifest_name = "device.toml";

struct PostInstallOptions {
    ProvisionOptions request;
    std::string bundle;
    bool keep_copies = false;
};

/// The DPS X.509 provisioning with files that stands in a text; nothing for every other.
std::optional<ProvisioningSeen> adoptable(const Tree& tree, const char* path) {
    std::optional<SecretBytes> text;
    try {
        text = tree.read(path, largest_config);
    } catch (const Failure&) {
        return std::nullopt;  // whatever stands there: the plan says so where it matters
    }
    if (!text) return std::nullopt;
    auto seen = read_provisioning(text->reveal());
    if (!seen || seen->source != "dps" || seen->method != "x509") return std::nullopt;
    return seen;
}

/// Upstream takes URIs only; a module that wrote a plain path meant the same.
std::string path_meant(const std::optional<std::string>& uri) {
    if (!uri || uri->starts_with('/')) return uri.value_or("");
    return path_of_file_uri(*uri).value_or("");
}

/// Who ran sudo, when somebody did.
std::optional<uid_t> caller() {
    const char* text = std::getenv("SUDO_UID");
    if (text == nullptr) return std::nullopt;
    uid_t uid = 0;
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, uid);
    return error == std::errc{} && stop == end ? std::optional(uid) : std::nullopt;
}

/// A file of the device, as read_input gives one: links are not followed, whoever planted them.
InputFile read_on_device(const Tree& tree, const std::string& path) {
    using State = InputFile::State;
    try {
        if (auto bytes = tree.read(path, InputLimits::file_bytes)) return {State::read, std::move(*bytes), {}};
        return {State::missing, {}, "there is no such file"};
    } catch (const Failure& failure) {
        return {State::not_readable, {}, failure.what()};
    }
}

/// One run's sources, in their order: flags, the bundle's (or another) manifest, and what config.toml says already.
class Sources {
public:
    Sources(const PostInstallOptions& options, const Tree& tree)
        : options_(options), tree_(tree), standing_(adoptable(tree, places::config)) {
        adoption_.keep_copies = options.keep_copies;
        if (!options.bundle.empty()) bundle_.emplace(options.bundle, caller());
        wanted_ = with_flags(bundle_ ? bundle_manifest() : manifest_of(options.request), options.request);
        const bool has_manifest = in_bundle_ || !options.request.manifest.empty();
        if (standing_ && !has_manifest) complete_from_config();
        for (const char* path : {places::config, names::previous_config})
            if (const auto seen = adoptable(tree, path))
                if (std::string key = path_meant(seen->identity_pk); !key.empty())
                    adoption_.named_keys.push_back(std::move(key));
    }

    JudgedRequest judged(Instant now) {
        const IdentityFiles files = identity_files();
        JudgedRequest request = judge_request(wanted_, files, options_.request.allow_after_2038, tree_, now);
        request.adoption = std::move(adoption_);
        return request;
    }

private:
    Manifest bundle_manifest() {
        const InputFile file = bundle_->read(manifest_name, InputLimits::file_bytes);
        if (file.state == InputFile::State::missing) return {};
        const std::string shown = bundle_->folder() + "/" + manifest_name;
        if (file.state != InputFile::State::read)
            throw Failure(ExitCode::refused, shown + " cannot be used: " + file.why,
                          "Stage it again, as a plain file of whoever owns the folder.");
        Manifest manifest = parse_manifest(file.bytes.reveal(), {});
        // The folder goes away; what config.toml is to refer to must stay.
        const auto must_stay = [&](const std::optional<std::string>& path, const char* key) {
            if (path && (!path->starts_with('/') || bundle_->holds(*path)))
                throw Failure(ExitCode::refused,
                              shown + " cannot be used: " + key + " is '" + *path +
                                  "', which is no place on the device that lasts",
                              "Put that file on the device first, and name it there by its absolute path.");
        };
        must_stay(manifest.payload, "provisioning.payload");
        must_stay(manifest.trust_bundle, "edge.trust_bundle");
        if (manifest.edge_ca) {
            must_stay(manifest.edge_ca->certificate, "edge.edge_ca.certificate");
            must_stay(manifest.edge_ca->private_key, "edge.edge_ca.private_key");
        }
        manifest.certificate = bundle_->name_of(manifest.certificate, "identity.certificate");
        manifest.private_key = bundle_->name_of(manifest.private_key, "identity.private_key");
        in_bundle_ = true;
        return manifest;
    }

    void complete_from_config() {
        if (wanted_.scope_id.empty()) wanted_.scope_id = standing_->id_scope.value_or("");
        if (wanted_.registration_id.empty()) wanted_.registration_id = standing_->registration_id.value_or("");
        if (!wanted_.global_endpoint) wanted_.global_endpoint = standing_->global_endpoint;
        if (std::string payload = path_meant(standing_->payload); !wanted_.payload && !payload.empty())
            wanted_.payload = std::move(payload);
    }

    IdentityFiles identity_files() {
        const bool flagged = !options_.request.certificate.empty() || !options_.request.key.empty();
        if (bundle_ && options_.request.certificate.empty() != options_.request.key.empty())
            throw Failure(ExitCode::usage, "beside --bundle, --cert and --key go together",
                          "Give both, or neither and have device.toml name them.");
        if (in_bundle_ && !flagged) {
            IdentityFiles files = from_bundle();
            const bool neither =
                files.certificate.state == InputFile::State::missing && files.key.state == InputFile::State::missing;
            if (!neither || !standing_) return files;
        } else if (flagged || !options_.request.manifest.empty()) {
            return from_paths();
        }
        return from_config();
    }

    IdentityFiles from_bundle() {
        adoption_.source = "bundle";
        const std::string& folder = bundle_->folder();
        for (const auto& name : {wanted_.certificate, wanted_.private_key})
            if (const auto status = bundle_->status(name)) adoption_.spared.push_back(id_of(*status));
        return {folder + "/" + wanted_.certificate,
                folder + "/" + wanted_.private_key,
                bundle_->read(wanted_.certificate, InputLimits::file_bytes),
                bundle_->read(wanted_.private_key, InputLimits::file_bytes),
                "Stage it in the folder under the name that device.toml gives it.",
                "Stage it in the folder under the name that device.toml gives it."};
    }

    IdentityFiles from_paths() {
        adoption_.source = "options";
        for (const auto& path : {wanted_.certificate, wanted_.private_key}) {
            struct stat status {};
            if (stat(path.c_str(), &status) == 0) adoption_.spared.push_back(id_of(status));
        }
        return {wanted_.certificate, wanted_.private_key, read_input(wanted_.certificate, InputLimits::file_bytes),
                read_input(wanted_.private_key, InputLimits::file_bytes)};
    }

    IdentityFiles from_config() {
        adoption_.source = "config.toml";
        if (!standing_)
            throw Failure(ExitCode::refused,
                          std::string("there is nothing to adopt: no material was given, and ") + places::config +
                              " does not provision this device by DPS X.509",
                          "Give the staged folder with --bundle DIR, or run Provision-EflowVm again.");
        const std::string certificate = path_meant(standing_->identity_cert);
        const std::string key = path_meant(standing_->identity_pk);
        if (certificate.empty() || key.empty())
            throw Failure(ExitCode::refused,
                          std::string("there is nothing to adopt: ") + places::config +
                              " names no files for identity_cert and identity_pk",
                          "Give the staged folder with --bundle DIR, or run Provision-EflowVm again.");
        const std::string remedy =
            std::string(places::config) + " names it there; give the staged folder with --bundle DIR instead.";
        return {certificate, key, read_on_device(tree_, certificate), read_on_device(tree_, key), remedy, remedy};
    }

    const PostInstallOptions& options_;
    const Tree& tree_;
    std::optional<Bundle> bundle_;
    std::optional<ProvisioningSeen> standing_;
    Manifest wanted_;
    bool in_bundle_ = false;
    Adoption adoption_;
};

Outcome post_install(const Context& context, const PostInstallOptions& options) {
    const Tree tree = tree_of(context);
    // First of all: what another user may not read would look as if it were not there.
    require_root(context, tree, "post-install");
    return carry_out(context, tree, "post-install", options.request,
                     [&] { return Sources(options, tree).judged(context.world.now); });
}

}  // namespace

Handler declare_post_install(CLI::App& app) {
    auto options = std::make_shared<PostInstallOptions>();
    auto* bundle = app.add_option("--bundle", options->bundle,
                                  "The staged folder: device.toml, and the certificate and key that it names")
                       ->type_name("DIR");
    declare_options(app, options->request);
    app.get_option("--manifest")->excludes(bundle);
    app.add_flag("--keep-copies", options->keep_copies,
                 "Leave the copies of the private key that Provision-EflowVm made where they are");
    return [options](const Context& context) { return post_install(context, *options); };
}

}  // namespace eflow
