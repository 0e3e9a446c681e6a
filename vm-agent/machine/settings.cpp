#include "vm-agent/machine/settings.hpp"

#include <array>
#include <optional>

#include <unistd.h>

#include "shared/failure.hpp"

namespace eflow {

namespace {

constexpr std::size_t largest = 256 * 1024;
constexpr auto rendered_identityd = "/etc/aziot/identityd/config.d/00-super.toml";
constexpr auto eflow_folder = "/var/.eflow";

std::optional<std::string> text_of(const Tree& tree, const std::string& path) {
    try {
        if (const auto bytes = tree.read(path, largest)) return std::string(bytes->reveal());
    } catch (const Failure&) {
        // A link, a device, not for this user's eyes: as if it were not there.
    }
    return std::nullopt;
}

std::vector<std::string> names_in(const Tree& tree, const std::string& folder) {
    try {
        return tree.names(folder);
    } catch (const Failure&) {
        return {};
    }
}

std::string machine_name() {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\r");
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool leaves_quote_open(std::string_view value) {
    char quote = '\0';
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        if (c == '\\') {
            ++i;
        } else if (quote != '\0') {
            if (c == quote) quote = '\0';
        } else if (c == '"' || c == '\'') {
            quote = c;
        }
    }
    return quote != '\0';
}

}  // namespace

HostnamesSeen see_hostnames(const Tree& tree, const Material& config) {
    HostnamesSeen names;
    if (tree.live()) names.machine = machine_name();
    names.configured = config.hostname;
    if (const auto rendered = text_of(tree, rendered_identityd)) names.rendered = read_material(*rendered).hostname;
    return names;
}

std::vector<std::size_t> lines_with_open_quote(std::string_view unit_file) {
    std::vector<std::size_t> open;
    std::string logical;
    std::size_t number = 0;
    std::size_t first = 0;
    while (!unit_file.empty()) {
        ++number;
        const auto end = unit_file.find('\n');
        std::string_view line = unit_file.substr(0, end);
        unit_file.remove_prefix(end == std::string_view::npos ? unit_file.size() : end + 1);
        line = trimmed(line);
        // A comment between continued lines is left out.
        if (line.starts_with('#') || line.starts_with(';')) continue;
        if (logical.empty()) first = number;
        const bool goes_on = line.ends_with('\\');
        if (goes_on) line.remove_suffix(1);
        logical += line;
        if (goes_on) {
            logical += ' ';
            continue;
        }
        const auto equals = logical.find('=');
        if (equals != std::string::npos && trimmed(std::string_view(logical).substr(0, equals)) == "Environment" &&
            leaves_quote_open(trimmed(std::string_view(logical).substr(equals + 1))))
            open.push_back(first);
        logical.clear();
    }
    return open;
}

std::vector<DroppedLine> see_dropped_lines(const Tree& tree) {
    std::vector<DroppedLine> dropped;
    for (const char* base : {"/etc/systemd/system/", "/run/systemd/system/"})
        for (const char* unit : {"aziot-edged.service", "aziot-identityd.service", docker_service}) {
            const std::string folder = std::string(base) + unit + ".d";
            for (const auto& name : names_in(tree, folder)) {
                if (!name.ends_with(".conf")) continue;
                const std::string path = folder + "/" + name;
                if (const auto text = text_of(tree, path))
                    for (const auto line : lines_with_open_quote(*text)) dropped.push_back({path, line});
            }
        }
    return dropped;
}

bool is_eflow_vm(const Tree& tree, std::string_view machine) {
    try {
        if (tree.status(eflow_folder)) return true;
    } catch (const Failure&) {
        // What cannot be looked at says nothing.
    }
    std::string release;
    for (const char* path : {"/etc/os-release", "/usr/lib/os-release"})
        if (const auto text = text_of(tree, path)) release += *text;
    for (char& c : release)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (release.find("eflow") != std::string::npos) return true;
    const bool azure_linux = release.find("id=mariner") != std::string::npos || release.find("id=azurelinux") != std::string::npos ||
                             release.find("id=\"mariner\"") != std::string::npos;
    return azure_linux && machine.ends_with("-EFLOW");
}

}  // namespace eflow
