#include <memory>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>

#include "shared/failure.hpp"
#include "vm-agent/cli/certificate_json.hpp"
#include "vm-agent/cli/duration.hpp"
#include "vm-agent/cli/verb.hpp"
#include "vm-agent/identity/inspect.hpp"
#include "vm-agent/identity/issue.hpp"
#include "vm-agent/identity/judge.hpp"
#include "vm-agent/identity/pem.hpp"
#include "vm-agent/machine/input.hpp"
#include "vm-agent/machine/output.hpp"

namespace eflow {

namespace {

using nlohmann::json;

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
    return text.empty() ? "-" : text;
}

std::string to_text(const Style& style, std::size_t number, const CertificateFacts& facts) {
    std::string text = style.strong("  [" + std::to_string(number) + "] " + plain(facts.subject)) + "\n";
    const auto line = [&](const char* name, const std::string& value) {
        text +=
            "      " + std::string(name) + std::string(12 - std::string_view(name).size(), ' ') + plain(value) + "\n";
    };
    line("issuer", facts.issuer);
    line("serial", facts.serial);
    line("valid", in_utc(facts.not_before) + " to " + in_utc(facts.not_after) + ", " + std::to_string(facts.days_left) +
                      " days left");
    line("key", facts.key + (facts.ca ? ", may sign certificates (CA)" : ""));
    line("signature", facts.signature);
    line("usage", joined(facts.key_usage) + "; extended: " + joined(facts.extended_key_usage));
    if (!facts.subject_alternative_names.empty()) line("names", joined(facts.subject_alternative_names));
    line("sha256", facts.sha256);
    return text;
}

InputFile read_or_fail(const std::string& path) {
    InputFile file = read_input(path, InputLimits::file_bytes);
    if (file.state != InputFile::State::read)
        throw Failure(ExitCode::refused, path + " cannot be read: " + file.why, remedy_for(file));
    return file;
}

std::vector<Certificate> certificates_or_fail(const std::string& path) {
    auto judged = read_certificates(read_or_fail(path).bytes.reveal(), path, CertificateFile::bundle());
    if (const auto* finding = std::get_if<Finding>(&judged))
        throw Failure(ExitCode::refused, finding->summary + ": " + finding->detail, finding->remedy);
    return std::get<std::vector<Certificate>>(std::move(judged));
}

Outcome inspect(const Context& context, const std::vector<std::string>& files) {
    Outcome outcome;
    Report& report = outcome.report;
    report.data["files"] = json::array();
    for (const auto& path : files) {
        const InputFile file = read_input(path, InputLimits::file_bytes);
        std::string why = file.why;
        std::string remedy = remedy_for(file);
        json certificates = json::array();
        outcome.text += context.style.strong(plain(path)) + "\n";
        if (file.state == InputFile::State::read) {
            auto judged = read_certificates(file.bytes.reveal(), path, CertificateFile::bundle());
            if (const auto* all = std::get_if<std::vector<Certificate>>(&judged)) {
                std::size_t number = 0;
                for (const auto& certificate : *all) {
                    const CertificateFacts shown = facts(certificate, context.world.now);
                    certificates.push_back(to_json(shown));
                    outcome.text += to_text(context.style, number++, shown);
                }
                report.data["files"].push_back({{"path", path}, {"certificates", certificates}});
                continue;
            }
            const Finding& finding = std::get<Finding>(judged);
            why = finding.detail;
            remedy = finding.remedy;
        }
        report.findings.push_back(failed("identity.cert-readable", path + " shows no certificate", why, remedy));
        outcome.text += context.style.finding(report.findings.back());
    }
    report.exit_code = report.findings.empty() ? ExitCode::done : ExitCode::refused;
    return outcome;
}

struct VerifyOptions {
    std::string certificate;
    std::string key;
    std::string ca;
    std::string registration_id;
    std::string enrollment = "group";
    bool allow_after_2038 = false;
};

Outcome verify(const Context& context, const VerifyOptions& options) {
    IdentityExpectation expectation;
    expectation.now = context.world.now;
    expectation.enrollment = options.enrollment == "individual" ? Enrollment::individual : Enrollment::group;
    expectation.allow_after_2038 = options.allow_after_2038;
    Report report;
    if (!options.registration_id.empty()) {
        auto judged = RegistrationId::parse(options.registration_id);
        if (auto* finding = std::get_if<Finding>(&judged))
            report.findings.push_back(std::move(*finding));
        else
            expectation.registration_id = std::get<RegistrationId>(std::move(judged));
    }
    if (!options.ca.empty()) expectation.trusted = certificates_or_fail(options.ca);
    const InputFile certificate = read_or_fail(options.certificate);
    if (options.key.empty()) {
        append(report.findings, judge_certificate(certificate.bytes.reveal(), options.certificate, expectation));
    } else {
        const InputFile key = read_or_fail(options.key);
        append(report.findings, judge_identity(certificate.bytes.reveal(), options.certificate, key.bytes.reveal(),
                                               options.key, expectation)
                                    .findings);
    }
    const bool refused = gravest(report.findings) == Severity::failed;
    report.exit_code = refused ? ExitCode::something_failed : ExitCode::done;
    std::string text = context.style.findings(report.findings, true);
    text += refused ? "\nprovision would refuse this identity.\n" : "\nprovision would take this identity.\n";
    return {report, text};
}

struct CreateTestOptions {
    std::string name;
    std::string out = ".";
    std::string key = "ec-p256";
    std::string validity = "90d";
};

KeyKind key_kind(const std::string& word) {
    if (word == "rsa-2048") return KeyKind::rsa_2048;
    if (word == "rsa-4096") return KeyKind::rsa_4096;
    return KeyKind::ec_p256;
}

/// The number that `text` begins with, taken off it; nothing when it begins with none or one of more digits than
/// `most_digits`.
std::optional<int> take_number(std::string_view& text, std::size_t most_digits) {
    std::size_t count = 0;
    while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
    if (count == 0 || count > most_digits) return std::nullopt;
    int number = 0;
    for (const char c : text.substr(0, count)) number = number * 10 + (c - '0');
    text.remove_prefix(count);
    return number;
}

bool take(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(expected.size());
    return true;
}

std::optional<Instant> take_date(std::string_view& text) {
    const auto year = take_number(text, 4);
    const auto month = year && take(text, "-") ? take_number(text, 2) : std::nullopt;
    const auto day = month && take(text, "-") ? take_number(text, 2) : std::nullopt;
    if (!day) return std::nullopt;
    const auto date = std::chrono::year(*year) / *month / *day;
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date);
}

/// Days from now ("30d"), or the two dates "2026-01-01..2026-12-31".
std::pair<Instant, Instant> validity_of(const std::string& text, Instant now) {
    std::string_view rest = text;
    const auto days = take_number(rest, 5);
    // An hour back, so that a device whose clock is a little slow takes it too.
    if (days && *days > 0 && rest == "d") return {now - std::chrono::hours(1), now + std::chrono::days(*days)};
    rest = text;
    const auto from = take_date(rest);
    const auto to = from && take(rest, "..") ? take_date(rest) : std::nullopt;
    if (to && rest.empty() && *from < *to) return {*from, *to};
    throw Failure(ExitCode::usage, "--validity must be days such as 30d, or two dates such as 2026-01-01..2026-12-31",
                  "'" + text.substr(0, 40) + "' is neither.");
}

Outcome create_test(const Context& context, const CreateTestOptions& options) {
    TestIdentityRequest request;
    request.common_name = options.name;
    request.leaf_key = key_kind(options.key);
    // certGen.sh: RSA authorities are 4096 wide.
    request.ca_key = request.leaf_key == KeyKind::ec_p256 ? KeyKind::ec_p256 : KeyKind::rsa_4096;
    std::tie(request.not_before, request.not_after) = validity_of(options.validity, context.world.now);

    std::vector<OutputFile> files;
    for (auto& issued : create_test_identity(request))
        files.push_back(
            {options.out + "/" + issued.path, std::move(issued.contents), issued.is_private ? 0600U : 0644U});
    write_new(files);

    Outcome outcome;
    outcome.text = "For tests only; never enrol these for production.\n";
    for (const auto& file : files) {
        const std::string mode = file.mode == 0600 ? "0600" : "0644";
        outcome.report.changes.push_back({file.path, Action::created, "", "", mode});
        outcome.text += "  " + mode + "  " + plain(file.path) + "\n";
    }
    return outcome;
}

}  // namespace

Handler declare_cert_inspect(CLI::App& app) {
    auto files = std::make_shared<std::vector<std::string>>();
    app.add_option("FILE", *files, "Certificate files, PEM")->required();
    return [files](const Context& context) { return inspect(context, *files); };
}

Handler declare_cert_verify(CLI::App& app) {
    auto options = std::make_shared<VerifyOptions>();
    app.add_option("--cert", options->certificate, "Full-chain certificate, PEM")->required()->type_name("FILE");
    app.add_option("--key", options->key, "Private key, PEM; its checks are skipped without it")->type_name("FILE");
    app.add_option("--ca", options->ca, "The chain must lead to a certificate in this file")->type_name("FILE");
    app.add_option("--registration-id", options->registration_id, "Compare the CN with it")->type_name("R");
    app.add_option("--enrollment", options->enrollment, "individual or group (default group)")
        ->check(CLI::IsMember({"individual", "group"}))
        ->type_name("KIND");
    app.add_flag("--allow-after-2038", options->allow_after_2038,
                 "Accept certificates that expire on or after 2038-01-01");
    return [options](const Context& context) { return verify(context, *options); };
}

Handler declare_cert_create_test(CLI::App& app) {
    auto options = std::make_shared<CreateTestOptions>();
    app.add_option("--name", options->name, "Common name of the device identity: its registration ID")
        ->required()
        ->type_name("R");
    app.add_option("--out", options->out, "Folder for certs/ and private/ (default: here)")->type_name("DIR");
    app.add_option("--key", options->key, "ec-p256, rsa-2048 or rsa-4096 (default ec-p256)")
        ->check(CLI::IsMember({"ec-p256", "rsa-2048", "rsa-4096"}))
        ->type_name("KIND");
    app.add_option("--validity", options->validity, "30d, or 2026-01-01..2026-12-31 (default 90d)")->type_name("TIME");
    return [options](const Context& context) { return create_test(context, *options); };
}

}  // namespace eflow
