#include "vm-agent/identity/chain.hpp"

#include <algorithm>

#include "vm-agent/identity/openssl.hpp"

namespace eflow {

namespace {

bool same(const Certificate& a, const Certificate& b) {
    return X509_cmp(a.get(), b.get()) == 0;
}

bool named_issuer(const Certificate& issuer, const Certificate& of) {
    return X509_NAME_cmp(X509_get_subject_name(issuer.get()), X509_get_issuer_name(of.get())) == 0;
}

bool signed_by(const Certificate& certificate, const Certificate& issuer) {
    EVP_PKEY* key = X509_get0_pubkey(issuer.get());
    const bool signature_fits = key != nullptr && X509_verify(certificate.get(), key) == 1;
    drain_errors();
    return signature_fits;
}

BorrowedStack stack_of(std::vector<Certificate>::const_iterator from, std::vector<Certificate>::const_iterator to) {
    BorrowedStack stack(made(sk_X509_new_null(), "allocating"));
    for (; from != to; ++from) must(sk_X509_push(stack.get(), from->get()), "allocating");
    return stack;
}

/// Goes on after a fault, so that all of them are collected: the answer is read from the list, never from the return
/// value.
int collect(int verified, X509_STORE_CTX* context) {
    if (verified == 1) return 1;
    auto* faults = static_cast<std::vector<ChainFault>*>(X509_STORE_CTX_get_app_data(context));
    const int error = X509_STORE_CTX_get_error(context);
    // The check `current` tells of dates, in its own words and once.
    if (error == X509_V_ERR_CERT_NOT_YET_VALID || error == X509_V_ERR_CERT_HAS_EXPIRED) return 1;
    const int depth = X509_STORE_CTX_get_error_depth(context);
    X509* current = X509_STORE_CTX_get_current_cert(context);
    std::string subject;
    if (current != nullptr) {
        X509_up_ref(current);
        subject = Certificate(std::shared_ptr<x509_st>(current, Free<X509_free>{})).subject();
    }
    const char* why = X509_verify_cert_error_string(error);
    for (const auto& fault : *faults)
        if (fault.depth == depth && fault.why == why) return 1;
    if (faults->size() < 32) faults->push_back({depth, subject, why});
    return 1;
}

}  // namespace

ChainOrder order_chain(const Certificate& leaf, const std::vector<Certificate>& others) {
    ChainOrder order;
    order.path.push_back(leaf);
    std::vector<Certificate> rest;
    for (const auto& other : others) {
        const auto is_it = [&](const Certificate& known) { return same(known, other); };
        if (!same(leaf, other) && std::none_of(rest.begin(), rest.end(), is_it)) rest.push_back(other);
    }
    while (!order.path.back().self_issued()) {
        const Certificate& last = order.path.back();
        auto next = std::find_if(rest.begin(), rest.end(), [&](const Certificate& one) {
            return named_issuer(one, last) && signed_by(last, one);
        });
        // The right name with a wrong signature is kept on the path: verifying then names the forged signature.
        if (next == rest.end())
            next =
                std::find_if(rest.begin(), rest.end(), [&](const Certificate& one) { return named_issuer(one, last); });
        if (next == rest.end()) break;
        order.path.push_back(*next);
        rest.erase(next);
    }
    order.unrelated = std::move(rest);
    return order;
}

std::vector<ChainFault> verify_chain(const std::vector<Certificate>& path, const std::vector<Certificate>& trusted,
                                     Instant now) {
    std::vector<ChainFault> faults;
    const OwnedStore store(made(X509_STORE_new(), "allocating"));
    const auto trust = [&](const Certificate& anchor) {
        must(X509_STORE_add_cert(store.get(), anchor.get()), "trusting a certificate");
    };
    if (trusted.empty())
        trust(path.back());
    else
        for (const auto& anchor : trusted) trust(anchor);

    const BorrowedStack between = stack_of(path.begin() + 1, path.end());
    const OwnedStoreContext context(made(X509_STORE_CTX_new(), "allocating"));
    must(X509_STORE_CTX_init(context.get(), store.get(), path.front().get(), between.get()),
         "preparing the verification");
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
    // Without a purpose any extended key usage would pass.
    must(X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT), "setting the purpose");
    X509_VERIFY_PARAM_set_time(parameters, static_cast<std::time_t>(now.time_since_epoch().count()));
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    // Strength is judged by checks of its own, with words of their own.
    X509_VERIFY_PARAM_set_auth_level(parameters, 0);
    X509_STORE_CTX_set_app_data(context.get(), &faults);
    X509_STORE_CTX_set_verify_cb(context.get(), collect);
    const int verified = X509_verify_cert(context.get());
    const std::string errors = drain_errors();
    if (verified != 1 && faults.empty())
        faults.push_back({0, path.front().subject(), errors.empty() ? "verification failed" : errors});
    return faults;
}

}  // namespace eflow
