#include "shared/deployment.hpp"

#include <algorithm>
#include <charconv>

#include "shared/failure.hpp"
#include "shared/manifest.hpp"
#include "shared/toml_reader.hpp"
#include "shared/written_text.hpp"

namespace eflow {

namespace {

/// One table, read strictly: what nobody asked for is unknown.
class Table {
public:
    Table(const Toml& value, std::string name, std::vector<std::string> known, std::vector<std::string>& faults)
        : value_(value), name_(std::move(name)), faults_(faults) {
        if (value_.table() == nullptr) {
            faults_.push_back(name_ + " must be a table");
            return;
        }
        for (const auto& entry : value_.table()->entries) {
            if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
            const auto near = nearest(std::string_view(entry.key).substr(0, 64), known);
            faults_.push_back("line " + std::to_string(entry.line) + ": " + name_ + "." + entry.key + " is unknown" +
                              (near ? ", did you mean " + *near + "?" : ""));
        }
    }

    [[nodiscard]] const Toml* find(const char* key) const { return value_.find(key); }

    std::optional<int> number(const char* key) {
        const auto* value = find(key);
        if (value == nullptr) return std::nullopt;
        if (value->integer() != nullptr && *value->integer() > 0 && *value->integer() <= 1'000'000'000)
            return static_cast<int>(*value->integer());
        fault(key, *value, "must be a whole number above 0");
        return std::nullopt;
    }

    bool flag(const char* key) {
        const auto* value = find(key);
        if (value == nullptr) return false;
        if (value->boolean() != nullptr) return *value->boolean();
        fault(key, *value, "must be true or false");
        return false;
    }

    std::optional<std::string> text(const char* key) {
        const auto* value = find(key);
        if (value == nullptr) return std::nullopt;
        if (value->text() != nullptr && !value->text()->empty()) return *value->text();
        fault(key, *value, "must be a text that is not empty");
        return std::nullopt;
    }

    std::vector<std::string> texts(const char* key) {
        std::vector<std::string> out;
        const auto* value = find(key);
        if (value == nullptr) return out;
        if (const auto* array = value->array()) {
            for (const auto& entry : *array)
                if (entry.text() != nullptr) out.push_back(*entry.text());
            if (out.size() == array->size()) return out;
        }
        fault(key, *value, "must be an array of texts");
        return {};
    }

private:
    void fault(const char* key, const Toml& value, const char* what) {
        faults_.push_back("line " + std::to_string(value.line()) + ": " + name_ + "." + key + " " + what);
    }

    const Toml& value_;
    std::string name_;
    std::vector<std::string>& faults_;
};

bool is_ip4(std::string_view text) {
    int parts = 0;
    while (parts < 4) {
        const auto dot = text.find('.');
        const std::string_view digits = text.substr(0, dot);
        int number = -1;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (digits.empty() || digits.size() > 3 || error != std::errc{} || end != digits.data() + digits.size() ||
            number < 0 || number > 255)
            return false;
        ++parts;
        if (dot == std::string_view::npos) return parts == 4;
        text.remove_prefix(dot + 1);
    }
    return false;
}

[[noreturn]] void refuse(const std::vector<std::string>& faults) {
    std::string all;
    for (const auto& fault : faults) all += (all.empty() ? "" : "; ") + fault;
    throw Failure(ExitCode::refused, "the manifest cannot be used: " + all,
                  "Correct [host.deploy]; it knows cpu, memory_mb, disk_gb, accept_eula, accept_optional_telemetry and "
                  "network.");
}

}  // namespace

std::optional<Deployment> parse_deployment(std::string_view manifest) {
    auto read = read_toml(written_text(manifest).value_or(std::string(manifest)));
    if (const auto* fault = std::get_if<TomlFault>(&read))
        refuse({"line " + std::to_string(fault->line) + ": " + fault->what + ". " + fault->remedy});
    const Toml& root = std::get<TomlText>(read).root;
    if (root.find("host") == nullptr) return std::nullopt;
    std::vector<std::string> faults;
    const Table host(*root.find("host"), "host", {"deploy"}, faults);
    const auto* deploy = host.find("deploy");
    if (!faults.empty()) refuse(faults);
    if (deploy == nullptr) return std::nullopt;

    Table table(*deploy, "host.deploy",
                {"cpu", "memory_mb", "disk_gb", "accept_eula", "accept_optional_telemetry", "network"}, faults);
    Deployment deployment;
    deployment.cpu = table.number("cpu");
    deployment.memory_mb = table.number("memory_mb");
    deployment.disk_gb = table.number("disk_gb");
    deployment.accept_eula = table.flag("accept_eula");
    deployment.accept_optional_telemetry = table.flag("accept_optional_telemetry");
    if (const auto* value = table.find("network")) {
        Table network(*value, "host.deploy.network",
                      {"switch", "switch_type", "address", "prefix_length", "gateway", "dns_servers"}, faults);
        deployment.switch_name = network.text("switch");
        deployment.switch_type = network.text("switch_type");
        deployment.address = network.text("address");
        deployment.prefix_length = network.number("prefix_length");
        deployment.gateway = network.text("gateway");
        deployment.dns_servers = network.texts("dns_servers");
    }
    if (!faults.empty()) refuse(faults);
    return deployment;
}

std::vector<std::string> faults_of(const Deployment& deployment) {
    std::vector<std::string> faults;
    if (deployment.memory_mb && (*deployment.memory_mb < 1024 || *deployment.memory_mb % 2 != 0))
        faults.emplace_back("the memory must be an even number of MB, 1024 at least");
    if (deployment.disk_gb && (*deployment.disk_gb < 2 || *deployment.disk_gb > 2048))
        faults.emplace_back("the data disk must have 2 to 2048 GB");
    if (deployment.switch_type && *deployment.switch_type != "Internal" && *deployment.switch_type != "External")
        faults.emplace_back("the switch type must be Internal or External");
    if (deployment.switch_type && !deployment.switch_name)
        faults.emplace_back("a switch type without the name of a switch means nothing");
    const int parts = (deployment.address ? 1 : 0) + (deployment.prefix_length ? 1 : 0) + (deployment.gateway ? 1 : 0);
    if (parts != 0 && parts != 3)
        faults.emplace_back("a fixed address needs address, prefix_length and gateway together");
    if (deployment.prefix_length && *deployment.prefix_length > 32)
        faults.emplace_back("the prefix length must be 1 to 32");
    for (const auto* address : {&deployment.address, &deployment.gateway})
        if (*address && !is_ip4(**address)) faults.push_back("'" + **address + "' is not an IPv4 address");
    for (const auto& server : deployment.dns_servers)
        if (!is_ip4(server)) faults.push_back("the DNS server '" + server + "' is not an IPv4 address");
    return faults;
}

}  // namespace eflow
