#include "vm-agent/config/device_info.hpp"

#include "vm-agent/config/document.hpp"

namespace eflow {

std::optional<DeviceInfo> parse_device_info(std::string_view text) {
    const auto parsed = parse_document(text);
    const auto* root = std::get_if<toml::value>(&parsed);
    if (root == nullptr) return std::nullopt;
    const auto hub = text_at(*root, {"hub_name"});
    const auto device = text_at(*root, {"device_id"});
    if (!hub || !device) return std::nullopt;
    return DeviceInfo{*hub, *device, {}};
}

}  // namespace eflow
