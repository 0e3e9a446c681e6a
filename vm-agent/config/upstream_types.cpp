#include "vm-agent/config/upstream_types.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace eflow {

namespace {

// config.toml as IoT Edge 1.6.0 deserializes it: the types of
//   IIS   Azure/iot-identity-service a6b1d162, aziotctl/aziotctl-common/src/config/super_config.rs
//   EDGE  Azure/iotedge 55353a64, edgelet/iotedge/src/config/super_config.rs
// and what they are made of. deny_unknown_fields stands nowhere, so unknown keys are ignored. Between 1.4 and 1.6 the
// types differ in nothing that refuses a file.

constexpr long long u32_most = UINT32_MAX;
/// A u64 or usize: with least 0 or more it stands for the whole of 64 bits.
constexpr long long u64_most = INT64_MAX;

constexpr std::array types{
    UpstreamType{"any", Form::any, "", "anything", "", 0, 0},
    UpstreamType{"json", Form::json, "", "a value that JSON knows", "", 0, 0},
    UpstreamType{"text", Form::text, "", "a text in quotes", "", 0, 0},
    UpstreamType{"c_text", Form::c_text, "", "a text in quotes, without a NUL", "", 0, 0},
    UpstreamType{"boolean", Form::boolean, "", "true or false, without quotes", "", 0, 0},
    UpstreamType{"i64", Form::number, "", "a whole number", "", INT64_MIN, INT64_MAX},
    UpstreamType{"u32", Form::number, "", "a whole number from 0 to 4294967295, without quotes", "", 0, u32_most},
    UpstreamType{"usize", Form::number, "", "a whole number of at least 0, without quotes", "", 0, u64_most},
    // aziot-identityd-config lib.rs:77
    UpstreamType{"timeout", Form::number, "", "a whole number of at least 70, without quotes", "", 70, u64_most},
    // aziot-certd-config lib.rs:257
    UpstreamType{"expiry_days", Form::number, "", "a whole number of at least 1, without quotes", "", 1, u32_most},
    // aziot-tpmd-config lib.rs:16 and :95
    UpstreamType{"handle", Form::number, "", "a whole number up to 0x7FFFFF, without quotes", "", 0, 0x7FFFFF},
    UpstreamType{"url", Form::url, "", "a URL with its scheme", "", 0, 0},
    // certd opens nothing else (aziot-certd-config lib.rs:317); apply takes any URL.
    UpstreamType{"cert_url", Form::url, "", "a URL: \"file:///...\"", "", 0, 0},
    UpstreamType{"key_url", Form::url, "", "a URL: \"file:///...\" or \"pkcs11:...\"", "", 0, 0},
    UpstreamType{"file_url", Form::file_url, "", "a file URL: \"file:///...\"", "", 0, 0},
    UpstreamType{"key_uri", Form::key_uri, "", "a URI: \"file:///...\", or \"pkcs11:token=...;object=...\"", "", 0, 0},
    UpstreamType{"path", Form::text, "", "a path in quotes", "", 0, 0},
    UpstreamType{"policy", Form::policy, "", "\"80%\" (1 to 99), \"10min\" or \"3day\"", "", 0, 0},
    UpstreamType{"duration", Form::duration, "", "a duration in quotes, as \"7d\" or \"12h 30m\"", "", 0, 0},
    UpstreamType{"days", Form::days, "", "a duration of whole days in quotes, as \"1d\"", "", 0, 0},
    UpstreamType{"time_of_day", Form::time_of_day, "", "a time of day in quotes, \"HH:MM\"", "", 0, 0},
    UpstreamType{"base64", Form::base64, "", "a key in base64", "", 0, 0},
    UpstreamType{"connection_string", Form::connection_string, "",
                 "a device's connection string: \"HostName=...;DeviceId=...;SharedAccessKey=...\"", "", 0, 0},
    UpstreamType{"watchdog_retries", Form::watchdog_retries, "", "\"infinite\", or a whole number from 0 to 4294967295",
                 "", 0, u32_most},
    // edgelet-settings base/aziot.rs:3, base/module.rs:138
    UpstreamType{"reprovisioning", Form::word, "Dynamic AlwaysOnStartup OnErrorOnly", "", "", 0, 0},
    UpstreamType{"pull_policy", Form::word, "on-create never", "", "", 0, 0},

    UpstreamType{"texts", Form::list_of, "text", "an array of texts", "", 0, 0},
    UpstreamType{"cert_urls", Form::list_of, "cert_url", "an array of URLs: [\"file:///...\"]", "", 0, 0},
    UpstreamType{"text_map", Form::map_of, "text", "a table of texts", "", 0, 0},
    UpstreamType{"json_map", Form::map_of, "json", "a table", "", 0, 0},
    UpstreamType{"url_map", Form::map_of, "url", "a table of URLs", "", 0, 0},
    UpstreamType{"cert_url_map", Form::map_of, "cert_url", "a table of URLs", "", 0, 0},
    UpstreamType{"key_map", Form::map_of, "key_uri", "a table of URIs", "", 0, 0},
    UpstreamType{"cert_map", Form::map_of, "preloaded_cert", "a table of URLs or arrays of names", "", 0, 0},

    UpstreamType{"config", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"aziot", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"aziot_max_requests", Form::record, "", "a table with keyd, certd, tpmd and identityd", "", 0, 0},
    UpstreamType{"iotedge_max_requests", Form::record, "", "a table with management and workload", "", 0, 0},
    UpstreamType{"provisioning", Form::record, "", "one table: [provisioning]", "", 0, 0},
    // IIS:76
    UpstreamType{"source", Form::tagged, "manual:manual dps:dps none:nothing", "", "source", 0, 0},
    UpstreamType{"manual", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"manual_identity", Form::untagged, "by_connection_string explicit",
                 "connection_string, or iothub_hostname, device_id and [provisioning.authentication]", "", 0, 0},
    UpstreamType{"by_connection_string", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"explicit", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"dps", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"payload", Form::record, "", "a table: { uri = \"file:///...\" }", "", 0, 0},
    UpstreamType{"nothing", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"authentication", Form::tagged, "sas:sas x509:manual_x509", "a table", "method", 0, 0},
    UpstreamType{"sas", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"manual_x509", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"attestation", Form::tagged, "symmetric_key:by_symmetric_key x509:dps_x509 tpm:by_tpm", "a table",
                 "method", 0, 0},
    UpstreamType{"by_symmetric_key", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"dps_x509", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"by_tpm", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"symmetric_key", Form::untagged, "inline_key key_at",
                 "{ value = \"the key in base64\" } or { uri = \"file:///...\" }", "", 0, 0},
    UpstreamType{"inline_key", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"key_at", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"x509_identity", Form::untagged, "issued_identity preloaded_identity",
                 "identity_cert and identity_pk (file URIs), or a table identity_cert with a method that issues it", "",
                 0, 0},
    UpstreamType{"issued_identity", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"preloaded_identity", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"localid", Form::record, "", "a table with domain", "", 0, 0},
    // aziot-certd-config lib.rs:315
    UpstreamType{"preloaded_cert", Form::untagged, "cert_url texts",
                 "a URL, or an array of names of other certificates", "", 0, 0},

    UpstreamType{"cert_issuance", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"est", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"est_auth", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"est_basic", Form::record, "", "username and password, both", "", 0, 0},
    UpstreamType{"est_x509", Form::untagged, "est_bootstrap est_identity",
                 "bootstrap_identity_cert and bootstrap_identity_pk, or identity_cert and identity_pk", "", 0, 0},
    UpstreamType{"est_bootstrap", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"est_identity", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"local_ca", Form::untagged, "issued_local_ca preloaded_local_ca",
                 "cert and pk (file URIs), or a table cert with a method that issues it", "", 0, 0},
    UpstreamType{"issued_local_ca", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"preloaded_local_ca", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"cert_options", Form::record, "", "a table with a method that issues a certificate", "", 0, 0},
    UpstreamType{"cert_method", Form::tagged, "est:by_est local_ca:nothing self_signed:nothing", "", "method", 0, 0},
    UpstreamType{"by_est", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"cert_subject", Form::untagged, "common_name subject",
                 "common_name, a text, or subject, a table of texts", "", 0, 0},
    UpstreamType{"common_name", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"subject", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"auto_renew", Form::record, "", "a table with rotate_key, threshold and retry", "", 0, 0},
    UpstreamType{"renewal_policy", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"tpm", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"hierarchy", Form::record, "", "a table", "", 0, 0},

    UpstreamType{"agent", Form::record, "", "one table: [agent]", "", 0, 0},
    UpstreamType{"docker_config", Form::record, "", "a table with image", "", 0, 0},
    UpstreamType{"registry_auth", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"create_options", Form::record, "", "a table, not JSON in a text", "", 0, 0},
    UpstreamType{"host_config", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"port_bindings", Form::map_of, "ports", "a table of arrays", "", 0, 0},
    UpstreamType{"ports", Form::list_of, "port", "an array of tables: [{ HostPort = \"5671\" }]", "", 0, 0},
    UpstreamType{"port", Form::record, "", "a table: { HostPort = \"5671\" }", "", 0, 0},
    UpstreamType{"mounts", Form::list_of, "mount", "an array of tables", "", 0, 0},
    UpstreamType{"mount", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"networking", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"docker_endpoints", Form::map_of, "docker_endpoint", "a table of tables", "", 0, 0},
    UpstreamType{"docker_endpoint", Form::record, "", "a table", "", 0, 0},

    UpstreamType{"sockets", Form::record, "", "a table with workload_uri and management_uri", "", 0, 0},
    UpstreamType{"listen", Form::record, "", "a table with workload_uri and management_uri", "", 0, 0},
    UpstreamType{"watchdog", Form::record, "", "a table", "", 0, 0},
    // EDGE:79
    UpstreamType{"edge_ca", Form::untagged, "issued_edge_ca preloaded_edge_ca quickstart",
                 "cert and pk (file URIs), a method that issues it (\"est\", \"local_ca\", \"self_signed\"), or "
                 "auto_generated_edge_ca_expiry_days",
                 "", 0, 0},
    UpstreamType{"issued_edge_ca", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"preloaded_edge_ca", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"quickstart", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"moby_runtime", Form::record, "", "a table with uri and network", "", 0, 0},
    // edgelet-settings docker/network.rs:3
    UpstreamType{"moby_network", Form::untagged, "network_table text",
                 "the network's name in quotes, or a table with name", "", 0, 0},
    UpstreamType{"network_table", Form::record, "", "a table with name", "", 0, 0},
    UpstreamType{"ipam", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"ipam_configs", Form::list_of, "ipam_config", "an array of tables", "", 0, 0},
    UpstreamType{"ipam_config", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"content_trust", Form::record, "", "a table", "", 0, 0},
    UpstreamType{"garbage_collection", Form::record, "", "a table", "", 0, 0},
};

constexpr std::array keys{
    // EDGE:11
    UpstreamKey{"config", "trust_bundle_cert", "cert_url", Need::optional},
    UpstreamKey{"config", "allow_elevated_docker_permissions", "boolean", Need::optional},
    UpstreamKey{"config", "auto_reprovisioning_mode", "reprovisioning", Need::by_default},
    UpstreamKey{"config", "imported_master_encryption_key", "path", Need::optional},
    UpstreamKey{"config", "additional_info", "file_url", Need::optional},  // scheme: EDGE apply.rs:520
    UpstreamKey{"config", "iotedge_max_requests", "iotedge_max_requests", Need::by_default},
    UpstreamKey{"config", "", "aziot", Need::part},
    UpstreamKey{"config", "agent", "agent", Need::by_default},
    UpstreamKey{"config", "connect", "sockets", Need::by_default},
    UpstreamKey{"config", "listen", "listen", Need::by_default},
    UpstreamKey{"config", "watchdog", "watchdog", Need::by_default},
    UpstreamKey{"config", "edge_ca", "edge_ca", Need::optional},
    UpstreamKey{"config", "moby_runtime", "moby_runtime", Need::by_default},
    UpstreamKey{"config", "image_garbage_collection", "garbage_collection", Need::by_default},
    // IIS:25; endpoints is read by debug builds alone
    UpstreamKey{"aziot", "hostname", "text", Need::optional},
    UpstreamKey{"aziot", "parent_hostname|local_gateway_hostname", "text", Need::optional},
    UpstreamKey{"aziot", "cloud_timeout_sec", "timeout", Need::by_default},
    UpstreamKey{"aziot", "cloud_retries", "u32", Need::by_default},
    UpstreamKey{"aziot", "aziot_max_requests", "aziot_max_requests", Need::by_default},
    UpstreamKey{"aziot", "prefer_module_identity_cache", "boolean", Need::by_default},
    UpstreamKey{"aziot", "provisioning", "provisioning", Need::required},
    UpstreamKey{"aziot", "localid", "localid", Need::optional},
    UpstreamKey{"aziot", "aziot_keys", "text_map", Need::by_default},
    UpstreamKey{"aziot", "preloaded_keys", "key_map", Need::by_default},
    UpstreamKey{"aziot", "cert_issuance", "cert_issuance", Need::by_default},
    UpstreamKey{"aziot", "preloaded_certs", "cert_map", Need::by_default},
    UpstreamKey{"aziot", "tpm", "tpm", Need::by_default},
    UpstreamKey{"aziot", "endpoints", "any", Need::by_default},
    // IIS:345
    UpstreamKey{"aziot_max_requests", "keyd", "usize", Need::required},
    UpstreamKey{"aziot_max_requests", "certd", "usize", Need::required},
    UpstreamKey{"aziot_max_requests", "tpmd", "usize", Need::required},
    UpstreamKey{"aziot_max_requests", "identityd", "usize", Need::required},
    // edgelet-settings base/mod.rs:75
    UpstreamKey{"iotedge_max_requests", "management", "usize", Need::required},
    UpstreamKey{"iotedge_max_requests", "workload", "usize", Need::required},
    // IIS:68
    UpstreamKey{"provisioning", "", "source", Need::part},
    UpstreamKey{"manual", "", "manual_identity", Need::part},
    // IIS:102
    UpstreamKey{"by_connection_string", "connection_string", "connection_string", Need::required},
    UpstreamKey{"explicit", "iothub_hostname", "text", Need::required},
    UpstreamKey{"explicit", "device_id", "text", Need::required},
    UpstreamKey{"explicit", "authentication", "authentication", Need::required},
    UpstreamKey{"dps", "global_endpoint", "url", Need::required},
    UpstreamKey{"dps", "id_scope", "text", Need::required},
    UpstreamKey{"dps", "attestation", "attestation", Need::required},
    UpstreamKey{"dps", "payload", "payload", Need::optional},
    UpstreamKey{"payload", "uri", "cert_url", Need::required},  // a file: aziot-identityd-config lib.rs:221
    // IIS:174
    UpstreamKey{"sas", "device_id_pk", "symmetric_key", Need::required},
    UpstreamKey{"manual_x509", "", "x509_identity", Need::part},
    // IIS:190
    UpstreamKey{"by_symmetric_key", "registration_id", "text", Need::required},
    UpstreamKey{"by_symmetric_key", "symmetric_key", "symmetric_key", Need::required},
    UpstreamKey{"dps_x509", "registration_id", "text", Need::optional},
    UpstreamKey{"dps_x509", "", "x509_identity", Need::part},
    UpstreamKey{"by_tpm", "registration_id", "text", Need::required},
    // IIS:268
    UpstreamKey{"inline_key", "value", "base64", Need::required},
    UpstreamKey{"key_at", "uri", "key_uri", Need::required},
    // IIS:282
    UpstreamKey{"issued_identity", "identity_cert", "cert_options", Need::required},
    UpstreamKey{"preloaded_identity", "identity_cert", "cert_url", Need::required},
    UpstreamKey{"preloaded_identity", "identity_pk", "key_uri", Need::required},
    // aziot-identityd-config lib.rs:115
    UpstreamKey{"localid", "domain", "text", Need::required},
    // IIS:211
    UpstreamKey{"cert_issuance", "local_ca", "local_ca", Need::optional},
    UpstreamKey{"cert_issuance", "est", "est", Need::optional},
    UpstreamKey{"est", "trusted_certs", "cert_urls", Need::by_default},
    UpstreamKey{"est", "identity_auto_renew", "auto_renew", Need::by_default},
    UpstreamKey{"est", "auth", "est_auth", Need::optional},
    UpstreamKey{"est", "urls", "url_map", Need::by_default},
    // IIS:234
    UpstreamKey{"est_auth", "", "est_basic", Need::part_if_fits},
    UpstreamKey{"est_auth", "", "est_x509", Need::part_if_fits},
    UpstreamKey{"est_basic", "username", "text", Need::required},
    UpstreamKey{"est_basic", "password", "text", Need::required},
    UpstreamKey{"est_bootstrap", "bootstrap_identity_cert", "cert_url", Need::required},
    UpstreamKey{"est_bootstrap", "bootstrap_identity_pk", "key_uri", Need::required},
    UpstreamKey{"est_identity", "identity_cert", "cert_url", Need::required},
    UpstreamKey{"est_identity", "identity_pk", "key_uri", Need::required},
    // IIS:257
    UpstreamKey{"issued_local_ca", "cert", "cert_options", Need::required},
    UpstreamKey{"preloaded_local_ca", "cert", "cert_url", Need::required},
    UpstreamKey{"preloaded_local_ca", "pk", "key_uri", Need::required},
    // IIS:296
    UpstreamKey{"cert_options", "", "cert_method", Need::part},
    UpstreamKey{"cert_options", "expiry_days", "expiry_days", Need::by_default},
    UpstreamKey{"cert_options", "auto_renew", "auto_renew", Need::optional},
    UpstreamKey{"cert_options", "", "cert_subject", Need::part_if_fits},
    UpstreamKey{"by_est", "url", "url", Need::by_default},
    UpstreamKey{"by_est", "", "est_auth", Need::part_if_fits},
    // aziot-certd-config lib.rs:188
    UpstreamKey{"common_name", "common_name", "text", Need::required},
    UpstreamKey{"subject", "subject", "text_map", Need::required},
    // cert-renewal lib.rs:48, policy.rs:3
    UpstreamKey{"auto_renew", "rotate_key", "boolean", Need::required},
    UpstreamKey{"auto_renew", "", "renewal_policy", Need::part},
    UpstreamKey{"renewal_policy", "threshold", "policy", Need::required},
    UpstreamKey{"renewal_policy", "retry", "policy", Need::required},
    // aziot-tpmd-config lib.rs:40
    UpstreamKey{"tpm", "tcti", "c_text", Need::by_default},
    UpstreamKey{"tpm", "auth_key_index", "handle", Need::by_default},
    UpstreamKey{"tpm", "hierarchy_authorization", "hierarchy", Need::by_default},
    UpstreamKey{"hierarchy", "endorsement", "c_text", Need::by_default},
    UpstreamKey{"hierarchy", "owner", "c_text", Need::by_default},
    // edgelet-settings base/module.rs:3
    UpstreamKey{"agent", "name", "text", Need::required},
    UpstreamKey{"agent", "type", "text", Need::required},
    UpstreamKey{"agent", "imagePullPolicy", "pull_policy", Need::by_default},
    UpstreamKey{"agent", "config", "docker_config", Need::required},
    UpstreamKey{"agent", "env", "text_map", Need::by_default},
    // edgelet-settings docker/config.rs:5
    UpstreamKey{"docker_config", "image", "text", Need::required},
    UpstreamKey{"docker_config", "imageHash", "text", Need::optional},
    UpstreamKey{"docker_config", "createOptions", "create_options", Need::by_default},
    UpstreamKey{"docker_config", "digest", "text", Need::optional},
    UpstreamKey{"docker_config", "auth", "registry_auth", Need::optional},
    UpstreamKey{"docker_config", "allowElevatedDockerPermissions", "boolean", Need::by_default},
    // docker-rs src/models: auth_config.rs, container_create_body.rs, host_config.rs
    UpstreamKey{"registry_auth", "username", "text", Need::optional},
    UpstreamKey{"registry_auth", "password", "text", Need::optional},
    UpstreamKey{"registry_auth", "email", "text", Need::optional},
    UpstreamKey{"registry_auth", "serveraddress", "text", Need::optional},
    UpstreamKey{"registry_auth", "*", "json", Need::part},
    UpstreamKey{"create_options", "Hostname", "text", Need::optional},
    UpstreamKey{"create_options", "Env", "texts", Need::optional},
    UpstreamKey{"create_options", "Cmd", "texts", Need::optional},
    UpstreamKey{"create_options", "Image", "text", Need::optional},
    UpstreamKey{"create_options", "Volumes", "json_map", Need::optional},
    UpstreamKey{"create_options", "Entrypoint", "texts", Need::optional},
    UpstreamKey{"create_options", "Labels", "text_map", Need::optional},
    UpstreamKey{"create_options", "HostConfig", "host_config", Need::optional},
    UpstreamKey{"create_options", "NetworkingConfig", "networking", Need::optional},
    UpstreamKey{"create_options", "*", "json", Need::part},
    UpstreamKey{"host_config", "Memory", "i64", Need::optional},
    UpstreamKey{"host_config", "Binds", "texts", Need::optional},
    UpstreamKey{"host_config", "PortBindings", "port_bindings", Need::optional},
    UpstreamKey{"host_config", "Mounts", "mounts", Need::optional},
    UpstreamKey{"host_config", "CapAdd", "texts", Need::optional},
    UpstreamKey{"host_config", "CapDrop", "texts", Need::optional},
    UpstreamKey{"host_config", "ExtraHosts", "texts", Need::optional},
    UpstreamKey{"host_config", "Privileged", "boolean", Need::optional},
    UpstreamKey{"host_config", "*", "json", Need::part},
    UpstreamKey{"port", "HostPort", "text", Need::optional},
    UpstreamKey{"port", "*", "json", Need::part},
    UpstreamKey{"mount", "Target", "text", Need::optional},
    UpstreamKey{"mount", "Source", "text", Need::optional},
    UpstreamKey{"mount", "Type", "text", Need::optional},
    UpstreamKey{"mount", "ReadOnly", "boolean", Need::optional},
    UpstreamKey{"mount", "*", "json", Need::part},
    UpstreamKey{"networking", "EndpointsConfig", "docker_endpoints", Need::optional},
    UpstreamKey{"networking", "*", "json", Need::part},
    UpstreamKey{"docker_endpoint", "NetworkID", "text", Need::optional},
    UpstreamKey{"docker_endpoint", "*", "json", Need::part},
    // edgelet-settings base/uri.rs:3; min_tls_version stood there from 1.3.0 to 1.4.20 and is ignored since
    UpstreamKey{"sockets", "workload_uri", "url", Need::required},
    UpstreamKey{"sockets", "management_uri", "url", Need::required},
    UpstreamKey{"listen", "workload_uri", "url", Need::required},
    UpstreamKey{"listen", "management_uri", "url", Need::required},
    UpstreamKey{"listen", "min_tls_version", "any", Need::by_default},
    // edgelet-settings base/watchdog.rs:5
    UpstreamKey{"watchdog", "max_retries", "watchdog_retries", Need::by_default},
    // EDGE:81
    UpstreamKey{"issued_edge_ca", "", "cert_options", Need::part},
    UpstreamKey{"preloaded_edge_ca", "cert", "cert_url", Need::required},
    UpstreamKey{"preloaded_edge_ca", "pk", "key_url", Need::required},
    UpstreamKey{"quickstart", "auto_generated_edge_ca_expiry_days", "u32", Need::required},
    UpstreamKey{"quickstart", "auto_renew", "auto_renew", Need::by_default},
    UpstreamKey{"quickstart", "", "cert_subject", Need::part_if_fits},
    // EDGE:106; edgelet-settings docker/network.rs:27
    UpstreamKey{"moby_runtime", "uri", "url", Need::required},
    UpstreamKey{"moby_runtime", "network", "moby_network", Need::required},
    UpstreamKey{"moby_runtime", "content_trust", "content_trust", Need::optional},
    UpstreamKey{"network_table", "name", "text", Need::required},
    UpstreamKey{"network_table", "ipv6", "boolean", Need::optional},
    UpstreamKey{"network_table", "ipam", "ipam", Need::optional},
    UpstreamKey{"ipam", "config", "ipam_configs", Need::optional},
    UpstreamKey{"ipam_config", "gateway", "text", Need::optional},
    UpstreamKey{"ipam_config", "subnet", "text", Need::optional},
    UpstreamKey{"ipam_config", "ip_range", "text", Need::optional},
    UpstreamKey{"content_trust", "ca_certs", "cert_url_map", Need::optional},
    // edgelet-settings base/image.rs:9
    UpstreamKey{"garbage_collection", "cleanup_recurrence", "days", Need::by_default},
    UpstreamKey{"garbage_collection", "image_age_cleanup_threshold", "duration", Need::by_default},
    UpstreamKey{"garbage_collection", "cleanup_time", "time_of_day", Need::by_default},
    UpstreamKey{"garbage_collection", "enabled", "boolean", Need::by_default},
};

}  // namespace

const UpstreamType& upstream_type(std::string_view name) {
    const auto* found = std::find_if(types.begin(), types.end(), [&](const auto& one) { return one.name == name; });
    return found == types.end() ? types.front() : *found;
}

UpstreamKeys keys_of(std::string_view table) {
    const auto is = [&](const UpstreamKey& one) { return one.table == table; };
    const auto* first = std::find_if(keys.begin(), keys.end(), is);
    return {first, std::find_if_not(first, keys.end(), is)};
}

UpstreamKeys all_keys() {
    return {keys.begin(), keys.end()};
}

std::string_view next_word(std::string_view& words, char between) {
    const std::string_view word = words.substr(0, words.find(between));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    return word;
}

}  // namespace eflow
