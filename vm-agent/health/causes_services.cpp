#include "vm-agent/health/causes_rows.hpp"

namespace eflow {

namespace {

constexpr auto keyd_unit = "aziot-keyd.service";
constexpr auto certd_unit = "aziot-certd.service";
constexpr auto all = "1.4-1.6";

/// What goes wrong on this machine before anything is sent to the cloud.
constexpr Cause rows[] = {
    {.id = "key-client",
     .part = Part::whole,
     .words = "Key client error",
     .fault = Fault::machine,
     .consequence = Consequence::local,
     .meaning = "identityd could not use a key: aziot-keyd refused or did not answer",
     .remedy = "sudo journalctl -u aziot-keyd -n 50",
     .reason_in = keyd_unit,
     .source = "aziot-identityd/src/error.rs:47",
     .versions = all},
    {.id = "master-identity-key",
     .part = Part::whole,
     .words = "master identity key error",
     .fault = Fault::machine,
     .consequence = Consequence::local,
     .meaning = "identityd could not use its master key: aziot-keyd refused or did not answer",
     .remedy = "sudo journalctl -u aziot-keyd -n 50",
     .reason_in = keyd_unit,
     .source = "aziot-identityd/src/error.rs:112",
     .versions = all},
    {.id = "identity-certificate",
     .part = Part::whole,
     .words = "could not create certificate",
     .fault = Fault::machine,
     .consequence = Consequence::local,
     .meaning = "identityd could not read or make the device's identity certificate",
     .remedy = "sudo journalctl -u aziot-certd -u aziot-keyd -n 50",
     .reason_in = certd_unit,
     .source = "aziot-identityd/src/error.rs:97",
     .versions = all},
    {.id = "key-values-mismatch",
     .words = "key values mismatch",
     .fault = Fault::machine,
     .consequence = Consequence::local,
     .meaning = "the private key is not that of the certificate; nothing was sent to the cloud",
     .remedy = "Place a certificate and its own key: sudo eflow-agent provision --help",
     .source = "http-common/src/proxy.rs:198; OpenSSL X509_check_private_key",
     .versions = all},
};

}  // namespace

std::span<const Cause> causes_of_services() {
    return rows;
}

}  // namespace eflow
