// Chains made at random, judged here and by X509_verify_cert called plainly: nothing that OpenSSL refuses is taken, and what is
// refused although OpenSSL takes it is refused by a rule that is stricter on purpose.

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

#include "shared/shell_quote.hpp"
#include "tests/support/test_certificates.hpp"
#include "vm-agent/identity/chain.hpp"
#include "vm-agent/identity/judge.hpp"
#include "vm-agent/identity/openssl.hpp"

namespace eflow {
namespace {

using std::chrono::days;
using testing::make;
using testing::now;
using testing::Pair;
using testing::Wish;

constexpr unsigned parts = 4;  // tests of their own, so that they run side by side
constexpr int rounds = 500;    // of each part
constexpr int every_for_the_program = 50;  // one of so many is given to the openssl program as well

/// One random situation: what stands in the file, leaf first, and what is trusted.
struct Situation {
    std::vector<Certificate> file;
    std::vector<Certificate> trusted;   ///< given with --ca; none: the file stands for itself
    std::vector<Certificate> all_roots;  ///< every root that there is, in the file or not
    std::string classes;                ///< what was done to it
};

class Generator {
public:
    explicit Generator(unsigned part) : random_(20261127 + part) {
        Wish wish;
        for (int i = 0; i < 10; ++i) keys_.push_back(make(wish).key);
        wish.key = "RSA-1024";
        weak_ = make(wish).key;
    }

    Situation next() {
        Situation made_up;
        next_key_ = below(10);
        const Pair root = authority("Root", nullptr, made_up, true);
        const Pair other_root = authority("Other root", nullptr, made_up, true);
        std::vector<Pair> issuers{root};
        const int length = below(4);
        for (int i = 0; i < length; ++i) issuers.push_back(authority("Issuer " + std::to_string(i), &issuers.back(), made_up, false));
        const Pair leaf = a_leaf(issuers.back(), made_up);

        std::vector<Certificate> others;
        for (std::size_t i = 0; i < issuers.size(); ++i) {
            const bool dropped = one_in(i == 0 ? 3 : 9);
            if (!dropped) others.push_back(issuers[i].certificate);
            if (dropped && i > 0) made_up.classes += " missing";
        }
        add_extras(issuers, root, other_root, others, made_up);
        std::shuffle(others.begin(), others.end(), random_);
        made_up.file.push_back(leaf.certificate);
        made_up.file.insert(made_up.file.end(), others.begin(), others.end());

        made_up.all_roots.push_back(root.certificate);
        made_up.all_roots.push_back(other_root.certificate);
        if (one_in(2)) made_up.trusted = {one_in(5) ? other_root.certificate : root.certificate};
        return made_up;
    }

    int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }
    bool one_in(int count) { return below(count) == 0; }

private:
    PrivateKey key() { return keys_[static_cast<std::size_t>(next_key_++) % keys_.size()]; }

    /// Most authorities are sound; the rest have one thing that is not.
    Pair authority(const std::string& name, const Pair* issuer, Situation& made_up, bool is_root) {
        Wish wish = Wish::authority(name);
        wish.with_key = key();
        if (one_in(2)) wish.subject_key_identifier = "hash";
        if (issuer != nullptr && one_in(2)) wish.authority_key_identifier = one_in(2) ? "keyid,issuer" : "issuer:always";
        const int what = is_root ? 99 : below(40);
        const auto note = [&](const char* text) { made_up.classes += std::string(" ") + text; };
        switch (what) {
            case 0: wish.not_after = now - days(1); note("expired"); break;
            case 1: wish.not_before = now + days(1); note("not-yet"); break;
            case 2: wish.basic_constraints = "critical,CA:FALSE"; note("no-ca"); break;
            case 3: wish.basic_constraints = ""; note("no-bc"); break;
            case 4: wish.basic_constraints = "critical,CA:TRUE,pathlen:0"; note("pathlen-0"); break;
            case 5: wish.basic_constraints = "critical,CA:TRUE,pathlen:1"; note("pathlen-1"); break;
            case 6: wish.key_usage = "critical,digitalSignature,cRLSign"; note("no-cert-sign"); break;
            case 7: wish.extended_key_usage = "serverAuth"; note("server-ca"); break;
            case 8: wish.extended_key_usage = "clientAuth"; note("client-ca"); break;
            case 9: wish.name_constraints = "critical,permitted;dirName:nc"; note("constrained"); break;
            case 10: wish.unknown_critical_oid = "1.3.6.1.4.1.99999.7"; note("critical"); break;
            case 11: wish.digest = "sha1"; note("sha1"); break;
            case 12: wish.with_key = weak_; note("rsa-1024"); break;
            case 13: wish.basic_constraints = ""; wish.key_usage = ""; note("nothing-said"); break;
            case 14: wish.not_after = std::chrono::sys_days(std::chrono::year(2040) / 1 / 1); note("2040"); break;
            case 15:
                if (issuer != nullptr) wish.common_name = issuer->certificate.common_name().value_or(name);
                note("self-issued");
                break;
            case 16: wish.basic_constraints = "CA:TRUE"; wish.key_usage = ""; note("plain-ca"); break;
            default: break;
        }
        if (wish.name_constraints == "critical,permitted;dirName:nc") wish.name_constraints = "critical,permitted;DNS:plant.example";
        return make(wish, issuer);
    }

    Pair a_leaf(const Pair& issuer, Situation& made_up) {
        Wish wish;
        wish.with_key = key();
        if (one_in(2)) wish.authority_key_identifier = "keyid,issuer";
        const auto note = [&](const char* text) { made_up.classes += std::string(" leaf-") + text; };
        switch (below(24)) {
            case 0: wish.not_after = now - days(1); note("expired"); break;
            case 1: wish.not_before = now + days(1); note("not-yet"); break;
            case 2: wish.extended_key_usage = "serverAuth"; note("server"); break;
            case 3: wish.extended_key_usage = ""; wish.key_usage = ""; note("unrestricted"); break;
            case 4: wish.basic_constraints = "critical,CA:TRUE"; note("ca"); break;
            case 5: wish.digest = "sha1"; note("sha1"); break;
            case 6: wish.unknown_critical_oid = "1.3.6.1.4.1.99999.8"; note("critical"); break;
            case 7: wish.key_usage = "critical,keyEncipherment"; note("no-signature"); break;
            case 8: wish.common_name = "no id at all"; note("cn"); break;
            case 9: wish.basic_constraints = ""; note("no-bc"); break;
            default: break;
        }
        if (one_in(16)) {  // the issuer's name, another's signature
            note("forged");
            const Wish impostor = Wish::authority(issuer.certificate.common_name().value_or("x"));
            const Pair other = make(impostor);
            return make(wish, &other);
        }
        return make(wish, &issuer);
    }

    void add_extras(const std::vector<Pair>& issuers, const Pair& root, const Pair& other_root, std::vector<Certificate>& others,
                    Situation& made_up) {
        const auto note = [&](const char* text) { made_up.classes += std::string(" +") + text; };
        const Pair& some = issuers[static_cast<std::size_t>(below(static_cast<int>(issuers.size())))];
        const std::string name = some.certificate.common_name().value_or("x");
        Wish wish = Wish::authority(name);
        if (one_in(5)) {
            wish.with_key = some.key;
            others.push_back(make(wish, &other_root).certificate);
            note("cross");
            if (one_in(2)) others.push_back(other_root.certificate);
        }
        if (one_in(6)) {
            wish.with_key = some.key;
            if (one_in(2)) wish.not_after = now - days(3);
            others.push_back(make(wish, &some == &root ? nullptr : &root).certificate);
            note("renewed");
        }
        if (one_in(6)) {
            wish = Wish::authority(name);
            others.push_back(make(wish, &root).certificate);
            note("rekeyed");
        }
        if (one_in(8)) {
            others.push_back(make(Wish::authority("Stranger")).certificate);
            note("stranger");
        }
        if (one_in(8)) {
            others.push_back(make({}, &other_root).certificate);
            note("leaf-of-another");
        }
        if (one_in(8) && !others.empty()) others.push_back(others.front());
    }

    std::mt19937 random_;
    std::vector<PrivateKey> keys_;
    std::optional<PrivateKey> weak_;
    int next_key_ = 0;
};

/// X509_verify_cert with a client's purpose and a time, and nothing else.
bool openssl_takes(const Certificate& leaf, const std::vector<Certificate>& untrusted, const std::vector<Certificate>& anchors,
                   unsigned long flags = 0) {
    const OwnedStore store(X509_STORE_new());
    for (const auto& anchor : anchors) X509_STORE_add_cert(store.get(), anchor.get());
    const BorrowedStack stack(sk_X509_new_null());
    for (const auto& one : untrusted) sk_X509_push(stack.get(), one.get());
    const OwnedStoreContext context(X509_STORE_CTX_new());
    X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), stack.get());
    X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_CLIENT);
    X509_STORE_CTX_set_flags(context.get(), flags);
    X509_STORE_CTX_set_time(context.get(), 0, static_cast<std::time_t>(now.time_since_epoch().count()));
    const bool takes = X509_verify_cert(context.get()) == 1;
    drain_errors();
    return takes;
}

/// The same, with nothing trusted but the file's own tops.
bool file_takes(const std::vector<Certificate>& file) {
    std::vector<Certificate> roots;
    for (std::size_t i = 1; i < file.size(); ++i)
        if (file[i].self_issued() && file[i].signed_by(file[i])) roots.push_back(file[i]);
    if (!roots.empty()) return openssl_takes(file.front(), file, roots);
    return openssl_takes(file.front(), file, {file.begin() + 1, file.end()}, X509_V_FLAG_PARTIAL_CHAIN);
}

/// One of the file has the name of another's issuer and not its key: forged, or the sound issuer is elsewhere.
bool holds_namesake(const std::vector<Certificate>& file) {
    for (const auto& one : file) {
        bool named = false;
        bool issued = one.signed_by(one);
        for (const auto& other : file) {
            if (&one == &other || X509_NAME_cmp(X509_get_subject_name(other.get()), X509_get_issuer_name(one.get())) != 0) continue;
            named = true;
            issued = issued || one.signed_by(other);
        }
        if (named && !issued) return true;
    }
    return false;
}

std::string pem_of(const std::vector<Certificate>& certificates) {
    std::string text;
    for (const auto& one : certificates) text += one.pem();
    return text;
}

/// The openssl program's verdict, with the same time and purpose.
bool program_takes(const std::vector<Certificate>& file, const std::vector<Certificate>& anchors) {
    const auto folder = std::filesystem::temp_directory_path() / ("chains-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    const auto write = [&](const char* name, const std::string& text) { std::ofstream(folder / name) << text; };
    write("leaf.pem", file.front().pem());
    write("others.pem", pem_of(file));
    write("anchors.pem", pem_of(anchors));
    const std::string command = "cd " + shell_path(folder.string()) + " && openssl verify -attime " +
                                std::to_string(now.time_since_epoch().count()) +
                                " -purpose sslclient -no-CApath -no-CAstore -CAfile anchors.pem -untrusted others.pem leaf.pem >/dev/null 2>&1";
    const bool takes = std::system(command.c_str()) == 0;
    std::filesystem::remove_all(folder);
    return takes;
}

/// The rules that are stricter than OpenSSL's on purpose: DPS's and keyd's demands, strength, 2038, and that a file must not end
/// in a gap. What OpenSSL judges as well is not among them.
const std::set<std::string> stricter{"identity.cn-valid",          "identity.not-a-ca",     "identity.client-auth",
                                     "identity.key-strength",      "identity.before-2038",  "identity.signature-strength",
                                     "identity.chain-complete"};

class ChainDifferential : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Parts, ChainDifferential, ::testing::Range(0U, parts));

TEST_P(ChainDifferential, AgreesWithOpenSsl) {
    Generator generator(GetParam());
    std::map<std::string, int> count;
    std::map<std::string, int> explained;
    for (int round = 0; round < rounds; ++round) {
        const Situation situation = generator.next();
        const bool by_trust = !situation.trusted.empty();
        IdentityExpectation expectation;
        expectation.now = now;
        expectation.trusted = situation.trusted;
        expectation.enrollment = Enrollment::individual;
        const Findings findings = judge_certificate(pem_of(situation.file), "chain.pem", expectation);
        const bool taken = gravest(findings) != Severity::failed;

        const auto& anchors = by_trust ? situation.trusted : situation.all_roots;
        bool takes = openssl_takes(situation.file.front(), situation.file, anchors);
        if (round % every_for_the_program == 0) {
            EXPECT_EQ(program_takes(situation.file, anchors), takes) << round << situation.classes;
            ++count["asked the program too"];
        }
        if (!takes && taken) {
            // OpenSSL goes up one way and does not come back: what it says of the very path that was found decides.
            const Chain chain = build_chain(situation.file.front(), {.others = situation.file, .trusted = situation.trusted, .now = now});
            const auto known = by_trust ? anchors : std::vector{chain.path.back()};
            const bool open = chain.top == Chain::Top::open;
            takes = openssl_takes(chain.path.front(), chain.path, known, open ? X509_V_FLAG_PARTIAL_CHAIN : 0);
            if (takes) ++count[open ? "up to an issuer that is not in the file" : "on a path that OpenSSL does not find"];
        }
        ++count[std::string(taken ? "taken" : "refused") + (takes ? ", OpenSSL takes it" : ", OpenSSL refuses it")];
        EXPECT_FALSE(taken && !takes) << "round " << round << " was taken:" << situation.classes;
        if (taken || !takes) continue;
        std::string reasons;
        std::string details;
        bool on_purpose = false;
        for (const auto& finding : findings) {
            if (finding.severity != Severity::failed) continue;
            reasons += (reasons.empty() ? "" : " ") + finding.id.substr(9);
            details += finding.detail + "\n";
            on_purpose = on_purpose || stricter.contains(finding.id) ||
                         finding.detail.find("basicConstraints CA:TRUE is missing") != std::string::npos;
        }
        // A root that is not in the file may be sound; what stands in the file in its place is not.
        if (!on_purpose && !by_trust && (!file_takes(situation.file) || holds_namesake(situation.file))) {
            on_purpose = true;
            reasons = "the file alone does not verify (" + reasons + ")";
        }
        EXPECT_TRUE(on_purpose) << "round " << round << " was refused for " << reasons << ":" << situation.classes << "\n" << details;
        ++explained[reasons];
    }
    for (const auto& [what, times] : count) std::printf("  %5d %s\n", times, what.c_str());
    for (const auto& [what, times] : explained) std::printf("  %5d refused by a rule of ours: %s\n", times, what.c_str());
    EXPECT_GT(count["taken, OpenSSL takes it"], rounds / 6);
    EXPECT_GT(count["refused, OpenSSL refuses it"], rounds / 6);
}

}  // namespace
}  // namespace eflow
