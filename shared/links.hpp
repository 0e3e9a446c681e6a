#pragma once

#include <array>

namespace eflow {

/// A page that texts of ours refer to, and who names it: upstream's sources or Microsoft's own pages. A link that nobody
/// else names does not exist; tests/remedies_test.py holds that no other address stands in the programs.
struct Link {
    const char* url;
    const char* named_by;
};

namespace links {
/// What IoT Edge's own checks point to (Azure/iotedge, edgelet/iotedge/src/check/checks).
inline constexpr const char* logs = "https://aka.ms/iotedge-prod-checklist-logs";
inline constexpr const char* dns = "https://aka.ms/iotedge-prod-checklist-dns";
inline constexpr const char* storage = "https://aka.ms/iotedge-storage-host";
/// What the Identity Service's own check points to.
inline constexpr const char* permissions = "https://aka.ms/iotedge/cert-permissions";
inline constexpr const char* azure_status = "https://status.azure.com";
}  // namespace links

inline constexpr std::array<Link, 5> known_links{{
    {links::logs, "Azure/iotedge edgelet/iotedge/src/check/checks/container_engine_logrotate.rs:30"},
    {links::dns, "Azure/iotedge edgelet/iotedge/src/check/checks/container_engine_dns.rs:31"},
    {links::storage, "Azure/iotedge edgelet/iotedge/src/check/checks/storage_mounted_from_host.rs:132"},
    {links::permissions, "Azure/iot-identity-service aziotctl/aziotctl-common/src/config/mod.rs:142"},
    {links::azure_status, "MicrosoftDocs/azure-docs, articles on service health"},
}};

}  // namespace eflow
