#include "vm-agent/health/causes_rows.hpp"

namespace eflow {

namespace {

constexpr auto until_15 = "1.4-1.5";
constexpr auto since_16 = "1.6";

constexpr auto intercepted =
    "Find what answers in the cloud's place (an inspecting proxy or firewall): add its CA certificate to the VM's "
    "trust "
    "store, or let it pass the cloud's hosts through untouched.";
constexpr auto look_at_clock = "Set the clock and keep it synchronised: timedatectl; chronyc tracking";
constexpr auto look_at_names = "Check the DNS servers: resolvectl status; cat /etc/resolv.conf";
constexpr auto look_at_way = "Check the route and the firewall, or set the proxy; then wait.";
constexpr auto look_at_proxy =
    "Compare the proxy with what the network asks for: systemctl show -p Environment aziot-identityd.service";
constexpr auto see_what_answers =
    "See what answers: curl -v https://global.azure-devices-provisioning.net/ ; sign in at the portal, or let the "
    "proxy pass "
    "the cloud's hosts through.";
constexpr auto wait_and_look = "Check name resolution, the proxy and that port 443 is open; then wait.";

constexpr auto verify_source = "openssl x509/verify_result.rs; OpenSSL X509_verify_cert_error_string";

/// TLS, in OpenSSL's words, with its reason for not trusting the other side.
constexpr Cause tls_rows[] = {
    by_network(
        {.id = "tls-clock-not-yet",
         .words = "certificate is not yet valid",
         .also = "certificate verify failed",
         .meaning = "the other side's certificate is not valid yet by this machine's clock, so the clock is behind",
         .remedy = look_at_clock,
         .source = verify_source}),
    by_network(
        {.id = "tls-expired",
         .words = "certificate has expired",
         .also = "certificate verify failed",
         .meaning =
             "the other side's certificate has expired by this machine's clock: the clock is ahead, or something "
             "answers in the cloud's place with an old certificate",
         .remedy = "Check the clock first: timedatectl; then what answers: openssl s_client -connect "
                   "global.azure-devices-provisioning.net:443",
         .source = verify_source}),
    by_network(
        {.id = "tls-self-signed-in-chain",
         .words = "self signed certificate in certificate chain",
         .meaning =
             "the other side's certificate is not trusted: a root of its own stands in its chain, as when a proxy or "
             "firewall inspects TLS",
         .remedy = intercepted,
         .source = verify_source}),
    by_network(
        {.id = "tls-self-signed-in-chain-3",
         .words = "self-signed certificate in certificate chain",
         .meaning =
             "the other side's certificate is not trusted: a root of its own stands in its chain, as when a proxy or "
             "firewall inspects TLS",
         .remedy = intercepted,
         .source = verify_source}),
    by_network(
        {.id = "tls-not-for-this-name",
         .words = "hostname mismatch",
         .meaning =
             "the other side's certificate is not for the name that was asked: another host answers in its place (an "
             "inspecting proxy, a portal, a wrong DNS entry or global_endpoint)",
         .remedy = intercepted,
         .source = verify_source}),
    by_network(
        {.id = "tls-not-trusted",
         .words = "certificate verify failed",
         .meaning =
             "the other side's certificate is not trusted: something inspects TLS, or this machine lacks its root "
             "certificates",
         .remedy = intercepted,
         .source = verify_source}),
    by_network(
        {.id = "tls-plain-answer",
         .words = "wrong version number",
         .meaning =
             "the other side does not speak TLS: the proxy's URL says https where the proxy speaks http, or something "
             "answers in the cloud's place",
         .remedy = look_at_proxy,
         .source = "OpenSSL ssl3_get_record, tls_validate_record_header"}),
    by_network({.id = "tls-legacy",
                .words = "unsafe legacy renegotiation",
                .meaning = "the other side speaks TLS in an old, unsafe way: an inspecting proxy that is out of date",
                .remedy = intercepted,
                .source = "OpenSSL final_renegotiate"}),
    by_network({.id = "tls-version",
                .words = "unsupported protocol",
                .meaning = "the other side speaks only versions of TLS that this machine does not take",
                .remedy = intercepted,
                .source = "OpenSSL ssl_choose_client_version"}),
    by_network(
        {.id = "tls-cut-off",
         .words = "unexpected eof while reading",
         .meaning = "the connection was closed during the TLS handshake: something on the way does not let it through",
         .remedy = intercepted,
         .source = "OpenSSL ssl3_read_n"}),
    by_network(
        {.id = "tls-alert",
         .words = "SSL alert number",
         .meaning =
             "the other side broke off the TLS handshake: it may inspect TLS, or not take this certificate or version",
         .remedy = intercepted,
         .source = "OpenSSL ssl3_read_bytes"}),
    by_network({.id = "tls",
                .words = ":SSL routines:",
                .meaning = "the TLS handshake failed",
                .remedy = intercepted,
                .source = "openssl ssl/error.rs:Display"}),
};

/// What a request met with on its way, in the words of hyper (0.14 until IoT Edge 1.5, 1.x since), hyper-proxy and the
/// kernel. One line of 0.14 has all of it; since 1.6 each error is a cause of its own.
constexpr Cause rows[] = {
    // --- the proxy ---
    by_network({.id = "proxy-wants-credentials",
                .words = "unsuccessful tunnel (HTTP/1.1 407",
                .meaning = "the proxy wants a user and a password, or other ones",
                .remedy = look_at_proxy,
                .source = "hyper-proxy2 tunnel.rs:111"}),
    by_network({.id = "proxy-refuses",
                .words = "unsuccessful tunnel (",
                .meaning = "the proxy does not let the cloud's hosts through",
                .remedy = look_at_proxy,
                .source = "hyper-proxy2 tunnel.rs:111"}),
    by_network({.id = "proxy-hangs-up",
                .words = "unexpected EOF while tunnel",
                .meaning = "the proxy closed the connection instead of letting the cloud's hosts through",
                .remedy = look_at_proxy,
                .source = "hyper-proxy2 tunnel.rs:92"}),
    // --- names ---
    by_network({.id = "dns",
                .words = "failed to lookup address information",
                .meaning = "the name of the host does not resolve (DNS)",
                .remedy = look_at_names,
                .source = "std sys/net (getaddrinfo); hyper-util connect/http.rs:668"}),
    by_network({.id = "dns-error",
                .words = "dns error",
                .meaning = "the name of the host does not resolve (DNS)",
                .remedy = look_at_names,
                .source = "hyper-util connect/http.rs:668"}),
    // --- the kernel ---
    by_network({.id = "connection-refused",
                .words = "Connection refused (os error 111)",
                .meaning = "the host, or the proxy, refuses connections on this port",
                .remedy = look_at_way,
                .source = "errno(3) ECONNREFUSED"}),
    by_network({.id = "connection-timed-out",
                .words = "Connection timed out (os error 110)",
                .meaning = "no answer came in time: a firewall drops the packets, or the network is down",
                .remedy = look_at_way,
                .source = "errno(3) ETIMEDOUT"}),
    by_network({.id = "no-route",
                .words = "unreachable",
                .also = "os error 1",
                .meaning = "there is no route to the host: the network is down, or has no way out",
                .remedy = "ip route; ip addr; then wait.",
                .source = "errno(3) ENETUNREACH, EHOSTUNREACH"}),
    by_network({.id = "no-route-to-host",
                .words = "No route to host",
                .meaning = "there is no route to the host: the network is down, or has no way out",
                .remedy = "ip route; ip addr; then wait.",
                .source = "errno(3) EHOSTUNREACH"}),
    by_network({.id = "connection-reset",
                .words = "Connection reset by peer (os error 104)",
                .meaning = "something on the way breaks the connection off",
                .remedy = look_at_way,
                .source = "errno(3) ECONNRESET"}),
    by_network({.id = "broken-pipe",
                .words = "Broken pipe (os error 32)",
                .meaning = "something on the way breaks the connection off",
                .remedy = look_at_way,
                .source = "errno(3) EPIPE"}),
    // --- time ---
    by_network({.id = "timed-out",
                .words = "timed out",
                .meaning = "no answer came in time: a firewall drops the packets, or the network is down",
                .remedy = look_at_way,
                .source = "http-common/src/request.rs:249"}),
    by_network({.id = "deadline",
                .words = "deadline has elapsed",
                .meaning = "no answer came in time: a firewall drops the packets, or the network is down",
                .remedy = look_at_way,
                .source = "tokio time/error.rs; http-common/src/request.rs:241"}),
    // --- answers that are not the cloud's ---
    by_network(
        {.id = "not-json",
         .words = "invalid Content-Type; expected JSON",
         .meaning = "the answer was not the cloud's: a portal, a proxy or a gateway answered with a page of its own",
         .remedy = see_what_answers,
         .source = "http-common/src/request.rs:149"}),
    by_network(
        {.id = "answer-without-code",
         .words = "missing field `",
         .meaning = "the answer was not the cloud's: a proxy, a portal or a gateway answered with JSON of its own",
         .remedy = see_what_answers,
         .source = "dps/schema.rs:44, hub/mod.rs:12; http-common/src/request.rs:333"}),
    by_network(
        {.id = "answer-not-json",
         .words = "expected value at line",
         .meaning = "the answer was not the cloud's: a proxy, a portal or a gateway answered with a page of its own",
         .remedy = see_what_answers,
         .source = "serde_json error.rs; http-common/src/request.rs:333"}),
    by_network(
        {.id = "answer-empty",
         .words = "EOF while parsing",
         .meaning = "the answer was cut off or had no text: a proxy or a gateway answered in the cloud's place",
         .remedy = see_what_answers,
         .source = "serde_json error.rs; http-common/src/request.rs:326 (until 1.5 every error without a body)"}),
    by_network(
        {.id = "answer-of-another-form",
         .words = "invalid type:",
         .meaning = "the answer was not the cloud's: a proxy, a portal or a gateway answered with JSON of its own",
         .remedy = see_what_answers,
         .source = "serde_json error.rs; http-common/src/request.rs:333"}),
    by_network({.id = "answer-header",
                .words = "failed to convert header to a str",
                .meaning = "the answer was not the cloud's: its headers are not text",
                .remedy = see_what_answers,
                .source = "http header/value.rs; http-common/src/request.rs:139"}),
    // --- hyper, where no more is said ---
    by_network({.id = "hub-unreached",
                .words = "Network not available for Identity reconciliation",
                .meaning = "the hub could not be asked; identityd serves from what it remembers",
                .remedy = wait_and_look,
                .source = "aziot-identityd/src/lib.rs:577"}),
    by_network({.id = "dps-unreached",
                .words = "Reprovisioning failed to communicate with DPS",
                .meaning = "DPS could not be asked; identityd serves from what it remembers",
                .remedy = wait_and_look,
                .source = "aziot-identityd/src/lib.rs:594"}),
    by_network({.id = "cancelled",
                .words = "operation was canceled",
                .meaning = "the connection was given up",
                .remedy = wait_and_look,
                .source = "hyper error.rs:540"}),
    by_network({.id = "body-cut-off",
                .words = "error reading a body from connection",
                .meaning = "the answer was cut off on its way",
                .remedy = wait_and_look,
                .source = "hyper error.rs:547"}),
    by_network({.id = "end-of-file",
                .words = "unexpected end of file",
                .meaning = "the connection was closed before an answer came",
                .remedy = wait_and_look,
                .source = "std io UnexpectedEof; hyper"}),
    by_network({.id = "eof",
                .words = "unexpected EOF",
                .meaning = "the connection was closed before an answer came",
                .remedy = wait_and_look,
                .source = "openssl ssl/error.rs:109"}),
    by_network({.id = "not-http",
                .words = "invalid HTTP",
                .meaning = "what answers does not speak HTTP",
                .remedy = see_what_answers,
                .source = "hyper error.rs:502-526"}),
    by_network({.id = "connection-closed",
                .words = "connection closed before message completed",
                .meaning = "the other side, or something on the way, closed the connection before it answered",
                .remedy = wait_and_look,
                .source = "hyper error.rs:532"}),
    by_network({.id = "connection-error",
                .words = "connection error",
                .meaning = "the connection broke",
                .remedy = wait_and_look,
                .source = "hyper error.rs:561"}),
    by_network({.id = "connect-0.14",
                .part = Part::start,
                .words = "error trying to connect",
                .meaning = "no connection could be made",
                .remedy = wait_and_look,
                .source = "hyper 0.14 error.rs; http-common/src/request.rs:233",
                .versions = until_15}),
    by_network({.id = "connect",
                .part = Part::start,
                .words = "client error (",
                .meaning = "no connection could be made",
                .remedy = wait_and_look,
                .source = "hyper-util legacy/client.rs:1630; http-common/src/request.rs:233",
                .versions = since_16}),
};

}  // namespace

std::span<const Cause> causes_of_tls() {
    return tls_rows;
}

std::span<const Cause> causes_of_network() {
    return rows;
}

}  // namespace eflow
