#include "vm-agent/placement/journal.hpp"

#include <nlohmann/json.hpp>

#include "shared/failure.hpp"
#include "shared/json_text.hpp"

namespace eflow {

using nlohmann::json;

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
        return journal;
    } catch (const std::exception& error) {
        throw Failure(ExitCode::machine_lacks,
                      std::string("the journal of an interrupted run, ") + names::journal +
                          ", cannot be understood: " + error.what(),
                      std::string("Compare config.toml with ") + names::previous_config +
                          ", put right what is wrong, then: rm " + names::journal);
    }
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
