#include "shared/identity.hpp"

#include <algorithm>
#include <charconv>

namespace eflow {

namespace {

constexpr std::size_t longest_scope = 64;
constexpr std::size_t longest_registration_id = 128;
constexpr std::size_t longest_host = 253;

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_alphanumeric(char c) {
    return is_digit(c) || is_letter(c);
}
constexpr char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
constexpr bool is_hex(char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

/// A hostile value as it may be shown: printable ASCII, at most 80 characters.
std::string shown(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 80)) out += (c >= ' ' && c <= '~') ? c : '?';
    if (text.size() > 80) out += "...";
    return out;
}

bool is_host(std::string_view host) {
    if (host.empty() || host.size() > longest_host) return false;
    std::size_t label = 0;
    for (std::size_t i = 0; i < host.size(); ++i) {
        const char c = host[i];
        if (c == '.') {
            if (label == 0 || host[i - 1] == '-') return false;
            label = 0;
            continue;
        }
        if (!is_alphanumeric(c) && !(c == '-' && label > 0)) return false;
        if (++label > 63) return false;
    }
    return label > 0 && host.back() != '-';
}

Finding bad_endpoint(std::string_view text, std::string why) {
    return failed("config.endpoint", "The global endpoint is not one DPS could have",
                  "'" + shown(text) + "': " + std::move(why),
                  "Give the address as https://HOST/, usually " + std::string(DpsEndpoint::global) + ".");
}

}  // namespace

Judged<IdScope> IdScope::parse(std::string_view text) {
    const bool valid =
        !text.empty() && text.size() <= longest_scope && std::all_of(text.begin(), text.end(), is_alphanumeric);
    if (!valid)
        return failed("config.scope-id", "The ID scope is not one DPS could have given",
                      "'" + shown(text) + "' must be 1 to 64 ASCII letters and digits, as in 0ne00A1B2C3",
                      "Copy the ID Scope from the overview page of the DPS instance in the Azure portal.");
    return IdScope(text);
}

bool IdScope::unusual() const noexcept {
    const bool known = text_.starts_with("0ne") || text_.starts_with("0us") || text_.starts_with("0cn");
    return !(text_.size() == 11 && known && std::all_of(text_.begin() + 3, text_.end(), is_hex));
}

Judged<RegistrationId> RegistrationId::parse(std::string_view text) {
    const auto allowed = [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == ':'; };
    std::string why;
    if (text.empty())
        why = "it is empty";
    else if (text.size() > longest_registration_id)
        why = "it has " + std::to_string(text.size()) + " characters, more than 128";
    else if (!std::all_of(text.begin(), text.end(), allowed))
        why = "only letters, digits and - . _ : may stand in it";
    else if (!is_alphanumeric(text.back()) && text.back() != '-')
        why = "it must end in a letter, a digit or a dash";
    if (!why.empty())
        return failed("config.registration-id", "The registration ID is not one DPS accepts",
                      "'" + shown(text) + "': " + why,
                      "Use the registration ID of the enrollment; with X.509 it is the common name (CN) of the device "
                      "certificate.");
    return RegistrationId(text);
}

bool RegistrationId::same_as(std::string_view other) const noexcept {
    return std::equal(text_.begin(), text_.end(), other.begin(), other.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

Judged<DpsEndpoint> DpsEndpoint::parse(std::string_view text) {
    std::string_view rest = text;
    if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) {
        std::string name(rest.substr(0, scheme));
        std::transform(name.begin(), name.end(), name.begin(), lower);
        if (name != "https") return bad_endpoint(text, "the scheme must be https");
        rest.remove_prefix(scheme + 3);
    }
    if (rest.ends_with('/')) rest.remove_suffix(1);
    const auto colon = rest.find(':');
    const std::string_view host = rest.substr(0, colon);
    if (!is_host(host)) return bad_endpoint(text, "a host name must follow, and nothing but a slash after it");
    if (colon != std::string_view::npos) {
        const std::string_view digits = rest.substr(colon + 1);
        unsigned port = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (error != std::errc{} || end != digits.data() + digits.size() || port == 0 || port > 65535)
            return bad_endpoint(text, "the port must be a number from 1 to 65535");
    }
    return DpsEndpoint("https://" + std::string(rest) + "/");
}

std::string DpsEndpoint::host() const {
    const std::string_view rest = std::string_view(url_).substr(8);
    return std::string(rest.substr(0, rest.find_first_of(":/")));
}

std::string DpsEndpoint::port() const {
    const std::string_view rest = std::string_view(url_).substr(8);
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos) return "443";
    return std::string(rest.substr(colon + 1, rest.find('/') - colon - 1));
}

std::string_view to_text(Enrollment enrollment) {
    return enrollment == Enrollment::group ? "group" : "individual";
}

}  // namespace eflow
