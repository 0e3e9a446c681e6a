#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "shared/failure.hpp"
#include "shared/json_text.hpp"
#include "vm-agent/cli/certificate_json.hpp"
#include "vm-agent/cli/style.hpp"
#include "vm-agent/cli/support_redact.hpp"
#include "vm-agent/cli/support_sources.hpp"
#include "vm-agent/config/certificate_uris.hpp"
#include "vm-agent/config/file_uri.hpp"
#include "vm-agent/config/judge.hpp"
#include "vm-agent/config/redact.hpp"
#include "vm-agent/health/summary.hpp"
#include "vm-agent/identity/chain.hpp"
#include "vm-agent/identity/pem.hpp"
#include "vm-agent/machine/host.hpp"
#include "vm-agent/machine/listing.hpp"
#include "vm-agent/machine/observe.hpp"
#include "vm-agent/machine/places.hpp"
#include "vm-agent/machine/users.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

namespace {

using nlohmann::json;

constexpr std::size_t largest_file = 4 * 1024 * 1024;

/// The text of a file, or nothing with the reason among what is missing.
std::optional<std::string> text_of(const Tree& tree, const std::string& path, Gathered& bundle, bool wanted = true) {
    try {
        if (const auto bytes = tree.read(path, largest_file)) return std::string(bytes->reveal());
        if (wanted) bundle.miss(path, "it does not exist");
    } catch (const Failure& failure) {
        bundle.miss(path, failure.what());
    }
    return std::nullopt;
}

/// "/etc/aziot/keyd/config.d/00-super.toml" as "config/keyd-00-super.toml"
std::string name_of_rendered(const std::string& path) {
    constexpr std::string_view folder = "/etc/aziot/";
    const auto rest = path.substr(folder.size());
    return "config/" + rest.substr(0, rest.find('/')) + "-00-super.toml";
}

std::string pretty(const json& document) {
    return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string type_and_mode(unsigned mode) {
    std::string text = "?---------";
    text[0] = S_ISDIR(mode)    ? 'd'
              : S_ISREG(mode)  ? '-'
              : S_ISLNK(mode)  ? 'l'
              : S_ISSOCK(mode) ? 's'
              : S_ISFIFO(mode) ? 'p'
              : S_ISBLK(mode)  ? 'b'
              : S_ISCHR(mode)  ? 'c'
                               : '?';
    constexpr std::string_view letters = "rwxrwxrwx";
    for (std::size_t i = 0; i < letters.size(); ++i)
        if ((mode >> (8 - i) & 1U) != 0) text[i + 1] = letters[i];
    if ((mode & S_ISUID) != 0) text[3] = text[3] == 'x' ? 's' : 'S';
    if ((mode & S_ISGID) != 0) text[6] = text[6] == 'x' ? 's' : 'S';
    if ((mode & S_ISVTX) != 0) text[9] = text[9] == 'x' ? 't' : 'T';
    return text;
}

/// A value of os-release, without its quotation marks.
std::string release_value(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (!line.starts_with(key) || line.substr(key.size(), 1) != "=") continue;
        auto value = line.substr(key.size() + 1);
        if (value.size() >= 2 && (value.front() == '"' || value.front() == '\''))
            value = value.substr(1, value.size() - 2);
        return std::string(value);
    }
    return {};
}

std::string duration_text(std::chrono::seconds time) {
    const auto days = std::chrono::duration_cast<std::chrono::days>(time);
    const std::chrono::hh_mm_ss rest(time - days);
    std::string text = days.count() > 0 ? std::to_string(days.count()) + " d " : "";
    return text + std::to_string(rest.hours().count()) + " h " + std::to_string(rest.minutes().count()) + " min";
}

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string(bytes / (1024 * 1024)) + " MiB";
}

}  // namespace

void Gathered::add(std::string name, std::string text, bool is_log) {
    texts.push_back({std::move(name), std::move(text), is_log});
}

void Gathered::miss(std::string what, std::string why) {
    // One line each.
    while (!why.empty() && why.back() == '\n') why.pop_back();
    std::replace(why.begin(), why.end(), '\n', ' ');
    missing.emplace_back(std::move(what), std::move(why));
}

void spare_names(const Observations& seen, Gathered& bundle) {
    const auto spare = [&](const std::optional<std::string>& text) { bundle.scrubber.spare(text.value_or("")); };
    if (seen.config.value) {
        if (const auto provisioning = read_provisioning(seen.config.value->text))
            for (const auto* text : {&provisioning->id_scope, &provisioning->global_endpoint,
                                     &provisioning->registration_id, &provisioning->identity_cert})
                spare(*text);
    }
    if (seen.device_info.value && *seen.device_info.value) {
        spare((*seen.device_info.value)->hub_name);
        spare((*seen.device_info.value)->device_id);
    }
    spare(observe_host().name);
    if (seen.containers.value)
        for (const auto& one : *seen.containers.value) {
            spare(one.name);
            spare(one.image);
        }
}

void gather_files(const Tree& tree, Gathered& bundle) {
    const auto add_toml = [&](const std::string& path, const std::string& name, bool wanted) {
        const auto text = text_of(tree, path, bundle, wanted);
        if (!text) return;
        RedactedConfig config = redact_config(*text);
        for (const auto& secret : config.secrets) bundle.scrubber.know(secret);
        bundle.add(name, std::move(config.text));
    };
    add_toml(places::config, "config/config.toml", true);
    for (const std::string path : rendered_files) add_toml(path, name_of_rendered(path), true);
    add_toml("/etc/eflow-agent/device.toml", "config/device.toml", false);
    add_toml(places::watch_settings, "config/watch.toml", false);
    add_toml("/var/lib/aziot/identityd/device_info", "config/device_info.toml", true);
    if (const auto text = text_of(tree, "/etc/docker/daemon.json", bundle)) {
        const json document = parse_json(*text);
        std::vector<std::string> found;
        without_secret_forms(*text, &found);
        for (const auto& secret : found) bundle.scrubber.know(secret);
        bundle.add("config/daemon.json", document.is_discarded() ? *text : pretty(scrubbed(document, bundle.scrubber)));
    }
}

void gather_certificates(const Tree& tree, const Observations& seen, Gathered& bundle) {
    constexpr std::size_t most = 100;
    std::vector<std::string> paths;
    const auto add = [&](const std::string& path) {
        if (!path.empty() && std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
    };
    add(seen.certificate_path);
    if (seen.config.value)
        for (const auto& uri : certificate_uris(seen.config.value->text)) add(path_of_file_uri(uri).value_or(""));
    for (const std::string folder : {"/var/aziot/certs", "/var/lib/aziot/certd/certs"}) try {
            for (const auto& name : tree.names(folder))
                if (name.ends_with(".pem") || name.ends_with(".cer") || name.ends_with(".crt"))
                    add(folder + "/" + name);
        } catch (const Failure& failure) {
            bundle.miss(folder, failure.what());
        }
    if (paths.size() > most) {
        bundle.miss("certificates", std::to_string(paths.size() - most) + " files more than are looked into");
        paths.resize(most);
    }
    json files = json::array();
    for (const auto& path : paths) {
        json file = {{"path", path}};
        std::string why;
        try {
            const auto bytes = tree.read(path, InputLimits::file_bytes);
            auto judged =
                bytes ? read_certificates(bytes->reveal(), path)
                      : Judged<std::vector<Certificate>>(failed("identity.cert-readable", "it does not exist", "", ""));
            if (auto* all = std::get_if<std::vector<Certificate>>(&judged)) {
                for (const auto& one : *all) file["certificates"].push_back(to_json(facts(one, seen.now)));
                if (path == seen.certificate_path)
                    for (const auto& one :
                         build_chain(all->front(), {.others = *all, .trusted = {}, .now = seen.now}).path)
                        bundle.page.chain.push_back(facts(one, seen.now));
            } else {
                const auto& finding = std::get<Finding>(judged);
                why = finding.summary + (finding.detail.empty() ? "" : ": " + finding.detail);
            }
        } catch (const Failure& failure) {
            why = failure.what();
        }
        if (!why.empty()) {
            file["why_not"] = why;
            bundle.miss(path, why);
        }
        if (path == seen.certificate_path) bundle.page.no_chain = why;
        files.push_back(std::move(file));
    }
    if (seen.certificate_path.empty())
        bundle.page.no_chain = seen.certificate.why.empty() ? "No certificate is known." : seen.certificate.why;
    bundle.page.certificate_path = seen.certificate_path;
    bundle.add("identity/certificates.json", pretty(files));
}

void gather_listing(const Tree& tree, Gathered& bundle) {
    constexpr std::size_t most = 4000;
    UserTable users;
    try {
        users = read_users(tree);
    } catch (const Failure& failure) {
        bundle.miss("names of users", failure.what());
    }
    std::string text;
    std::vector<std::string> missing;
    for (const char* folder : {"/etc/aziot", "/var/aziot", "/var/lib/aziot", "/var/lib/eflow-agent"}) {
        for (const auto& file : list_files(tree, folder, most, missing)) {
            std::array<char, 160> row{};
            const auto time = to_text(std::chrono::sys_seconds(std::chrono::seconds(file.status.st_mtim.tv_sec)));
            std::snprintf(row.data(), row.size(), "%s %-9.40s %-9.40s %10lld %s ",
                          type_and_mode(file.status.st_mode).c_str(), users.user_name(file.status.st_uid).c_str(),
                          users.group_name(file.status.st_gid).c_str(), static_cast<long long>(file.status.st_size),
                          time.c_str());
            std::string path = plain(file.path);
            std::replace(path.begin(), path.end(), '\n', '?');
            text += row.data() + path + "\n";
        }
        text += "\n";
    }
    for (const auto& one : missing) bundle.miss("file listing", one);
    bundle.add("files.txt", std::move(text));
}

void gather_history(const Tree& tree, Gathered& bundle) {
    if (const auto text = text_of(tree, places::status_file, bundle)) {
        const json document = parse_json(*text);
        if (document.is_discarded())
            bundle.miss(places::status_file, "it is no JSON");
        else
            bundle.add("watcher/status.json", pretty(scrubbed(document, bundle.scrubber)));
    }
    if (const auto text = text_of(tree, places::memory_file, bundle)) {
        const json document = parse_json(*text);
        if (document.is_discarded())
            bundle.miss(places::memory_file, "it is no JSON");
        else
            bundle.add("watcher/memory.json", pretty(scrubbed(document, bundle.scrubber)));
    }
    std::string lines;
    const std::string folder = places::watch_folder;
    for (const auto& path : {folder + "/history.1.jsonl", folder + "/history.jsonl"}) {
        const auto text = text_of(tree, path, bundle, path.ends_with("/history.jsonl"));
        if (!text) continue;
        std::string_view rest = *text;
        while (!rest.empty()) {
            const auto line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(line.size() + 1, rest.size()));
            auto entry = HistoryEntry::from_json(line);
            if (!entry) continue;
            for (std::string* part : {&entry->what, &entry->from, &entry->to, &entry->text})
                *part = bundle.scrubber.clean(*part);
            lines += entry->to_json() + "\n";
            bundle.page.history.push_back(std::move(*entry));
        }
    }
    if (!lines.empty()) bundle.add("watcher/history.jsonl", std::move(lines), true);
}

void gather_host(const Tree& tree, const Observations& seen, Gathered& bundle) {
    auto& told = bundle.page.facts;
    std::optional<std::string> release = text_of(tree, "/usr/lib/os-release", bundle, false);
    if (!release) release = text_of(tree, "/etc/os-release", bundle);
    if (release) told.emplace_back("Operating system", release_value(*release, "PRETTY_NAME"));
    std::vector<DiskSeen> disks = seen.disks;
    if (tree.live()) {
        const HostSeen host = observe_host();
        std::array<char, 32> load{};
        std::snprintf(load.data(), load.size(), "%.2f", host.load);
        told.emplace_back("Kernel", host.kernel);
        told.emplace_back("Machine", host.machine + ", " + std::to_string(host.processors) + " processors");
        told.emplace_back("Up for", duration_text(host.up));
        told.emplace_back("Load of the last minute", load.data());
        told.emplace_back("Memory", mebibytes(host.memory) + ", " + mebibytes(host.memory_free) + " unused");
        told.emplace_back("Clock", !seen.clock.value                ? seen.clock.why
                                   : seen.clock.value->synchronised ? "synchronised"
                                                                    : "not synchronised");
        std::vector<std::string> places = disks_watched();
        places.insert(places.begin(), {"/", "/etc", "/home", "/tmp"});
        disks = observe_disks(places);
    } else {
        bundle.miss("kernel, uptime, memory, disks", "below --root the running machine is not looked at");
    }
    bundle.page.disks = disks;
    std::string text = "time                       " + to_text(seen.now) + "\n";
    for (const auto& [name, value] : told)
        text += name + std::string(27 - std::min<std::size_t>(26, name.size()), ' ') + value + "\n";
    for (const auto& disk : disks)
        text += "disk " + disk.path + ": " + mebibytes(disk.free) + " free of " + mebibytes(disk.total) + "\n";
    if (release) text += "\n" + *release;
    bundle.add("host.txt", std::move(text));
}

}  // namespace eflow
