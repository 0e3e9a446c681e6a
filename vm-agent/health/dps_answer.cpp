#include "vm-agent/health/dps_answer.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace eflow {

namespace {

constexpr std::string_view cause = "caused by: ";

/// The message of a line "2026-01-31T12:00:00Z [ERR!] - message"; the line itself when it has another form.
std::string_view message_of(std::string_view line) {
    const auto dash = line.find("] - ");
    return dash == std::string_view::npos ? line : line.substr(dash + 4);
}

bool has_any(std::string_view text, std::initializer_list<std::string_view> parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

DpsAnswer::Kind kind_of(std::string_view text) {
    // hyper's and tokio's words for a request that got no answer, of IoT Edge 1.4 (hyper 0.14) and later.
    if (has_any(text, {"error trying to connect", "client error (", "deadline has elapsed", "connection closed",
                       "connection error", "dns error", "os error", "operation timed out"}))
        return DpsAnswer::Kind::out_of_reach;
    if (has_any(text, {"429"})) return DpsAnswer::Kind::throttled;
    if (has_any(text, {"HTTP error 5", "nternal server error", "nternalServerError", "ervice unavailable",
                       "expected value at line"}))
        return DpsAnswer::Kind::trouble;
    return DpsAnswer::Kind::refused;
}

struct Advice {
    std::string_view message;
    const char* meaning;
    const char* remedy;
};

/// What the messages mean that DPS is known to give, with 401002 all but the last two (captures in public issues:
/// azure-iot-sdk-c#1900, AzureIoTDPSCertificates#3, iotedge#4061, terraform-provider-azurerm#10224).
constexpr std::array advice{
    Advice{
        "CA certificate not found",
        "no enrollment group knows a CA above this certificate, and no individual enrollment has this registration ID",
        "Send the whole chain (leaf, then every intermediate) in the certificate file, and check that its CA is that "
        "of the enrollment group: eflow-agent cert inspect FILE"},
    Advice{"Invalid certificate",
           "the enrollment has another certificate than this one, or the certificate is out of its dates",
           "Compare the thumbprint with the enrollment's primary and secondary certificate: eflow-agent cert inspect "
           "FILE"},
    Advice{"Unauthorized", "the registration ID is not the certificate's CN, or the enrollment admits it no longer",
           "The registration ID must equal the CN (case aside); check both, and that the enrollment exists."},
    Advice{"Device Provisioning Service not found", "there is no DPS instance with this ID scope",
           "Compare --scope-id with the ID scope on the overview page of the DPS instance."},
    Advice{"Expected one of [202]", "DPS answered, but started no registration: so it does for a disabled enrollment",
           "Enable the enrollment of this device or its group in DPS."},
    Advice{"IotHub not found", "the DPS instance has no IoT hub to assign",
           "Link an IoT hub to the DPS instance (Linked IoT hubs)."},
    Advice{"Custom allocation failed", "the allocation function of the enrollment failed",
           "Look at the Azure Function that the enrollment names."},
};

}  // namespace

DpsAnswer read_dps_answer(const std::vector<std::string>& lines) {
    DpsAnswer answer;
    bool expects_message = false;
    for (const auto& line : lines) {
        const auto message = message_of(line);
        for (const char* success : {"DPS registration complete", "Provisioning complete", "Successfully provisioned",
                                    "Provisioned with backup"})
            if (message.starts_with(success)) answer = {};
        if (expects_message && message.starts_with(cause)) {
            const auto text = message.substr(cause.size());
            answer = {kind_of(text), std::string(text)};
        }
        expects_message = message == "caused by: DPS client error";
    }
    return answer;
}

Finding judge_dps_answer(const DpsAnswer& answer) {
    constexpr auto id = "cloud.registration";
    const std::string told = "aziot-identityd says: " + answer.text;
    switch (answer.kind) {
        case DpsAnswer::Kind::nothing: return skipped(id, "No registration has failed", "identityd tells of none");
        case DpsAnswer::Kind::out_of_reach:
            return warning(
                id, "identityd cannot reach DPS, and tries again every few seconds", told,
                "Check name resolution, the proxy and that port 443 to the global endpoint is open; then wait.");
        case DpsAnswer::Kind::throttled:
            return warning(id, "DPS throttles this instance, and identityd tries again", told,
                           "Wait; bring up many devices at different times.");
        case DpsAnswer::Kind::trouble:
            return warning(id, "DPS has trouble of its own, and identityd tries again", told,
                           "Wait; see https://status.azure.com for the region of the DPS instance.");
        case DpsAnswer::Kind::refused: break;
    }
    const auto* known = std::find_if(advice.begin(), advice.end(), [&](const Advice& one) {
        return answer.text.find(one.message) != std::string::npos;
    });
    if (known == advice.end())
        return failed(id, "DPS refused this device: " + answer.text, told,
                      "Compare registration ID, certificate and ID scope with the enrollment in DPS.");
    return failed(id, "DPS refused this device: " + answer.text, told + "\n" + known->meaning, known->remedy);
}

}  // namespace eflow
