#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "shared/finding.hpp"

namespace eflow {

/// Either the value, or the finding that says why there is none.
template <class T>
using Judged = std::variant<T, Finding>;

/// The ID scope of a DPS instance. Non-empty, ASCII letters and digits, at most 64.
/// Upstream validates nothing; production scopes are `0ne` (in Azure Government `0us`, in China `0cn`) and eight hex digits;
/// others are `unusual()`, not wrong.
class IdScope {
public:
    static Judged<IdScope> parse(std::string_view text);
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] bool unusual() const noexcept;
    bool operator==(const IdScope&) const = default;

private:
    explicit IdScope(std::string_view text) : text_(text) {}
    std::string text_;
};

/// A DPS registration ID: 1 to 128 of `A-Z a-z 0-9 - . _ :`, the last one alphanumeric or a dash; case does not count
/// (azure-docs concepts-x509-attestation.md).
class RegistrationId {
public:
    static Judged<RegistrationId> parse(std::string_view text);
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    /// Equal, case aside: as DPS compares it with a leaf's CN.
    [[nodiscard]] bool same_as(std::string_view other) const noexcept;

private:
    explicit RegistrationId(std::string_view text) : text_(text) {}
    std::string text_;
};

/// The DPS endpoint as `https://HOST[:PORT]/`. A bare host name is accepted and completed; nothing but a root path.
class DpsEndpoint {
public:
    static constexpr std::string_view global = "https://global.azure-devices-provisioning.net/";
    static Judged<DpsEndpoint> parse(std::string_view text);
    [[nodiscard]] const std::string& url() const noexcept { return url_; }
    /// The host name alone.
    [[nodiscard]] std::string host() const;
    /// The port, 443 when none is written.
    [[nodiscard]] std::string port() const;

private:
    explicit DpsEndpoint(std::string url) : url_(std::move(url)) {}
    std::string url_;
};

enum class Enrollment { individual, group };

std::string_view to_text(Enrollment enrollment);

}  // namespace eflow
