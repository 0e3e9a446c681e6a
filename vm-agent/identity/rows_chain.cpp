#include <algorithm>

#include "shared/printable.hpp"
#include "shared/shell_quote.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/rows.hpp"
#include "vm-agent/identity/strength.hpp"

namespace eflow {

namespace {

constexpr auto complete_id = "identity.chain-complete";
constexpr auto write_chain = "Give the full chain: cat leaf.pem intermediate.pem > full-chain.pem";

std::string names_of(const std::vector<Certificate>& certificates) {
    std::vector<std::string> names;
    for (const auto& one : certificates) names.push_back(one.subject() + ", issued by " + one.issuer());
    return joined(names);
}

/// A CA that stands in the file and that nothing leads to, though the path ends below its top: it is the far side of a gap. One
/// with the name of a CA on the path is that CA's other certificate, from before or after a renewal, and proves no gap.
const Certificate* beyond_a_gap(const Chain& chain) {
    if (chain.top != Chain::Top::open) return nullptr;
    for (const auto& one : chain.unneeded) {
        const bool namesake = std::any_of(chain.path.begin(), chain.path.end(), [&](const Certificate& on_path) {
            return X509_NAME_cmp(X509_get_subject_name(one.get()), X509_get_subject_name(on_path.get())) == 0;
        });
        if (!namesake && X509_check_ca(one.get()) != 0) return &one;
    }
    return nullptr;
}

Finding with_gap(const Subject& subject, const Certificate& beyond) {
    const Certificate& last = subject.chain.path.back();
    return failed(complete_id, "An issuer is missing between the certificates of the file",
                  "nothing in " + printable(subject.file_name) + " was issued to " + last.issuer() + ", which issued " +
                      at(subject.chain.path.size() - 1, last) + "; left over: " + beyond.subject(),
                  "Add the certificate of " + last.issuer() +
                      ", or take out what does not belong: cat leaf.pem intermediate.pem > full-chain.pem");
}

/// What a leaf without issuers means for a group; nothing when it means nothing.
std::optional<Finding> leaf_alone(const Subject& subject) {
    if (subject.chain.path.size() > 1) return std::nullopt;
    const bool self_signed = subject.chain.top == Chain::Top::self_signed;
    if (subject.expected->enrollment == Enrollment::individual || !subject.expected->trusted.empty())
        return ok(complete_id,
                  self_signed ? "The certificate is self-signed" : "The leaf stands alone, which an individual enrollment takes",
                  subject.leaf().subject());
    constexpr auto otherwise = " For an individual enrollment say --enrollment individual.";
    if (self_signed)
        return warning(complete_id, "The certificate is self-signed, which no group enrollment takes",
                       subject.leaf().subject() + " was issued by itself; a group enrollment refuses that with 401, since no enrolled "
                                                  "CA issued it",
                       std::string("Have the certificate issued by the enrolled CA, or one below it.") + otherwise);
    return warning(complete_id, "The leaf stands alone",
                   printable(subject.file_name) +
                       " holds no issuer; a group enrollment refuses that with 401 (CA certificate not found) unless " +
                       subject.leaf().issuer() + " itself is the enrolled CA",
                   std::string(write_chain) + "." + otherwise);
}

}  // namespace

std::string at(std::size_t depth, const Certificate& certificate) {
    return (depth == 0 ? "the leaf " : "issuer " + std::to_string(depth) + ", ") + certificate.subject();
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
    return text;
}

Finding chain_complete(const Subject& subject) {
    const Chain& chain = subject.chain;
    if (!subject.expected->trusted.empty() && chain.top != Chain::Top::trusted)
        return failed(complete_id, "No certificate that was given as trusted issued this chain",
                      "it ends with " + at(chain.path.size() - 1, chain.path.back()) + ", issued by " + chain.path.back().issuer(),
                      "Give the CA that issued it to --ca, or add what is missing between them to the file.");
    if (const Certificate* beyond = beyond_a_gap(chain)) return with_gap(subject, *beyond);
    std::optional<Finding> finding = leaf_alone(subject);
    if (!finding)
        finding = ok(complete_id, "The chain is complete",
                     std::to_string(chain.path.size()) + " certificates, up to " + chain.path.back().subject() +
                         (chain.top == Chain::Top::open ? "; its issuer " + chain.path.back().issuer() + " is not in the file" : ""));
    if (chain.unneeded.empty() && chain.alternatives.empty()) return *finding;

    std::vector<std::string> lines;
    if (finding->severity == Severity::warning) lines.push_back(finding->detail);
    if (!chain.alternatives.empty()) lines.push_back("leads up another way, and is kept: " + names_of(chain.alternatives));
    if (!chain.unneeded.empty()) lines.push_back("not needed, and left out: " + names_of(chain.unneeded));
    const std::string summary = finding->severity == Severity::warning
                                    ? finding->summary + ", and the file holds other certificates"
                                    : "The chain is complete; the file holds certificates that its path does not need";
    return warning(complete_id, summary, joined(lines),
                   finding->severity == Severity::warning
                       ? finding->remedy
                       : "Nothing has to be done; a file with the leaf and its issuers alone says the same.");
}

Finding chain_verifies(const Subject& subject) {
    constexpr auto id = "identity.chain-verifies";
    if (subject.chain.faults.empty())
        return ok(id, "Every signature and constraint of the chain holds",
                  subject.chain.top == Chain::Top::trusted ? "up to a certificate that was given as trusted" : "");
    std::vector<std::string> lines;
    for (const auto& fault : subject.chain.faults)
        lines.push_back("depth " + std::to_string(fault.depth) + ", " + fault.subject + ": " + fault.why);
    return failed(id, "The chain does not verify", joined(lines),
                  "Compare the certificate at that depth with what the authority issued: eflow-agent cert inspect " +
                      shell_path(subject.file_name));
}

Finding key_strength(const Subject& subject) {
    constexpr auto id = "identity.key-strength";
    std::vector<std::string> weak;
    bool fails = false;
    for (std::size_t depth = 0; depth < subject.chain.path.size(); ++depth) {
        const auto weakness = weakness_of_key(subject.chain.path[depth]);
        if (!weakness) continue;
        weak.push_back(at(depth, subject.chain.path[depth]) + ": " + weakness->why);
        // A root is trusted for being known, not for its width; but what anybody can sign for proves nothing.
        fails = fails || weakness->forgeable || !subject.is_root(depth);
    }
    if (weak.empty()) return ok(id, "The keys are strong enough", subject.leaf().key_description());
    constexpr auto remedy = "Have it issued for a key of RSA 2048 bits or more, or EC P-256.";
    return fails ? failed(id, "A key of the chain is too weak", joined(weak), remedy)
                 : warning(id, "The key of the root is weak", joined(weak), remedy);
}

Finding signature_strength(const Subject& subject) {
    constexpr auto id = "identity.signature-strength";
    std::vector<std::string> weak;
    for (std::size_t depth = 0; depth < subject.chain.path.size(); ++depth) {
        // What a root signs itself with proves nothing either way. A self-issued certificate that another key signed is no root.
        if (subject.is_root(depth)) continue;
        if (const auto algorithm = weak_signature(subject.chain.path[depth]))
            weak.push_back(at(depth, subject.chain.path[depth]) + ": " + *algorithm);
    }
    if (weak.empty()) return ok(id, "The signatures are strong enough", subject.leaf().signature_description());
    return failed(id, "A signature of the chain is too weak", joined(weak), "Have it issued again, signed with SHA-256.");
}

}  // namespace eflow
