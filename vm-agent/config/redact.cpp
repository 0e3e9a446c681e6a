#include "vm-agent/config/redact.hpp"

#include <algorithm>
#include <array>

#include "vm-agent/config/document.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/scrub.hpp"
#include "vm-agent/config/statements.hpp"

namespace eflow {

namespace {

using Path = std::vector<std::string>;

constexpr auto hidden = "secret";             // stands for a key that cannot be told
constexpr std::size_t shortest_variable = 8;  // an environment's values are secret by default, not by nature

constexpr std::array<std::string_view, 17> secret_words{
    "connection_string", "connectionstring", "symmetric_key", "device_id_pk", "password",  "passwd", "passphrase",
    "sharedaccesskey",   "pin-value",        "pin_value",     "access_key",   "accesskey", "secret", "token",
    "api_key",           "apikey",           "credential"};
/// Tables all of whose values are secret.
constexpr std::array<std::string_view, 2> secret_tables{"hierarchy_authorization", "createoptions"};
/// Names of environment variables (and of edgeAgent's and edgeHub's settings) that hold none, in lower case.
constexpr std::array<std::string_view, 32> open_variables{"http_proxy",
                                                          "https_proxy",
                                                          "no_proxy",
                                                          "all_proxy",
                                                          "upstreamprotocol",
                                                          "runtimeloglevel",
                                                          "logformat",
                                                          "aziot_log",
                                                          "rust_log",
                                                          "storagefolder",
                                                          "backupconfigfilepath",
                                                          "optimizeforperformance",
                                                          "sendruntimequalitytelemetry",
                                                          "disablecloudsubscriptions",
                                                          "path",
                                                          "hostname",
                                                          "lang",
                                                          "tz",
                                                          "iotedge_apiversion",
                                                          "iotedge_authscheme",
                                                          "iotedge_deviceid",
                                                          "iotedge_gatewayhostname",
                                                          "iotedge_iothubhostname",
                                                          "iotedge_managementuri",
                                                          "iotedge_moduleid",
                                                          "iotedge_workloaduri",
                                                          "iotedge_modulegenerationid",
                                                          "iotedge_version",
                                                          "edgedevicehostname",
                                                          "mode",
                                                          "networkid",
                                                          "workload_uri"};
/// Keys that are shown even where the text as a whole cannot be understood.
constexpr std::array<std::string_view, 19> open_keys{"username",
                                                     "hostname",
                                                     "parent_hostname",
                                                     "source",
                                                     "method",
                                                     "global_endpoint",
                                                     "id_scope",
                                                     "registration_id",
                                                     "iothub_hostname",
                                                     "device_id",
                                                     "identity_cert",
                                                     "trust_bundle_cert",
                                                     "cloud_timeout_sec",
                                                     "cloud_retries",
                                                     "auto_reprovisioning_mode",
                                                     "image",
                                                     "name",
                                                     "type",
                                                     "expiry_days"};

std::string folded(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

template <class Words>
bool is_among(const Words& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

enum class Kind { open, variable, secret };

Kind kind_of(const Path& path) {
    bool variable = false;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const std::string part = folded(path[i]);
        if (is_among(secret_tables, part) || is_secret_name(part)) return Kind::secret;
        // The environment of [agent]; its keys are any names.
        if (part == "env" && i + 1 < path.size() && !is_open_variable(path[i + 1])) variable = true;
    }
    return variable ? Kind::variable : Kind::open;
}

std::string stars_over_lines(std::string_view text) {
    std::string out = "***";
    out.append(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), '\n');
    return out;
}

/// A value that was taken out: as it stands, and what of "NAME=value" or of a URL may stand elsewhere alone.
void note(Kind kind, std::string_view value, std::vector<std::string>& secrets) {
    const std::size_t least = kind == Kind::variable ? shortest_variable : Scrubber::shortest;
    if (value.size() >= least) secrets.emplace_back(value);
    if (const auto equals = value.find('=');
        equals != std::string_view::npos && value.size() - equals > shortest_variable)
        secrets.emplace_back(value.substr(equals + 1));
    without_secret_forms(value, &secrets);
}

class Redaction {
public:
    RedactedConfig accepted(std::string_view text) {
        Path table;
        Path comment_table;
        out_ += text.substr(0, mark_size(text));
        for (const auto& one : statements_of(text)) {
            const auto whole = text.substr(one.begin, one.end - one.begin);
            switch (one.kind) {
                case Statement::Kind::blank: out_ += whole; break;
                case Statement::Kind::comment: comment(whole, comment_table); break;
                case Statement::Kind::header:
                    table = comment_table = one.path;
                    hidden_table_ = whole.find('\\') != std::string_view::npos;
                    out_ += without_secret_forms(whole, &secrets_);
                    break;
                case Statement::Kind::key_value: key_value(text, one); break;
            }
        }
        return {std::move(out_), std::move(secrets_)};
    }

    RedactedConfig strict(std::string_view text) {
        bool in_string = false;
        while (!text.empty()) {
            const auto end = std::min(text.find('\n'), text.size());
            strict_line(text.substr(0, end), in_string);
            if (end == text.size()) break;
            out_ += '\n';
            text.remove_prefix(end + 1);
        }
        return {std::move(out_), std::move(secrets_)};
    }

private:
    void take(Kind kind, std::string_view value) { note(kind, value, secrets_); }

    void key_value(std::string_view text, const Statement& one) {
        out_ += text.substr(one.begin, one.value_begin - one.begin);
        const std::size_t before = secrets_.size();
        Path path = one.path;
        // An escape in a key may hide what it is.
        const auto key = text.substr(one.begin, one.value_begin - one.begin);
        if (hidden_table_ || key.find('\\') != std::string_view::npos) path.emplace_back(hidden);
        const bool any = value(text.substr(one.value_begin, one.value_end - one.value_begin), path);
        const auto rest = text.substr(one.value_end, one.end - one.value_end);
        const auto hash = rest.find('#');
        if (hash == std::string_view::npos) {
            out_ += rest;
        } else if (any || secrets_.size() > before) {
            out_ += std::string(rest.substr(0, hash)) + "# ***" + (rest.ends_with('\n') ? "\n" : "");
        } else {
            Path table = one.path;
            table.pop_back();
            comment(rest, table);
        }
    }

    /// A value with all that is nested in it; whether something was taken out.
    bool value(std::string_view text, const Path& path) {
        struct Level {
            Path path;      ///< of what the values here belong to
            bool is_table;  ///< keys stand here
        };
        std::vector<Level> levels{{path, false}};
        Path current = path;
        bool any = false;
        std::size_t at = 0;
        while (at < text.size()) {
            const char c = text[at];
            if (c == '[' || c == '{') {
                levels.push_back({current, c == '{'});
                out_ += text[at++];
            } else if (c == ']' || c == '}') {
                if (levels.size() > 1) levels.pop_back();
                current = levels.back().path;
                out_ += text[at++];
            } else if (c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n') {
                out_ += text[at++];
            } else if (c == '#') {
                const auto end = std::min(text.find('\n', at), text.size());
                out_ += "# ***";
                at = end;
            } else if (const auto equals = levels.back().is_table ? key_end(text, at) : std::string_view::npos;
                       equals != std::string_view::npos) {
                const auto key = text.substr(at, equals - at);
                current = levels.back().path;
                const auto parsed = statements_of(std::string(key) + "= 0");
                if (!parsed.empty())
                    current.insert(current.end(), parsed.front().path.begin(), parsed.front().path.end());
                if (key.find('\\') != std::string_view::npos) current.emplace_back(hidden);
                out_ += text.substr(at, equals + 1 - at);
                at = equals + 1;
            } else {
                any = scalar(text, at, current) || any;
                if (levels.back().is_table) current = levels.back().path;
            }
        }
        return any;
    }

    /// The equals sign behind the key at `at`; npos when none stands there.
    static std::size_t key_end(std::string_view text, std::size_t at) {
        char quote = '\0';
        for (; at < text.size() && text[at] != '\n'; ++at) {
            const char c = text[at];
            if (quote != '\0') {
                if (c == '\\' && quote == '"')
                    ++at;
                else if (c == quote)
                    quote = '\0';
            } else if (c == '"' || c == '\'') {
                quote = c;
            } else if (c == '=') {
                return at;
            } else if (c == ',' || c == '}' || c == ']' || c == '{' || c == '[') {
                break;
            }
        }
        return std::string_view::npos;
    }

    bool scalar(std::string_view text, std::size_t& at, const Path& path) {
        const Kind kind = kind_of(path);
        const char quote = text[at];
        if (quote != '"' && quote != '\'') {
            const auto end = std::min(text.find_first_of(",]}#\n", at), text.size());
            const auto bare = text.substr(at, end - at);
            at = end;
            if (kind == Kind::open) {
                out_ += bare;
                return false;
            }
            out_ += "***";
            return true;
        }
        const bool several = text.substr(at, 3) == std::string(3, quote);
        const std::string delimiter(several ? 3 : 1, quote);
        const std::size_t begin = at + delimiter.size();
        std::size_t end = begin;
        while (end < text.size() && text.substr(end, delimiter.size()) != delimiter)
            end += quote == '"' && text[end] == '\\' ? 2 : 1;
        end = std::min(end, text.size());
        while (several && end + 3 < text.size() && text[end + 3] == quote) ++end;
        const auto content = text.substr(begin, end - begin);
        const auto behind = std::min(end + delimiter.size(), text.size());
        at = behind;
        const bool is_uri = content.starts_with("file:") || content.starts_with("pkcs11:");
        if (kind == Kind::open || (is_uri && !path.empty() && folded(path.back()) == "uri")) {
            const std::string shown = without_secret_forms(content, &secrets_);
            out_ += delimiter + shown + std::string(text.substr(end, behind - end));
            return shown != content;
        }
        take(kind, content);
        out_ += delimiter + stars_over_lines(content) + std::string(text.substr(end, behind - end));
        return true;
    }

    /// A comment: as a line of the file that it may once have been.
    void comment(std::string_view whole, Path& table) {
        const auto hash = whole.find('#');
        const auto text = whole.find_first_not_of("# \t", hash);
        const std::string_view line = text == std::string_view::npos ? std::string_view{} : whole.substr(text);
        if (line.starts_with('[') && line.find('=') == std::string_view::npos) {
            const auto parsed = statements_of(line);
            if (!parsed.empty()) table = parsed.front().path;
        }
        const auto equals = line.find('=');
        if (equals != std::string_view::npos) {
            Path path = table;
            path.emplace_back(line.substr(0, equals));
            const bool in_environment = folded(line.substr(0, equals)).find("env") != std::string::npos;
            if (kind_of(path) != Kind::open || is_secret_name(folded(line)) || in_environment) {
                std::string_view value = line.substr(equals + 1);
                while (!value.empty() && std::string_view(" \t\r\n\"',}").find(value.back()) != std::string_view::npos)
                    value.remove_suffix(1);
                const auto first = value.find_first_not_of(" \t\"'");
                if (first != std::string_view::npos) take(Kind::variable, value.substr(first));
                out_ += whole.substr(0, text + equals + 1);
                out_ += whole.ends_with('\n') ? " ***\n" : " ***";
                return;
            }
        }
        out_ += without_secret_forms(whole, &secrets_);
    }

    /// Of a line that cannot be understood: all of it, and each string in it.
    void take_all(Kind kind, std::string_view value) {
        while (!value.empty() && std::string_view(" \t\r\"'").find(value.back()) != std::string_view::npos)
            value.remove_suffix(1);
        value.remove_prefix(std::min(value.find_first_not_of(" \t\"'"), value.size()));
        take(kind, value);
        while (!value.empty()) {
            const auto part = value.substr(0, value.find_first_of("\"'"));
            if (part.size() < value.size() && part.find_first_not_of(" \t,[]{}=") != std::string_view::npos)
                take(Kind::variable, part);
            value.remove_prefix(std::min(part.size() + 1, value.size()));
        }
    }

    void strict_line(std::string_view line, bool& in_string) {
        const auto count = [&](std::string_view mark) {
            std::size_t found = 0;
            for (auto at = line.find(mark); at != std::string_view::npos; at = line.find(mark, at + mark.size()))
                ++found;
            return found;
        };
        const bool was_in = in_string;
        if ((count("\"\"\"") + count("'''")) % 2 == 1) in_string = !in_string;
        const auto first = line.find_first_not_of(" \t");
        if (first == std::string_view::npos) {
            out_ += line;
            return;
        }
        const auto equals = line.find('=');
        if (!was_in && line[first] == '[' && equals == std::string_view::npos) {
            out_ += without_secret_forms(line, &secrets_);
            return;
        }
        const auto key_of = [&] {
            auto key = line.substr(first, equals - first);
            while (!key.empty() && (key.back() == ' ' || key.back() == '\t')) key.remove_suffix(1);
            return key;
        };
        if (was_in || equals == std::string_view::npos || line[first] == '#') {
            take_all(Kind::variable, line);
            out_ += line[first] == '#' ? "# ***" : "***";
            return;
        }
        if (is_among(open_keys, key_of()) && !is_secret_name(folded(line))) {
            out_ += without_secret_forms(line, &secrets_);
            return;
        }
        take_all(is_secret_name(key_of()) ? Kind::secret : Kind::variable, line.substr(equals + 1));
        out_ += std::string(line.substr(0, equals + 1)) + " ***";
    }

    std::string out_;
    std::vector<std::string> secrets_;
    bool hidden_table_ = false;
};

/// What the parser makes of the secret strings, escapes and all.
void collect(const toml::value& value, Path& path, std::vector<std::string>& secrets) {
    if (value.is_table()) {
        for (const auto& [key, child] : value.as_table()) {
            path.push_back(key);
            collect(child, path, secrets);
            path.pop_back();
        }
    } else if (value.is_array()) {
        for (const auto& child : value.as_array()) collect(child, path, secrets);
    } else if (value.is_string()) {
        const std::string text(value.as_string());
        const Kind kind = kind_of(path);
        const bool is_uri = text.starts_with("file:") || text.starts_with("pkcs11:");
        if (kind == Kind::open || is_uri)
            without_secret_forms(text, &secrets);
        else
            note(kind, text, secrets);
    }
}

}  // namespace

bool is_open_variable(std::string_view name) {
    return is_among(open_variables, folded(name));
}

bool is_secret_name(std::string_view name) {
    const std::string text = folded(name);
    return std::any_of(secret_words.begin(), secret_words.end(),
                       [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

RedactedConfig redact_config(std::string_view text) {
    const auto parsed = parse_document(text);
    const auto* root = std::get_if<toml::value>(&parsed);
    if (root == nullptr) return Redaction().strict(text);
    RedactedConfig config = Redaction().accepted(text);
    Path path;
    collect(*root, path, config.secrets);
    return config;
}

std::string redacted(std::string_view text) {
    return redact_config(text).text;
}

}  // namespace eflow
