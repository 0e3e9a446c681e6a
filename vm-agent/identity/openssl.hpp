#pragma once

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <string>

#include "vm-agent/identity/certificate.hpp"

namespace eflow {

/// Owns a C object on the line that obtains it.
template <auto free_fn>
struct Free {
    template <class T>
    void operator()(T* object) const noexcept {
        free_fn(object);
    }
};

inline void free_stack(STACK_OF(X509) * certificates) {
    sk_X509_free(certificates);
}
inline void free_names(GENERAL_NAMES* names) {
    GENERAL_NAMES_free(names);
}

using OwnedBio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using OwnedKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using OwnedDigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using OwnedKeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using OwnedX509 = std::unique_ptr<X509, Free<X509_free>>;
using OwnedStore = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using OwnedStoreContext = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;
using OwnedExtension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using OwnedNames = std::unique_ptr<GENERAL_NAMES, Free<free_names>>;
using OwnedBignum = std::unique_ptr<BIGNUM, Free<BN_free>>;
/// A stack that borrows its certificates.
using BorrowedStack = std::unique_ptr<STACK_OF(X509), Free<free_stack>>;

/// Everything in OpenSSL's error queue as one text, and the queue empty afterwards: what is left in it would be blamed
/// on the next caller.
std::string drain_errors();

/// `object`, or Failure(internal) naming `doing` and the error queue.
template <class T>
T* made(T* object, const char* doing);
void must(int result, const char* doing);
[[noreturn]] void openssl_failed(const char* doing);

template <class T>
T* made(T* object, const char* doing) {
    if (object == nullptr) openssl_failed(doing);
    return object;
}

/// Lower-case hex digits.
std::string hex(const unsigned char* bytes, std::size_t size);

/// The bytes of a memory BIO.
std::string text_of(BIO* bio);

/// Bits of a public or private key, and its kind in a form for people.
std::string describe(EVP_PKEY* key);

/// The curve's NID of a named-curve EC key; NID_undef for explicit parameters or no EC key.
int curve_of(EVP_PKEY* key);

}  // namespace eflow
