#include "vm-agent/config/certificate_uris.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "vm-agent/config/document.hpp"

namespace eflow {

namespace {

constexpr std::array<std::string_view, 5> keys{"identity_cert", "bootstrap_identity_cert", "trust_bundle_cert", "cert",
                                               "trusted_certs"};
/// Tables whose every value is one.
constexpr std::array<std::string_view, 2> tables{"preloaded_certs", "ca_certs"};

template <class Words>
bool is_among(const Words& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

void collect(const toml::value& value, bool wanted, std::vector<std::string>& uris) {
    if (value.is_string()) {
        std::string uri(value.as_string());
        if (wanted && uri.starts_with("file:") && !is_among(uris, uri)) uris.push_back(std::move(uri));
    } else if (value.is_array()) {
        for (const auto& one : value.as_array()) collect(one, wanted, uris);
    } else if (value.is_table()) {
        // The parser's table has no order of its own.
        std::map<std::string, const toml::value*> children;
        for (const auto& [key, child] : value.as_table()) children.emplace(key, &child);
        for (const auto& [key, child] : children)
            collect(*child, is_among(tables, key) || (child->is_table() ? false : wanted || is_among(keys, key)), uris);
    }
}

}  // namespace

std::vector<std::string> certificate_uris(std::string_view text) {
    std::vector<std::string> uris;
    const auto parsed = parse_document(text);
    if (const auto* root = std::get_if<toml::value>(&parsed)) collect(*root, false, uris);
    return uris;
}

}  // namespace eflow
