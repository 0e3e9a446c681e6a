#pragma once

#include <string>
#include <vector>

#include "shared/secret.hpp"
#include "vm-agent/identity/certificate.hpp"

namespace eflow {

enum class KeyKind { rsa_2048, rsa_4096, ec_p256 };

/// What `cert create-test` makes: root, intermediate and device identity with certGen.sh's names and profiles.
struct TestIdentityRequest {
    std::string common_name;
    KeyKind leaf_key = KeyKind::ec_p256;
    KeyKind ca_key = KeyKind::ec_p256;
    Instant not_before{};
    Instant not_after{};
};

/// A file to write below the chosen folder: relative path, contents, and whether it is private (0600) or public (0644).
struct IssuedFile {
    std::string path;  ///< e.g. "certs/iot-edge-device-identity-N-full-chain.cert.pem"
    SecretBytes contents;
    bool is_private = false;
};

/// Issues the three certificates and returns the files in certGen.sh's layout (certs/, private/).
/// Source of names and profiles: Azure/iotedge tools/CACertificates/certGen.sh and openssl_root_ca.cnf.
std::vector<IssuedFile> create_test_identity(const TestIdentityRequest& request);

}  // namespace eflow
