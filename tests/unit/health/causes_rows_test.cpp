#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm-agent/health/reasons.hpp"

namespace eflow {
namespace {

using Lines = std::vector<std::string>;

constexpr auto stamp = "2026-06-01T12:00:01Z ";

Lines fatal(const Lines& causes) {
    Lines lines{std::string(stamp) + "[ERR!] - service encountered an error"};
    for (const auto& cause : causes) lines.push_back(std::string(stamp) + "[ERR!] - caused by: " + cause);
    lines.push_back(std::string(stamp) + "[ERR!] -    0: <unknown>");
    lines.emplace_back("   1: <unknown>");
    return lines;
}

Lines answered(const Lines& before, const Lines& chain) {
    Lines lines;
    for (const auto& text : before) lines.push_back(std::string(stamp) + "[ERR!] - " + text);
    for (const auto& text : chain)
        lines.push_back(std::string(stamp) + "[ERR!] - !!! " + (&text == &chain.front() ? "" : "caused by: ") + text);
    lines.push_back(std::string(stamp) + "[INFO] - --> 500 {}");
    return lines;
}

/// edged: the engine's words, then what could not be done.
Lines engine(const Lines& reasons, const std::string& what) {
    Lines lines{std::string(stamp) + "[WARN] - container runtime error", "Caused by:"};
    for (std::size_t i = 0; i < reasons.size(); ++i)
        lines.push_back(reasons.size() == 1 ? "    " + reasons[i] : "    " + std::to_string(i) + ": " + reasons[i]);
    lines.push_back(std::string(stamp) + "[WARN] - " + what);
    return lines;
}

Lines alone(const std::string& level, const std::string& text) {
    return {std::string(stamp) + "[" + level + "] - " + text};
}

struct Case {
    const char* id;
    const char* unit;
    Lines lines;
};

constexpr auto identityd_unit = "aziot-identityd.service";
constexpr auto keyd_unit = "aziot-keyd.service";
constexpr auto certd_unit = "aziot-certd.service";
constexpr auto edged_unit = "aziot-edged.service";
constexpr auto dps = "DPS client error";
constexpr auto hub = "Hub client error";
constexpr auto failed_to_pull =
    "Error in watchdog: Failed to pull Edge runtime module: registry operation error: pull image \"r.io/agent:1\"";
constexpr auto verify =
    "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:"
    "../ssl/statem/statem_clnt.c:1889:";

Case of_dps(const char* id, const Lines& words) {
    Lines chain{dps};
    chain.insert(chain.end(), words.begin(), words.end());
    return {id, identityd_unit, fatal(chain)};
}

std::vector<Case> cases_of_network() {
    return {
        of_dps("timed-out", {"timed out"}),
        of_dps("tls-clock-not-yet",
               {"client error (Connect)", std::string(verify) + ": certificate is not yet valid", verify}),
        of_dps("tls-expired", {"client error (Connect)", std::string(verify) + ": certificate has expired", verify}),
        of_dps("tls-self-signed-in-chain",
               {"client error (Connect)", std::string(verify) + ": self signed certificate in certificate chain"}),
        of_dps("tls-self-signed-in-chain-3",
               {"error trying to connect: " + std::string(verify) + ": self-signed certificate in certificate chain"}),
        of_dps("tls-not-for-this-name", {"client error (Connect)", std::string(verify) + ": Hostname mismatch"}),
        of_dps("tls-not-trusted", {std::string(verify) + ": unable to get local issuer certificate"}),
        of_dps("tls-plain-answer",
               {"client error (Connect)", "error:0A00010B:SSL routines:ssl3_get_record:wrong version number"}),
        of_dps("tls-alert",
               {"error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:x.c:1:SSL alert number 48"}),
        of_dps("proxy-wants-credentials", {"client error (Connect)", "unsuccessful tunnel (HTTP/1.1 407 Pro)"}),
        of_dps("proxy-refuses", {"error trying to connect: unsuccessful tunnel (HTTP/1.1 403 For)"}),
        of_dps("dns", {"client error (Connect)", "dns error",
                       "failed to lookup address information: Name or service not known"}),
        of_dps("connection-refused",
               {"client error (Connect)", "tcp connect error", "Connection refused (os error 111)"}),
        of_dps("connection-refused",
               {"error trying to connect: tcp connect error: Connection refused (os error 111)",
                "tcp connect error: Connection refused (os error 111)", "Connection refused (os error 111)"}),
        of_dps("connection-timed-out", {"client error (Connect)", "Connection timed out (os error 110)"}),
        of_dps("no-route", {"client error (Connect)", "tcp connect error", "Network is unreachable (os error 101)"}),
        of_dps("no-route-to-host", {"client error (Connect)", "No route to host (os error 113)"}),
        of_dps("connection-reset", {"client error (SendRequest)", "Connection reset by peer (os error 104)"}),
        of_dps("not-json", {"invalid Content-Type; expected JSON"}),
        of_dps("answer-without-code", {"missing field `code` at line 1 column 30"}),
        of_dps("answer-not-json", {"expected value at line 1 column 1"}),
        of_dps("answer-empty", {"EOF while parsing a value at line 1 column 0"}),
        of_dps("http-407", {"HTTP error 407 Proxy Authentication Required"}),
        of_dps("http-4xx", {"HTTP error 403 Forbidden"}),
        of_dps("http-5xx", {"HTTP error 502 Bad Gateway"}),
        of_dps("redirected", {"Expected one of [202], got 302 Found"}),
        of_dps("connection-closed", {"client error (SendRequest)", "connection closed before message completed"}),
        {"timed-out", identityd_unit, alone("WARN", "Failed to send HTTP request (attempt 1 of 2): timed out")},
        {"hub-unreached", identityd_unit,
         alone("WARN", "Network not available for Identity reconciliation. Using offline backup from last run.")},
    };
}

std::vector<Case> cases_of_cloud() {
    return {
        of_dps("throttled", {"429: Too many requests"}),
        {"throttled-waits", identityd_unit,
         alone("WARN", "HTTP request throttled (attempt 1 of 5). Sleeping for 65 seconds.")},
        of_dps("dps-signing-certificate", {"Signing certificate info did not match chain elements."}),
        of_dps(
            "dps-hub-link",
            {R"({"Message":"ErrorCode:IotHubUnauthorizedAccess;Unauthorized","ExceptionMessage":"Tracking ID:b8429"})"}),
        of_dps("dps-hub-link", {"ErrorCode:IotHubUnauthorizedAccess;Unauthorized"}),
        of_dps("dps-disabled", {"Expected one of [202], got 200 OK"}),
        of_dps("dps-disabled-at-poll",
               {"unknown variant `disabled`, expected one of `assigned`, `assigning`, `failed`"}),
        of_dps("dps-instance-not-found", {"Device Provisioning Service not found!"}),
        of_dps("dps-not-found", {"Registration not found."}),
        of_dps("dps-custom-allocation", {"Custom allocation failed with status code: 401"}),
        of_dps("dps-precondition", {"Precondition failed."}),
        {"hub-unauthorized", identityd_unit, fatal({hub, "ErrorCode:IotHubUnauthorizedAccess;Unauthorized"})},
        {"hub-unauthorized", identityd_unit,
         fatal({hub, R"({"errorCode":401003,"trackingId":"0-G:2","message":"Unauthorized"})"})},
        {"hub-device-not-found", identityd_unit,
         fatal({hub, "ErrorCode:DeviceNotFound;Unable to find the device device-1."})},
        {"hub-quota", identityd_unit, fatal({hub, "ErrorCode:IotHubQuotaExceeded;Total number of messages exceeded"})},
        {"dps-unauthorized", identityd_unit, answered({}, {dps, "Unauthorized"})},
    };
}

std::vector<Case> cases_of_machine() {
    return {
        of_dps("key-values-mismatch",
               {"error:05800074:x509 certificate routines:X509_check_private_key:key values mismatch:x.c:405:"}),
        of_dps("ee-key-too-small",
               {"error:0A00018F:SSL routines:SSL_CTX_use_certificate:ee key too small:ssl_rsa.c:221:"}),
        of_dps("no-certificates", {"no certs in stack"}),
        of_dps("proxy-uri-relative", {"relative URL without a base"}),
        {"proxy-uri", identityd_unit, fatal({"internal error", "invalid proxy uri", "invalid uri character"})},
        {"config-not-readable", identityd_unit,
         Lines{std::string(stamp) + "[ERR!] - could not read config",
               std::string(stamp) +
                   "[ERR!] - caused by: could not read config from /etc/aziot/identityd/config.d/00-super.toml",
               std::string(stamp) + "[ERR!] - caused by: Permission denied (os error 13)"}},
        {"config-missing-field", certd_unit,
         Lines{std::string(stamp) + "[ERR!] - could not read config",
               std::string(stamp) + "[ERR!] - caused by: missing field `homedir_path`"}},
        {"certificate-missing", identityd_unit,
         fatal({"internal error", "could not create certificate",
                "identity cert does not exist; cannot create new cert as registration ID is unknown"})},
        {"certificate-asked-for", identityd_unit,
         fatal({"internal error", "could not create certificate",
                "user 994 is not authorized to modify the cert device-id"})},
        {"payload", identityd_unit,
         fatal({"parameter \"provisioning.payload\" has an invalid value", "No such file or directory (os error 2)"})},
        {"disk-full", identityd_unit,
         fatal({"internal error", "could not save settings", "No space left on device (os error 28)"})},
        {"certd-est-url", certd_unit,
         fatal({"parameter \"cert_id\" has an invalid value",
                "cert \"est-id\" is configured to be issued by EST, but EST URL is not configured"})},
        {"certd-home", certd_unit,
         answered({}, {"internal error", "could not get file path corresponding to cert ID",
                       "Permission denied (os error 13)"})},
        {"keyd-home", keyd_unit,
         answered({"Permission denied (os error 13)"},
                  {"internal error", "could not generate key", "could not create key: AZIOT_KEYS_RC_ERR_EXTERNAL"})},
        {"keyd-key-unreadable", keyd_unit,
         answered({"Permission denied (os error 13)"}, {"internal error", "could not load key pair",
                                                        "could not load key pair: AZIOT_KEYS_RC_ERR_EXTERNAL"})},
        {"keyd-key-curve", keyd_unit,
         answered({"invalid parameter \"type\": key curve not recognized"}, {"a parameter has an invalid value"})},
    };
}

std::vector<Case> cases_of_engine() {
    return {
        {"engine-denied", edged_unit,
         engine({"client error (Connect)", "Permission denied (os error 13)"},
                "Failed to initialize module runtime: runtime operation error: initialize module runtime")},
        {"engine-denied", edged_unit,
         engine({"error trying to connect: Permission denied (os error 13)"},
                "Failed to initialize module runtime: runtime operation error")},
        {"engine-refuses", edged_unit,
         engine({"client error (Connect)", "Connection refused (os error 111)"},
                "Failed to initialize module runtime: runtime operation error: initialize module runtime")},
        {"registry-name", edged_unit,
         engine({"HTTP 500 Internal Server Error: Get \"https://r.io/v2/\": dial tcp: lookup r.io on 10.0.0.53:53: "
                 "server misbehaving"},
                failed_to_pull)},
        {"registry-login", edged_unit,
         engine({"HTTP 500 Internal Server Error: Head \"https://r.io/v2/agent/manifests/1\": unauthorized: "
                 "authentication required"},
                failed_to_pull)},
        {"registry-image", edged_unit,
         engine({"HTTP 404 Not Found: manifest for r.io/agent:1 not found: manifest unknown"}, failed_to_pull)},
        {"registry-image-or-login", edged_unit,
         engine({"HTTP 404 Not Found: pull access denied for r.io/agent"}, failed_to_pull)},
        {"registry-trust", edged_unit,
         engine({"HTTP 500: x509: certificate signed by unknown authority"}, failed_to_pull)},
        {"registry-away", edged_unit,
         engine({"HTTP 500: net/http: request canceled (Client.Timeout exceeded)"}, failed_to_pull)},
        {"edged-keys", edged_unit, alone("ERR!", "internal error")},
        {"edge-ca", edged_unit, alone("ERR!", "failed to create edge ca cert")},
        {"edge-ca-not-renewed", edged_unit,
         alone("WARN", "Auto renewal of the Edge CA is not configured. Edge CA will not be automatically renewed")},
        {"edged-waits", edged_unit, alone("WARN", "Failed to obtain device identity: device identity not found")},
        {"config", edged_unit,
         alone("ERR!", "Failed to load settings: could not read config from /etc/aziot/edged/config.d/00-super.toml")},
    };
}

TEST(CauseRows, KnowWhatUpstreamWrites) {
    for (const auto& part : {cases_of_network(), cases_of_cloud(), cases_of_machine(), cases_of_engine()})
        for (const auto& one : part) {
            const auto found = diagnose(one.unit, one.lines);
            ASSERT_TRUE(found) << one.id;
            ASSERT_NE(found->cause, nullptr) << one.id << ": " << found->told();
            EXPECT_EQ(found->cause->id, one.id) << found->told();
        }
}

TEST(CauseRows, AnAnswerOfTheNetworkIsNeverARefusal) {
    for (const auto& one : cases_of_network()) {
        const auto found = diagnose(one.unit, one.lines);
        EXPECT_EQ(found->consequence(), Consequence::tries_again) << one.id;
        EXPECT_EQ(judge_registration(&*found).summary.find("refused"), std::string::npos) << one.id;
    }
}

TEST(CauseRows, WhatOneServiceKeepsToItselfIsReadFromItsJournal) {
    Journals journals;
    journals[identityd_unit] = fatal({"internal error", "could not create certificate", "internal error"});
    journals[keyd_unit] =
        answered({"Permission denied (os error 13)"},
                 {"internal error", "could not load key pair", "could not load key pair: AZIOT_KEYS_RC_ERR_EXTERNAL"});
    const Reasons reasons = read_reasons(journals);
    ASSERT_NE(reasons.of(identityd_unit), nullptr);
    EXPECT_EQ(reasons.of(identityd_unit)->unit, keyd_unit);
    EXPECT_EQ(reasons.of(identityd_unit)->cause->id, "keyd-key-unreadable");
    EXPECT_EQ(reasons.registration(), nullptr);
    EXPECT_EQ(reasons.consequence_of({identityd_unit}), Consequence::local);
}

TEST(CauseRows, TheCloudsNoGoesBeforeAFaultHereAndThatBeforeWhatMayPass) {
    Journals journals;
    journals[edged_unit] = alone("WARN", "Failed to obtain device identity: device identity not found");
    journals[identityd_unit] = fatal({dps, "timed out"});
    EXPECT_EQ(read_reasons(journals).consequence_of({edged_unit, identityd_unit}), Consequence::tries_again);
    journals[identityd_unit] = fatal({dps, "a word that nobody knows"});
    EXPECT_EQ(read_reasons(journals).consequence_of({identityd_unit}), Consequence::unknown);
    journals[identityd_unit] = fatal({hub, "ErrorCode:DeviceNotFound;"});
    EXPECT_EQ(read_reasons(journals).consequence_of({edged_unit, identityd_unit}), Consequence::refused);
    EXPECT_EQ(read_reasons({}).consequence_of({certd_unit}), Consequence::local) << "it fails and says nothing";
}

}  // namespace
}  // namespace eflow
