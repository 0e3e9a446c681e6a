#include "vm-agent/placement/journal.hpp"

#include <sys/stat.h>
#include <fcntl.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include <nlohmann/json.hpp>

#include "shared/failure.hpp"
#include "shared/json_text.hpp"
#include "vm-agent/identity/digest.hpp"

namespace eflow {

using nlohmann::json;

namespace {

constexpr std::size_t largest_config = 1024 * 1024;

}  // namespace

std::string Journal::to_json() const {
    json object = {{"schema", 1}, {"removes_config", removes_config}, {"config_sha256", config_sha256}};
    for (const auto& directory : directories)
        object["directories"].push_back({{"path", directory.path},
                                         {"made", directory.made},
                                         {"uid", directory.uid},
                                         {"gid", directory.gid},
                                         {"mode", directory.mode}});
    for (const auto& file : material) object["material"].push_back({{"path", file.path}, {"replaces", file.replaces}});
    if (config) object["config"] = {{"path", config->path}, {"replaces", config->replaces}};
    object.update({{"verb", verb}, {"since", since}, {"pid", pid}, {"started", started}});
    if (!set_aside.empty()) object["set_aside"] = set_aside;
    if (!retired.empty()) object["retired"] = retired;
    return object.dump(1) + "\n";
}

Journal Journal::from_json(std::string_view text) {
    try {
        const json object = parse_json(text);
        Journal journal;
        if (object.at("schema").get<int>() != 1) throw Failure(ExitCode::machine_lacks, "its schema is not 1");
        journal.removes_config = object.at("removes_config").get<bool>();
        journal.config_sha256 = object.at("config_sha256").get<std::string>();
        for (const auto& one : object.value("directories", json::array()))
            journal.directories.push_back({one.at("path").get<std::string>(), one.at("made").get<bool>(),
                                           one.at("uid").get<unsigned>(), one.at("gid").get<unsigned>(),
                                           one.at("mode").get<unsigned>()});
        for (const auto& one : object.value("material", json::array()))
            journal.material.push_back({one.at("path").get<std::string>(), one.at("replaces").get<bool>()});
        if (object.contains("config"))
            journal.config = JournalFile{object.at("config").at("path").get<std::string>(),
                                         object.at("config").at("replaces").get<bool>()};
        journal.verb = object.value("verb", "");
        journal.since = object.value("since", "");
        journal.pid = object.value("pid", 0);
        journal.started = object.value("started", "");
        journal.set_aside = object.value("set_aside", std::vector<std::string>());
        journal.retired = object.value("retired", std::vector<std::string>());
        return journal;
    } catch (const std::exception& error) {
        throw Failure(ExitCode::machine_lacks,
                      std::string("the journal of an interrupted run, ") + names::journal +
                          ", cannot be understood: " + error.what(),
                      std::string("Compare config.toml with ") + names::previous_config +
                          ", put right what is wrong, then: rm " + names::journal);
    }
}

std::string start_of_process(int pid) {
    if (pid <= 0) return {};
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    // The name in brackets may hold anything; starttime is the 20th field after it (proc(5)).
    const auto bracket = text.rfind(')');
    if (bracket == std::string::npos) return {};
    std::istringstream fields(text.substr(bracket + 1));
    std::string field;
    for (int i = 0; i < 20; ++i)
        if (!(fields >> field)) return {};
    return field;
}

namespace {

std::string backup_path(const std::string& path) {
    return (folder_of(path) == "/" ? "" : folder_of(path)) + "/" + backup_name(name_of(path));
}

}  // namespace

bool is_committed(const Tree& tree, const Journal& journal) {
    if (!journal.config) return false;
    const std::string& path = journal.config->path;
    const auto now = tree.status(path);
    // Until the rename the backup is the file itself.
    const auto backup = tree.status(backup_path(path));
    if (now && backup && now->st_ino == backup->st_ino && now->st_dev == backup->st_dev) return false;
    const auto config = tree.read(path, largest_config);
    if (journal.removes_config) return !config;
    return config && sha256_hex(config->reveal()) == journal.config_sha256;
}

bool is_removal(const Journal& journal) {
    return journal.removes_config || !journal.retired.empty();
}

bool is_settled(const Tree& tree, const Journal& journal) {
    if (!journal.config || !journal.config->replaces || !is_committed(tree, journal)) return false;
    return !tree.status(backup_path(journal.config->path));
}

std::optional<Unfinished> unfinished_change(const Tree& tree) {
    const auto text = tree.read(names::journal, largest_config);
    if (!text) return std::nullopt;
    const Journal journal = Journal::from_json(text->reveal());
    Unfinished one{.verb = journal.verb.empty() ? "change" : journal.verb, .since = journal.since, .pid = journal.pid};
    one.runs = !journal.started.empty() && start_of_process(journal.pid) == journal.started;
    try {
        one.committed = is_committed(tree, journal);
        one.settled = !is_removal(journal) && is_settled(tree, journal);
    } catch (const Failure&) {
        one.committed = true;  // another file than the old one stands, which this caller may not read
    }
    return one;
}

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 ? "/" : path.substr(0, slash);
}
std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}
std::string backup_name(const std::string& name) {
    return names::temporary + name + ".old";
}
std::string filling_name(const std::string& name) {
    return names::temporary + name + ".tmp";
}

}  // namespace eflow
