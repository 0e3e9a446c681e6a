#include "vm-agent/health/agent_causes.hpp"

#include <array>

namespace eflow {

namespace {

constexpr std::string_view compare_hub =
    "Look at the device in IoT Hub: it must be there, be enabled and have this certificate's thumbprint or CA; then: "
    "sudo iotedge system reprovision";
constexpr std::string_view open_ports =
    "Open a port to IoT Hub: 5671 (AMQP), 8883 (MQTT) or 443 (over WebSockets); where 443 alone is open, set "
    "UpstreamProtocol = \"AmqpWs\" in [agent.env] of config.toml. Behind a proxy set https_proxy there too.";
constexpr std::string_view look_up_names =
    "Check name resolution inside containers: give the engine DNS servers (\"dns\" in /etc/docker/daemon.json).";
constexpr std::string_view inspected =
    "Something between here and IoT Hub speaks TLS in its place, or the clock is wrong: let it pass the hub's traffic, "
    "and compare the clock: timedatectl";

/// The exceptions of Microsoft.Azure.Devices.Client (UnauthorizedException and its like), the CONNACK codes of its MQTT
/// transport, and .NET's words for sockets and TLS; 13622 is edgeAgent's user (agentStart.sh:23).
constexpr std::array causes{
    AgentCause{"Access to the path", false, "its user may not use the directory that it keeps its state in",
               "Give the directory on the host to edgeAgent's user: sudo chown -R 13622 DIRECTORY (the source of its "
               "mount: docker inspect edgeAgent), with mode 0700"},
    AgentCause{"ProxyAuthenticationRequired", false, "the proxy wants a name and a password",
               "Set https_proxy in [agent.env] of config.toml with them, or let the proxy pass the hub's traffic."},
    AgentCause{"'407'", false, "the proxy wants a name and a password",
               "Set https_proxy in [agent.env] of config.toml with them, or let the proxy pass the hub's traffic."},
    AgentCause{"UnauthorizedException", true, "the hub does not admit this device or this certificate", compare_hub},
    AgentCause{"DeviceNotFoundException", true, "the hub does not know this device", compare_hub},
    AgentCause{"DeviceDisabledException", true, "the device is disabled in the hub", compare_hub},
    AgentCause{"IotHubUnauthorizedAccess", true, "the hub does not admit this device or this certificate", compare_hub},
    AgentCause{"amqp:unauthorized-access", true, "the hub does not admit this device or this certificate", compare_hub},
    AgentCause{"amqp:not-found", true, "the hub does not know this device", compare_hub},
    AgentCause{"RefusedNotAuthorized", true, "the hub does not admit this device or this certificate", compare_hub},
    AgentCause{"RefusedBadUsernameOrPassword", true, "the hub does not admit this device or this certificate",
               compare_hub},
    AgentCause{"'401'", true, "the hub, or a proxy on the way to it, does not admit this device", compare_hub},
    AgentCause{"(401)", true, "the hub, or a proxy on the way to it, does not admit this device", compare_hub},
    AgentCause{"QuotaExceededException", true, "the hub's daily quota is used up",
               "Wait for the next day (UTC), or raise the tier or the units of the IoT hub."},
    AgentCause{"IotHubThrottledException", false, "the hub throttles its devices", "Wait; edgeAgent tries again."},
    AgentCause{"IotHubSuspendedException", true, "the hub is suspended", "Look at the IoT hub's subscription."},
    AgentCause{"RemoteCertificate", false, "the certificate that answers is not the hub's", inspected},
    AgentCause{"remote certificate", false, "the certificate that answers is not the hub's", inspected},
    AgentCause{"AuthenticationException", false, "TLS with the hub failed", inspected},
    AgentCause{"Name or service not known", false, "the hub's name does not resolve", look_up_names},
    AgentCause{"Name does not resolve", false, "the hub's name does not resolve", look_up_names},
    AgentCause{"nodename nor servname", false, "the hub's name does not resolve", look_up_names},
    AgentCause{"Try again", false, "the hub's name could not be looked up", look_up_names},
    AgentCause{"Resource temporarily unavailable", false, "the hub's name could not be looked up", look_up_names},
    AgentCause{"No such host", false, "the hub's name does not resolve", look_up_names},
    AgentCause{"Connection refused", false, "nothing takes connections there", open_ports},
    AgentCause{"unreachable", false, "there is no route to it", "Check the network and the modules' network: ip route"},
    AgentCause{"imeout", false, "nothing answers: a firewall drops the packets", open_ports},
    AgentCause{"timed out", false, "nothing answers: a firewall drops the packets", open_ports},
    AgentCause{"Unable to connect to the remote server", false, "nothing answers", open_ports},
    AgentCause{"Connection reset", false, "something on the way cuts the connection", open_ports},
    AgentCause{"SocketException", false, "the connection failed", open_ports},
};

}  // namespace

const AgentCause* agent_cause_of(std::string_view text) {
    for (const auto& cause : causes)
        if (text.find(cause.words) != std::string_view::npos) return &cause;
    return nullptr;
}

}  // namespace eflow
