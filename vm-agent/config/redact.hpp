#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// A config.toml for showing, and the values that were taken out of it, so that they can be taken out of other texts.
struct RedactedConfig {
    std::string text;
    std::vector<std::string> secrets;
};

/// Replaces every secret of upstream's types by "***": connection strings, symmetric keys, passwords, TPM
/// authorisations, create options, values of the environment but for a few known to be none, and, wherever they stand,
/// user and password in a URL, pins in a pkcs11 URI and keys in a connection string. Comments are treated alike. Every
/// line stays a line. Of a text that is no TOML only the values of keys that never hold a secret are left.
RedactedConfig redact_config(std::string_view text);

/// An environment variable whose value is no secret, by its name: what IoT Edge and the proxies go by.
bool is_open_variable(std::string_view name);

/// A key, in a file or a document of any kind, that a secret stands behind, by its name.
bool is_secret_name(std::string_view name);

}  // namespace eflow
