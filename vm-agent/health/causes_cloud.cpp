#include "vm-agent/health/causes_rows.hpp"

namespace eflow {

namespace {

constexpr auto dps = "DPS client error";
constexpr auto hub = "Hub client error";
constexpr auto link_stale =
    "DPS took the device's certificate, but its linked IoT hub does not let DPS in: the link's key is stale";
constexpr auto link_hub =
    "Nothing is wrong with this device. In Azure, unlink the hub from the DPS instance and link it again "
    "(Linked IoT hubs), so that DPS has its current key.";
constexpr auto look_at_hub =
    "In IoT Hub, look whether the device exists, is enabled and has this certificate; delete it there "
    "when it is stale, then: sudo iotedge system reprovision";
constexpr auto hub_quota = "Wait until 00:00 UTC, or add units to the hub.";
constexpr auto region = "Wait; see https://status.azure.com for the region.";
constexpr auto slowly = "Wait; bring up many devices at different times.";
constexpr auto scope = "Compare --scope-id with the ID scope on the overview page of the DPS instance.";
constexpr auto enable = "Enable the enrollment of this device or its group in DPS.";
constexpr auto inspect =
    "Compare the thumbprint with the enrollment's primary and secondary certificate: eflow-agent cert inspect "
    "FILE";

constexpr Cause dps_no(Cause row) {
    row.under = dps;
    if (row.source.empty()) row.source = "aziot-cloud-client-async/src/dps/schema.rs:95";
    return refused_by(Fault::dps, row);
}
constexpr Cause dps_waits(Cause row) {
    row.under = dps;
    if (row.source.empty()) row.source = "aziot-cloud-client-async/src/dps/schema.rs:95";
    return passing(Fault::dps, row);
}
constexpr Cause hub_no(Cause row) {
    row.under = hub;
    if (row.source.empty()) row.source = "aziot-cloud-client-async/src/hub/mod.rs:28; IoT Hub error codes";
    return refused_by(Fault::hub, row);
}
constexpr Cause hub_waits(Cause row) {
    row.under = hub;
    if (row.source.empty()) row.source = "aziot-cloud-client-async/src/hub/mod.rs:28; IoT Hub error codes";
    return passing(Fault::hub, row);
}

/// What DPS and the hub say. identityd keeps the message of an answer alone, no status and no code (dps/schema.rs
/// ServiceError, hub/mod.rs HubError), so the words decide. DPS's are captures of public issues.
constexpr Cause rows[] = {
    // --- a status in place of words (1.6, where an answer has no body) ---
    passing(Fault::dps, {.id = "throttled",
                         .part = Part::start,
                         .words = "429: Too many requests",
                         .meaning = "too many requests at once: the service throttles them",
                         .remedy = slowly,
                         .source = "http-common/src/request.rs:226"}),
    passing(Fault::dps,
            {.id = "throttled-waits",
             .part = Part::start,
             .words = "HTTP request throttled",
             .meaning = "too many requests at once: the service throttles them, and identityd waits before the next",
             .remedy = slowly,
             .source = "http-common/src/request.rs:257"}),
    passing(Fault::dps,
            {.id = "throttled-last",
             .part = Part::start,
             .words = "Final HTTP request throttled",
             .meaning = "too many requests at once: the service throttles them, to the last of five attempts",
             .remedy = slowly,
             .source = "http-common/src/request.rs:265"}),
    passing(Fault::dps, {.id = "http-5xx",
                         .part = Part::start,
                         .words = "HTTP error 5",
                         .meaning = "the service, or a gateway before it, has trouble of its own",
                         .remedy = region,
                         .source = "http-common/src/request.rs:330",
                         .versions = "1.6"}),
    dps_no({.id = "dps-http-401",
            .part = Part::start,
            .words = "HTTP error 401",
            .meaning = "DPS does not admit the device",
            .remedy = inspect,
            .source = "http-common/src/request.rs:330",
            .versions = "1.6"}),
    dps_no({.id = "dps-http-404",
            .part = Part::start,
            .words = "HTTP error 404",
            .meaning = "DPS knows no such ID scope or registration",
            .remedy = scope,
            .source = "http-common/src/request.rs:330",
            .versions = "1.6"}),
    hub_no({.id = "hub-http-401",
            .part = Part::start,
            .words = "HTTP error 401",
            .meaning = "IoT Hub does not take this device",
            .remedy = look_at_hub,
            .source = "http-common/src/request.rs:330",
            .versions = "1.6"}),
    hub_no({.id = "hub-http-404",
            .part = Part::start,
            .words = "HTTP error 404",
            .meaning = "IoT Hub knows no such device",
            .remedy = look_at_hub,
            .source = "http-common/src/request.rs:330",
            .versions = "1.6"}),
    by_network({.id = "http-407",
                .part = Part::start,
                .words = "HTTP error 407",
                .meaning = "a proxy wants a user and a password, or other ones",
                .remedy = "Compare the proxy with what the network asks for: systemctl cat aziot-identityd.service",
                .source = "http-common/src/request.rs:330",
                .versions = "1.6"}),
    by_network({.id = "http-4xx",
                .part = Part::start,
                .words = "HTTP error 4",
                .meaning = "something between here and the cloud turned the request away: a proxy, a gateway or a firewall",
                .remedy = "See what answers: curl -v https://global.azure-devices-provisioning.net/",
                .source = "http-common/src/request.rs:330",
                .versions = "1.6"}),
    dps_no({.id = "dps-disabled",
            .words = "Expected one of [202], got 200",
            .meaning = "DPS answered, but started no registration: so it does for a disabled enrollment",
            .remedy = enable,
            .source = "http-common/src/request.rs:339, dps/mod.rs:216"}),
    dps_no({.id = "dps-disabled-at-poll",
            .words = "unknown variant `disabled`",
            .meaning = "the enrollment is disabled",
            .remedy = enable,
            .source = "dps/schema.rs:63"}),
    by_network(
        {.id = "redirected",
         .words = "Expected one of [",
         .also = "got 3",
         .meaning = "the answer was not the cloud's: a portal or a proxy redirects the request",
         .remedy =
             "See what answers: curl -v https://global.azure-devices-provisioning.net/ ; sign in at the portal, or "
             "let the proxy pass the cloud's hosts through.",
         .source = "http-common/src/request.rs:339"}),
    // --- DPS's words. The hub's, wrapped in them: DPS may not register the device there ---
    dps_no({.id = "dps-hub-link",
            .words = "IotHubUnauthorizedAccess",
            .meaning = link_stale,
            .remedy = link_hub,
            .source = "azure-iot-sdk-c#1789; dps/schema.rs:95"}),
    dps_no({.id = "dps-hub-link-access",
            .words = "Unauthorized access",
            .meaning = link_stale,
            .remedy = link_hub,
            .source = "azure-iot-sdk-c#2362; dps/schema.rs:95"}),
    dps_no({.id = "dps-hub-not-found",
            .words = "IotHub not found",
            .meaning = "the DPS instance has no IoT hub to assign",
            .remedy = "Link an IoT hub to the DPS instance (Linked IoT hubs).",
            .source = "terraform-provider-azurerm#10224; dps/schema.rs:95"}),
    dps_waits({.id = "dps-hub-quota",
               .words = "QuotaExceeded",
               .meaning = "the IoT hub that DPS assigns has used up its quota for today",
               .remedy = hub_quota}),
    dps_waits({.id = "dps-throttling-words",
               .words = "ThrottlingException",
               .meaning = "too many requests at once: the hub throttles DPS",
               .remedy = slowly}),
    dps_no({.id = "dps-custom-allocation",
            .words = "Custom allocation failed",
            .meaning = "the allocation function of the enrollment failed",
            .remedy = "Look at the Azure Function that the enrollment names; then: sudo iotedge system reprovision",
            .source = "azure-docs (400207, 400209); dps/mod.rs:277"}),
    dps_no(
        {.id = "dps-ca-not-found",
         .words = "CA certificate not found",
         .meaning = "no enrollment group knows a CA above this certificate, and no individual enrollment has this "
                    "registration ID",
         .remedy =
             "Send the whole chain (leaf, then every intermediate) in the certificate file, and check that its CA is "
             "that of the enrollment group: eflow-agent cert inspect FILE",
         .source = "azure-iot-sdk-c#1900 (401002); dps/schema.rs:95"}),
    dps_no(
        {.id = "dps-signing-certificate",
         .words = "Signing certificate info did not match",
         .meaning = "the chain that the device sends does not hold the CA that the enrollment group names",
         .remedy =
             "Compare the thumbprint of the enrollment group's CA with those of the chain in the certificate file: "
             "eflow-agent cert inspect FILE; then put the missing CA into the file, or the right one into the group.",
         .source = "iotedge#2739 (401002); dps/schema.rs:95"}),
    dps_no({.id = "dps-invalid-certificate",
            .words = "Invalid certificate",
            .meaning = "the enrollment has another certificate than this one, or the certificate is out of its dates",
            .remedy = inspect,
            .source = "vscode-iot-workbench#590 (401002); dps/schema.rs:95"}),
    dps_no({.id = "dps-certificate-expired",
            .words = "expired",
            .meaning = "DPS says that the certificate has expired",
            .remedy = "Place a certificate that is within its dates: sudo eflow-agent provision"}),
    dps_no({.id = "dps-instance-not-found",
            .words = "Device Provisioning Service not found",
            .meaning = "there is no DPS instance with this ID scope",
            .remedy = scope,
            .source = "azure-docs#57082 (404201); dps/schema.rs:95"}),
    dps_no({.id = "dps-not-found",
            .words = "not found",
            .meaning = "DPS knows no such ID scope, registration or enrollment",
            .remedy = "Compare ID scope and registration ID with the enrollment in DPS.",
            .source = "azure-docs how-to-troubleshoot-dps (404); dps/schema.rs:95"}),
    dps_no({.id = "dps-enrollment-disabled",
            .words = "disabled",
            .meaning = "the enrollment is disabled",
            .remedy = enable}),
    dps_no({.id = "dps-unauthorized",
            .words = "Unauthorized",
            .meaning = "the registration ID is not the certificate's CN, or the enrollment admits it no longer",
            .remedy = "The registration ID must equal the CN (case aside); check both, and that the enrollment exists.",
            .source = "azure-iot-sdk-node#679 (401002); dps/schema.rs:95"}),
    dps_waits({.id = "dps-precondition",
               .words = "Precondition failed",
               .meaning = "the same device was registered twice at once",
               .remedy = "Wait: identityd tries again.",
               .source = "azure-iot-sdk-c#2250 (412); dps/schema.rs:95"}),
    dps_waits({.id = "dps-internal",
               .words = "Internal server error",
               .meaning = "DPS has trouble of its own",
               .remedy = region,
               .source = "azure-docs how-to-troubleshoot-dps (500); dps/schema.rs:95"}),
    dps_waits({.id = "dps-internal-code",
               .words = "InternalServerError",
               .meaning = "DPS has trouble of its own",
               .remedy = region}),
    dps_waits({.id = "dps-unavailable",
               .words = "Service unavailable",
               .meaning = "DPS has trouble of its own",
               .remedy = region}),
    dps_waits({.id = "dps-unavailable-code",
               .words = "ServiceUnavailable",
               .meaning = "DPS has trouble of its own",
               .remedy = region}),
    dps_waits({.id = "dps-answer",
               .words = "` at line ",
               .also = "missing field `registrationState`",
               .meaning = "DPS answered in a form that identityd does not read",
               .remedy = region,
               .source = "dps/schema.rs:63"}),
    // --- the hub's words ---
    hub_waits({.id = "hub-quota",
               .words = "QuotaExceeded",
               .meaning = "the IoT hub has used up its quota for today",
               .remedy = hub_quota}),
    hub_waits({.id = "hub-throttling",
               .words = "ThrottlingException",
               .meaning = "too many requests at once: the hub throttles them",
               .remedy = slowly}),
    hub_waits({.id = "hub-suspended",
               .words = "IotHubSuspended",
               .meaning = "the IoT hub is suspended",
               .remedy = "In Azure, look at the hub and its subscription (billing, quota)."}),
    hub_no({.id = "hub-not-found",
            .words = "IotHubNotFound",
            .meaning = "there is no such IoT hub any more",
            .remedy = "Link another hub to the DPS instance, then: sudo iotedge system reprovision"}),
    hub_no({.id = "hub-device-not-found",
            .words = "DeviceNotFound",
            .meaning = "IoT Hub knows no such device",
            .remedy = look_at_hub}),
    hub_no({.id = "hub-device-disabled",
            .words = "disabled",
            .meaning = "the device is disabled in IoT Hub",
            .remedy = "Enable the device in IoT Hub; identityd tries again."}),
    hub_no({.id = "hub-modules",
            .words = "TooManyModulesOnDevice",
            .meaning = "the device has as many modules in IoT Hub as it may",
            .remedy = "Delete modules of this device in IoT Hub."}),
    hub_no({.id = "hub-unauthorized",
            .words = "Unauthorized",
            .meaning = "IoT Hub does not take this device: it is deleted or disabled there, or has another certificate",
            .remedy = look_at_hub,
            .source = "iotedge-eflow#301; hub/mod.rs:28"}),
    hub_no({.id = "hub-forbidden",
            .words = "Forbidden",
            .meaning = "IoT Hub does not let this device in (its network rules, or its state there)",
            .remedy = look_at_hub}),
    hub_waits({.id = "hub-server-error",
               .words = "ServerError",
               .meaning = "IoT Hub has trouble of its own",
               .remedy = region,
               .source = "hub/mod.rs:228 (500 counts as network)"}),
    hub_waits({.id = "hub-internal",
               .words = "Internal server error",
               .meaning = "IoT Hub has trouble of its own",
               .remedy = region,
               .source = "hub/mod.rs:228 (500 counts as network)"}),
    hub_waits({.id = "hub-unavailable",
               .words = "Unavailable",
               .meaning = "IoT Hub has trouble of its own",
               .remedy = region}),
};

}  // namespace

std::span<const Cause> causes_of_cloud() {
    return rows;
}

}  // namespace eflow
