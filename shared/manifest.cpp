#include "shared/manifest.hpp"

#include <array>
#include <utility>
#include <vector>

#include "shared/failure.hpp"
#include "shared/toml_reader.hpp"
#include "shared/written_text.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest = 1024 * 1024;
constexpr std::size_t longest_name = 128;  // of a key whose edit distance is asked for

[[noreturn]] void refuse(const std::string& faults) {
    throw Failure(ExitCode::refused, "the manifest cannot be used: " + faults,
                  "Correct it; schema = 1 knows the tables [provisioning], [identity], [edge] and [host].");
}

/// Reads one table strictly: what was not asked for by the end is unknown.
class Section {
public:
    Section(const Toml& holder, std::string name, std::vector<std::string> known, std::vector<std::string>& faults)
        : name_(std::move(name)), known_(std::move(known)), faults_(faults) {
        const Toml* found = name_.empty() ? &holder : holder.find(std::string_view(name_).substr(name_.rfind('.') + 1));
        if (found == nullptr) return;
        table_ = found;
        if (table_->table() == nullptr) {
            faults_.push_back(name_ + " must be a table");
            table_ = nullptr;
            return;
        }
        for (const auto& entry : table_->table()->entries) {
            if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
            const auto near = nearest(std::string_view(entry.key).substr(0, longest_name), known_);
            faults_.push_back("line " + std::to_string(entry.line) + ": " + full(entry.key) + " is unknown" +
                              (near ? ", did you mean " + *near + "?" : ""));
        }
    }

    [[nodiscard]] bool present() const { return table_ != nullptr; }
    [[nodiscard]] const Toml& value() const { return *table_; }

    std::optional<std::string> text(const char* key) {
        const Toml* value = table_ == nullptr ? nullptr : table_->find(key);
        if (value == nullptr) return std::nullopt;
        if (value->text() != nullptr && !value->text()->empty() && value->text()->find('\0') == std::string::npos)
            return *value->text();
        faults_.push_back("line " + std::to_string(value->line()) + ": " + full(key) +
                          " must be a text that is not empty");
        return std::nullopt;
    }

    std::string required(const char* key) {
        if (table_ == nullptr || table_->find(key) == nullptr) faults_.push_back(full(key) + " is missing");
        return text(key).value_or("");
    }

private:
    [[nodiscard]] std::string full(const std::string& key) const { return name_.empty() ? key : name_ + "." + key; }

    std::string name_;
    std::vector<std::string> known_;
    std::vector<std::string>& faults_;
    const Toml* table_ = nullptr;
};

bool is_windows_absolute(std::string_view path) {
    const bool drive = path.size() > 2 && ((path[0] | 32) >= 'a' && (path[0] | 32) <= 'z') && path[1] == ':' &&
                       (path[2] == '\\' || path[2] == '/');
    return drive || path.starts_with("\\\\");
}

std::string completed(const std::string& path, const std::filesystem::path& folder) {
    if (path.empty() || folder.empty() || path.front() == '/' || is_windows_absolute(path)) return path;
    return (folder / path).lexically_normal().string();
}

std::optional<std::string> completed(const std::optional<std::string>& path, const std::filesystem::path& folder) {
    if (!path) return std::nullopt;
    return completed(*path, folder);
}

Toml parsed(std::string_view bytes) {
    if (bytes.size() > largest) refuse("it has more than 1 MiB");
    const auto text = written_text(bytes);
    if (!text) refuse(text_fault(bytes));
    auto read = read_toml(*text);
    if (const auto* fault = std::get_if<TomlFault>(&read))
        refuse("line " + std::to_string(fault->line) + ": " + fault->what + ". " + fault->remedy);
    return std::move(std::get<TomlText>(read).root);
}

}  // namespace

Manifest parse_manifest(std::string_view text, const std::filesystem::path& folder) {
    const Toml root = parsed(text);
    std::vector<std::string> faults;
    const Section top(root, "", {"schema", "provisioning", "identity", "edge", "host"}, faults);
    const Toml* schema = root.find("schema");
    if (schema == nullptr)
        faults.emplace_back("schema is missing (schema = 1)");
    else if (schema->integer() == nullptr || *schema->integer() != 1)
        faults.emplace_back("schema must be 1");

    Manifest manifest;
    Section provisioning(root, "provisioning",
                         {"scope_id", "registration_id", "global_endpoint", "enrollment", "payload"}, faults);
    if (!provisioning.present()) faults.emplace_back("[provisioning] is missing");
    manifest.scope_id = provisioning.required("scope_id");
    manifest.registration_id = provisioning.required("registration_id");
    manifest.global_endpoint = provisioning.text("global_endpoint");
    manifest.payload = completed(provisioning.text("payload"), folder);
    if (const auto word = provisioning.text("enrollment")) {
        if (*word == "group" || *word == "individual")
            manifest.enrollment = *word == "group" ? Enrollment::group : Enrollment::individual;
        else
            faults.push_back("provisioning.enrollment must be \"group\" or \"individual\"");
    }
    Section identity(root, "identity", {"certificate", "private_key"}, faults);
    manifest.certificate = completed(identity.required("certificate"), folder);
    manifest.private_key = completed(identity.required("private_key"), folder);

    Section edge(root, "edge", {"hostname", "trust_bundle", "edge_ca", "agent_image", "proxy"}, faults);
    manifest.hostname = edge.text("hostname");
    manifest.trust_bundle = completed(edge.text("trust_bundle"), folder);
    manifest.agent_image = edge.text("agent_image");
    manifest.proxy = edge.text("proxy");
    if (edge.present()) {
        Section edge_ca(edge.value(), "edge.edge_ca", {"certificate", "private_key"}, faults);
        if (edge_ca.present()) {
            Manifest::EdgeCa pair;
            pair.certificate = completed(edge_ca.required("certificate"), folder);
            pair.private_key = completed(edge_ca.required("private_key"), folder);
            manifest.edge_ca = std::move(pair);
        }
    }
    if (const Toml* host = root.find("host"); host != nullptr && host->table() == nullptr)
        faults.emplace_back("host must be a table");

    if (!faults.empty()) {
        std::string all;
        for (const auto& fault : faults) all += (all.empty() ? "" : "; ") + fault;
        refuse(all);
    }
    return manifest;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
        std::swap(before_last, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

}  // namespace eflow
