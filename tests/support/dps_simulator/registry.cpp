#include "tests/support/dps_simulator/registry.hpp"

#include <fstream>
#include <iomanip>
#include <regex>
#include <sstream>

#include <openssl/sha.h>
#include <nlohmann/json.hpp>

namespace eflow::dps {

namespace {

using nlohmann::json;

std::string digest(const std::string& bytes) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), hash);
    std::ostringstream text;
    text << "sha256:" << std::hex << std::setfill('0');
    for (const unsigned char byte : hash) text << std::setw(2) << static_cast<int>(byte);
    return text.str();
}

Response refusal(int status, const char* code, const std::string& message) {
    return json_response(
        status, {{"errors", json::array({{{"code", code}, {"message", message}, {"detail", json::object()}}})}});
}

Response blob(const char* type, const std::string& bytes) {
    return {200,
            {{"content-type", type},
             {"docker-content-digest", digest(bytes)},
             {"docker-distribution-api-version", "registry/2.0"}},
            bytes,
            {}};
}

constexpr const char* manifest_type = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* config_type = "application/vnd.oci.image.config.v1+json";
constexpr const char* layer_type = "application/vnd.oci.image.layer.v1.tar";

}  // namespace

Response answer_pull(const std::map<std::string, std::string>& images, const std::string& target) {
    if (target == "/v2/" || target == "/v2") return json_response(200, json::object());
    static const std::regex parts("/v2/(.+)/(manifests|blobs)/([^/?]+)");
    std::smatch match;
    if (!std::regex_match(target, match, parts))
        return refusal(404, "NAME_UNKNOWN", "repository name not known to registry");
    const auto image = images.find(match[1]);
    std::ostringstream layer;
    if (image != images.end()) layer << std::ifstream(image->second, std::ios::binary).rdbuf();
    const std::string tar = layer.str();
    if (tar.empty()) return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown");

    const std::string config = json{{"architecture", "amd64"},
                                    {"os", "linux"},
                                    {"config", {{"Cmd", json::array({"/bin/sh", "/module"})}}},
                                    {"rootfs", {{"type", "layers"}, {"diff_ids", json::array({digest(tar)})}}},
                                    {"history", json::array({{{"created_by", "lab"}}})}}
                                   .dump();
    const auto part = [](const char* type, const std::string& bytes) {
        return json{{"mediaType", type}, {"size", bytes.size()}, {"digest", digest(bytes)}};
    };
    if (match[2] == "manifests")
        return blob(manifest_type, json{{"schemaVersion", 2},
                                        {"mediaType", manifest_type},
                                        {"config", part(config_type, config)},
                                        {"layers", json::array({part(layer_type, tar)})}}
                                       .dump());
    if (match[3] == digest(tar)) return blob("application/octet-stream", tar);
    if (match[3] == digest(config)) return blob("application/octet-stream", config);
    return refusal(404, "BLOB_UNKNOWN", "blob unknown to registry");
}

}  // namespace eflow::dps
