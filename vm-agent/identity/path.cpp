#include "vm-agent/identity/path.hpp"

#include <algorithm>

#include "vm-agent/identity/openssl.hpp"

namespace eflow {

namespace {

constexpr std::size_t most_faults = 32;

/// The OIDs of critical extensions that OpenSSL does not know: the number is what an authority's documents are searched by.
std::string unknown_critical(X509* x509) {
    std::string oids;
    for (int i = 0; i < X509_get_ext_count(x509); ++i) {
        X509_EXTENSION* extension = X509_get_ext(x509, i);
        if (X509_EXTENSION_get_critical(extension) == 0 || X509_supported_extension(extension) != 0) continue;
        char text[128] = {};
        constexpr int numbers_only = 1;
        OBJ_obj2txt(text, sizeof text, X509_EXTENSION_get_object(extension), numbers_only);
        oids += (oids.empty() ? "" : ", ") + std::string(text);
    }
    return oids;
}

/// Goes on after a fault, so that all of them are collected: the answer is read from the list, never from the return value.
int collect(int verified, X509_STORE_CTX* context) {
    if (verified == 1) return 1;
    auto* faults = static_cast<std::vector<ChainFault>*>(X509_STORE_CTX_get_app_data(context));
    const int error = X509_STORE_CTX_get_error(context);
    if (error == X509_V_ERR_CERT_NOT_YET_VALID || error == X509_V_ERR_CERT_HAS_EXPIRED) return 1;
    const int depth = X509_STORE_CTX_get_error_depth(context);
    X509* current = X509_STORE_CTX_get_current_cert(context);
    std::string subject;
    std::string why = X509_verify_cert_error_string(error);
    if (current != nullptr) {
        X509_up_ref(current);
        subject = Certificate(std::shared_ptr<x509_st>(current, Free<X509_free>{})).subject();
        if (error == X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION) why += ": " + unknown_critical(current);
    }
    for (const auto& fault : *faults)
        if (fault.depth == depth && fault.why == why) return 1;
    if (faults->size() < most_faults) faults->push_back({depth, subject, why});
    return 1;
}

/// Where one certificate of the path cannot be the issuer of the one before it, which OpenSSL would only call missing.
std::vector<ChainFault> misfits(const std::vector<Certificate>& path) {
    std::vector<ChainFault> faults;
    for (std::size_t depth = 0; depth + 1 < path.size(); ++depth) {
        const Certificate& one = path[depth];
        const Certificate& issuer = path[depth + 1];
        const int fits = X509_check_issued(issuer.get(), one.get());
        if (fits != X509_V_OK)
            faults.push_back({static_cast<int>(depth), one.subject(),
                              std::string(X509_verify_cert_error_string(fits)) + " (held against " + issuer.subject() + ")"});
    }
    drain_errors();
    return faults;
}

void require_authorities(const std::vector<Certificate>& path, std::vector<ChainFault>& faults) {
    for (std::size_t depth = 1; depth < path.size(); ++depth) {
        const Certificate& one = path[depth];
        const int kind = X509_check_ca(one.get());
        if (kind == 1 || (kind != 0 && depth + 1 == path.size() && one.self_issued() && one.signed_by(one))) continue;
        const auto here = [&](const ChainFault& fault) { return fault.depth == static_cast<int>(depth); };
        if (std::none_of(faults.begin(), faults.end(), here))
            faults.push_back({static_cast<int>(depth), one.subject(), "invalid CA certificate: basicConstraints CA:TRUE is missing"});
    }
}

}  // namespace

std::vector<ChainFault> verify_path(const std::vector<Certificate>& path, Purpose purpose, Instant now) {
    std::vector<ChainFault> faults = misfits(path);
    if (faults.empty()) {
        const OwnedStore store(made(X509_STORE_new(), "allocating"));
        must(X509_STORE_add_cert(store.get(), path.back().get()), "trusting a certificate");
        const BorrowedStack between(made(sk_X509_new_null(), "allocating"));
        for (std::size_t i = 1; i + 1 < path.size(); ++i) must(sk_X509_push(between.get(), path[i].get()), "allocating");
        const OwnedStoreContext context(made(X509_STORE_CTX_new(), "allocating"));
        must(X509_STORE_CTX_init(context.get(), store.get(), path.front().get(), between.get()), "preparing the verification");
        X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
        // Without a purpose any extended key usage would pass.
        if (purpose == Purpose::tls_client)
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
    }
    require_authorities(path, faults);
    return faults;
}

}  // namespace eflow
