#include "host-shim/pem.hpp"

#include <algorithm>

namespace eflow {

namespace {

bool looks_binary(std::string_view text) {
    return text.find('\0') != std::string_view::npos || text.starts_with("\x30\x82");
}

/// The first fault of the file's BEGIN and END lines.
std::optional<std::string> broken_lines(const PemText& pem) {
    if (pem.faults().empty()) return std::nullopt;
    return "a PEM block in it has no end that fits its begin: " + to_text(pem.faults().front());
}

}  // namespace

SecretBytes plain_pem(std::string_view bytes) {
    return SecretBytes(PemText(bytes).text());
}

std::optional<std::vector<PemBlock>> pem_blocks(std::string_view text) {
    const PemText pem(text);
    // Blocks of a converted text would not outlive this function.
    if (!pem.faults().empty() || pem.encoding() == TextEncoding::utf16) return std::nullopt;
    return pem.blocks();
}

std::optional<std::string> certificate_fault(std::string_view text) {
    if (text.empty()) return "it is empty";
    const PemText pem(text);
    if (auto broken = broken_lines(pem)) return broken;
    const auto& blocks = pem.blocks();
    if (blocks.empty())
        return looks_binary(text) ? "it is binary (DER or PFX); PEM is needed" : "it holds no PEM certificate";
    for (const auto& block : blocks)
        if (block.label.ends_with("PRIVATE KEY")) return "a private key stands in it; it must hold certificates alone";
    const auto is_certificate = [](const PemBlock& block) { return block.label == "CERTIFICATE"; };
    if (std::none_of(blocks.begin(), blocks.end(), is_certificate)) return "it holds no PEM certificate";
    return std::nullopt;
}

std::optional<std::string> key_fault(std::string_view text) {
    if (text.empty()) return "it is empty";
    const PemText pem(text);
    if (auto broken = broken_lines(pem)) return broken;
    std::size_t keys = 0;
    for (const auto& block : pem.blocks()) {
        if (!block.label.ends_with("PRIVATE KEY")) continue;
        if (block.label == "TSS2 PRIVATE KEY") return "the key is wrapped by a TPM, and no other machine can use it";
        if (block.label == "OPENSSH PRIVATE KEY")
            return "it is a key in OpenSSH's own form; a copy becomes PEM by ssh-keygen -p -m PKCS8 -f COPY";
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
