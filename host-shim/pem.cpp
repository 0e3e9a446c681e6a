#include "host-shim/pem.hpp"

#include <algorithm>

namespace eflow {

namespace {

bool looks_binary(std::string_view text) {
    return text.find('\0') != std::string_view::npos || text.starts_with("\x30\x82");
}

}  // namespace

std::optional<std::vector<PemBlock>> pem_blocks(std::string_view text) {
    constexpr std::string_view begin = "-----BEGIN ";
    constexpr std::string_view dashes = "-----";
    std::vector<PemBlock> blocks;
    for (std::size_t at = text.find(begin); at != std::string_view::npos;) {
        const std::size_t label_at = at + begin.size();
        const std::size_t label_end = text.find(dashes, label_at);
        if (label_end == std::string_view::npos || label_end - label_at > 64) return std::nullopt;
        const std::string_view label = text.substr(label_at, label_end - label_at);
        const std::string ending = "-----END " + std::string(label) + "-----";
        const std::size_t end = text.find(ending, label_end);
        const std::size_t next = text.find(begin, label_end);
        if (end == std::string_view::npos || (next != std::string_view::npos && next < end)) return std::nullopt;
        blocks.push_back({label, text.substr(at, end + ending.size() - at)});
        at = next;
    }
    return blocks;
}

std::optional<std::string> certificate_fault(std::string_view text) {
    if (text.empty()) return "it is empty";
    const auto blocks = pem_blocks(text);
    if (!blocks) return "a PEM block in it has no end";
    if (blocks->empty())
        return looks_binary(text) ? "it is binary (DER or PFX); PEM is needed" : "it holds no PEM certificate";
    for (const auto& block : *blocks)
        if (block.label.ends_with("PRIVATE KEY")) return "a private key stands in it; it must hold certificates alone";
    const auto is_certificate = [](const PemBlock& block) { return block.label == "CERTIFICATE"; };
    if (std::none_of(blocks->begin(), blocks->end(), is_certificate)) return "it holds no PEM certificate";
    return std::nullopt;
}

std::optional<std::string> key_fault(std::string_view text) {
    if (text.empty()) return "it is empty";
    const auto blocks = pem_blocks(text);
    if (!blocks) return "a PEM block in it has no end";
    std::size_t keys = 0;
    for (const auto& block : *blocks) {
        if (!block.label.ends_with("PRIVATE KEY")) continue;
        ++keys;
        if (block.label == "ENCRYPTED PRIVATE KEY" ||
            block.text.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos)
            return "the key is encrypted; the runtime needs it unencrypted";
    }
    if (keys == 0)
        return looks_binary(text) ? "it is binary (DER or PFX); PEM is needed" : "it holds no PEM private key";
    if (keys > 1) return "it holds more than one private key";
    return std::nullopt;
}

}  // namespace eflow
