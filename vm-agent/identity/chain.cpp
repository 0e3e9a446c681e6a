#include "vm-agent/identity/chain.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <map>
#include <optional>
#include <set>

#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/strength.hpp"

namespace eflow {

namespace {

constexpr std::size_t most_nodes = 96;
constexpr int most_paths = 128;           // tried while none is without fault
constexpr int most_paths_when_good = 24;  // for the alternatives, once one is
constexpr int most_steps = 20'000;
constexpr Instant start_of_2038 = std::chrono::sys_days(std::chrono::year(2038) / 1 / 1);

bool same(const Certificate& a, const Certificate& b) {
    return X509_cmp(a.get(), b.get()) == 0;
}

bool named_issuer(const Certificate& issuer, const Certificate& of) {
    return X509_NAME_cmp(X509_get_subject_name(issuer.get()), X509_get_issuer_name(of.get())) == 0;
}

/// The certificates and who signed whom. Signatures are checked once a pair, and only where the names fit.
class Graph {
public:
    Graph(const Certificate& leaf, const ChainQuestion& question) {
        add(leaf, true);
        for (const auto& other : question.others) add(other, true);
        file_size_ = nodes_.size();
        if (question.trusted.empty()) return;
        for (const auto& anchor : question.trusted)
            for (auto& node : nodes_)
                if (same(node.certificate, anchor)) node.anchor = true;
        // Of a bundle only what is named by something already here.
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            for (const auto& anchor : question.trusted)
                if (nodes_.size() < most_nodes && named_issuer(anchor, nodes_[i].certificate)) add(anchor, false);
    }

    struct Node {
        Certificate certificate;
        bool anchor = false;
    };

    [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
    [[nodiscard]] std::size_t file_size() const { return file_size_; }
    [[nodiscard]] const Certificate& at(std::size_t node) const { return nodes_[node].certificate; }

    bool signs(std::size_t issuer, std::size_t of) {
        const auto [known, is_new] = signs_.try_emplace({issuer, of}, false);
        if (is_new) known->second = named_issuer(at(issuer), at(of)) && at(of).signed_by(at(issuer));
        return known->second;
    }
    bool is_root(std::size_t node) { return signs(node, node); }
    /// The certificates that signed this one; none of itself.
    const std::vector<std::size_t>& issuers_of(std::size_t node) {
        const auto [known, is_new] = issuers_.try_emplace(node);
        if (is_new)
            for (std::size_t i = 0; i < nodes_.size(); ++i)
                if (i != node && signs(i, node)) known->second.push_back(i);
        return known->second;
    }
    /// Those that only have the right name.
    [[nodiscard]] std::vector<std::size_t> namesakes_of(std::size_t node) const {
        std::vector<std::size_t> found;
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            if (i != node && named_issuer(at(i), at(node))) found.push_back(i);
        return found;
    }

private:
    void add(const Certificate& certificate, bool of_file) {
        for (const auto& node : nodes_)
            if (same(node.certificate, certificate)) return;
        nodes_.push_back({certificate, !of_file});
    }

    std::vector<Node> nodes_;
    std::size_t file_size_ = 0;
    std::map<std::pair<std::size_t, std::size_t>, bool> signs_;
    std::map<std::size_t, std::vector<std::size_t>> issuers_;
};

/// What speaks against a path, the gravest first; less is better.
struct Demerits {
    std::size_t faults = 0;
    std::size_t dates = 0;
    std::size_t weak = 0;
    std::size_t late = 0;
    std::size_t open = 0;

    auto operator<=>(const Demerits&) const = default;
    bool operator==(const Demerits&) const = default;
};

struct Tried {
    std::vector<std::size_t> nodes;
    std::vector<ChainFault> faults;
    Demerits demerits;
    Chain::Top top = Chain::Top::open;
};

class Search {
public:
    Search(const Certificate& leaf, const ChainQuestion& question)
        : graph_(leaf, question), question_(question), must_lead_to_trusted_(!question.trusted.empty()) {}

    Chain result() {
        if (must_lead_to_trusted_) find_who_leads_to_trusted();
        if (!must_lead_to_trusted_ || leads_.contains(0)) extend({0});
        if (tried_.empty() && must_lead_to_trusted_) {
            // No way to a trusted one: how far the file itself leads, for the message.
            steps_ = 0;
            must_lead_to_trusted_ = false;
            extend({0});
            must_lead_to_trusted_ = true;
        }
        return told();
    }

private:
    void find_who_leads_to_trusted() {
        std::vector<std::size_t> next;
        for (std::size_t i = 0; i < graph_.nodes().size(); ++i)
            if (graph_.nodes()[i].anchor) next.push_back(i);
        while (!next.empty()) {
            const std::size_t node = next.back();
            next.pop_back();
            if (!leads_.insert(node).second) continue;
            for (std::size_t i = 0; i < graph_.nodes().size(); ++i)
                if (!leads_.contains(i) && graph_.signs(node, i)) next.push_back(i);
        }
    }

    [[nodiscard]] bool enough() const {
        const bool good = !tried_.empty() && best().demerits == Demerits{};
        return steps_ > most_steps || static_cast<int>(tried_.size()) >= (good ? most_paths_when_good : most_paths);
    }

    [[nodiscard]] const Tried& best() const {
        return *std::min_element(tried_.begin(), tried_.end(), [](const Tried& a, const Tried& b) {
            return std::pair(a.demerits, a.nodes.size()) < std::pair(b.demerits, b.nodes.size());
        });
    }

    /// The issuers to go on with, the likelier first: in their dates, CAs, roots before what leads further.
    std::vector<std::size_t> ways_up(const std::vector<std::size_t>& path) {
        const std::size_t last = path.back();
        std::vector<std::size_t> ways;
        const auto take = [&](const std::vector<std::size_t>& issuers) {
            for (const std::size_t issuer : issuers)
                if (std::find(path.begin(), path.end(), issuer) == path.end() &&
                    (must_lead_to_trusted_ ? leads_.contains(issuer) : issuer < graph_.file_size()))
                    ways.push_back(issuer);
        };
        take(graph_.issuers_of(last));
        if (ways.empty() && graph_.issuers_of(last).empty() && !graph_.is_root(last)) take(graph_.namesakes_of(last));
        const auto rank = [&](std::size_t node) {
            const Certificate& one = graph_.at(node);
            return std::array<bool, 3>{outside_dates(one), X509_check_ca(one.get()) != 1, !graph_.is_root(node)};
        };
        std::stable_sort(ways.begin(), ways.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
        return ways;
    }

    void extend(std::vector<std::size_t> path) {
        ++steps_;
        if (enough()) return;
        const std::size_t last = path.back();
        if (must_lead_to_trusted_ && graph_.nodes()[last].anchor) return tried(path, Chain::Top::trusted);
        if (!must_lead_to_trusted_ && graph_.is_root(last)) return tried(path, Chain::Top::self_signed);
        const auto ways = ways_up(path);
        if (ways.empty() && !must_lead_to_trusted_) return tried(path, Chain::Top::open);
        for (const std::size_t issuer : ways) {
            auto longer = path;
            longer.push_back(issuer);
            extend(std::move(longer));
        }
    }

    [[nodiscard]] bool outside_dates(const Certificate& one) const {
        return question_.now < one.not_before() || question_.now > one.not_after();
    }

    void tried(const std::vector<std::size_t>& nodes, Chain::Top top) {
        Tried one{.nodes = nodes, .faults = verify_path(certificates(nodes), question_.purpose, question_.now), .demerits = {}, .top = top};
        one.demerits.faults = one.faults.size();
        one.demerits.open = top == Chain::Top::open ? 1 : 0;
        for (std::size_t depth = 0; depth < nodes.size(); ++depth) {
            const Certificate& certificate = graph_.at(nodes[depth]);
            const bool root = depth > 0 && depth + 1 == nodes.size() && graph_.is_root(nodes[depth]);
            one.demerits.dates += outside_dates(certificate) ? 1 : 0;
            one.demerits.weak += weakness_of_key(certificate) || (!root && weak_signature(certificate)) ? 1 : 0;
            one.demerits.late += !root && certificate.not_after() >= start_of_2038 ? 1 : 0;
        }
        tried_.push_back(std::move(one));
    }

    [[nodiscard]] std::vector<Certificate> certificates(const std::vector<std::size_t>& nodes) const {
        std::vector<Certificate> all;
        for (const std::size_t node : nodes) all.push_back(graph_.at(node));
        return all;
    }

    Chain told() {
        const Tried& chosen = best();
        Chain chain;
        chain.path = certificates(chosen.nodes);
        chain.top = chosen.top;
        chain.faults = chosen.faults;
        if (must_lead_to_trusted_ && chosen.top != Chain::Top::trusted) {
            const Certificate& last = chain.path.back();
            const bool namesake = std::any_of(question_.trusted.begin(), question_.trusted.end(),
                                              [&](const Certificate& one) { return named_issuer(one, last); });
            chain.faults.push_back({static_cast<int>(chain.path.size()) - 1, last.subject(),
                                    "unable to get local issuer certificate: its issuer is " + last.issuer() +
                                        (namesake ? ", and the trusted certificate of that name has another key"
                                                  : ", and no trusted certificate has that name")});
        }
        chain.ends_in_root = chosen.nodes.size() > 1 && graph_.is_root(chosen.nodes.back());
        const auto on_chosen = [&](std::size_t node) {
            return std::find(chosen.nodes.begin(), chosen.nodes.end(), node) != chosen.nodes.end();
        };
        std::set<std::size_t> elsewhere;
        for (const auto& one : tried_)
            if (one.demerits.faults == 0 && one.demerits.dates == 0) elsewhere.insert(one.nodes.begin(), one.nodes.end());
        for (const std::size_t node : chosen.nodes)
            if (node < graph_.file_size()) chain.to_send.push_back(graph_.at(node));
        for (std::size_t node = 1; node < graph_.file_size(); ++node) {
            if (on_chosen(node)) continue;
            (elsewhere.contains(node) ? chain.alternatives : chain.unneeded).push_back(graph_.at(node));
        }
        chain.to_send.insert(chain.to_send.end(), chain.alternatives.begin(), chain.alternatives.end());
        return chain;
    }

    Graph graph_;
    const ChainQuestion& question_;
    bool must_lead_to_trusted_;
    std::set<std::size_t> leads_;
    std::vector<Tried> tried_;
    int steps_ = 0;
};

}  // namespace

Chain build_chain(const Certificate& leaf, const ChainQuestion& question) {
    return Search(leaf, question).result();
}

}  // namespace eflow
