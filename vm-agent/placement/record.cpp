#include "vm-agent/placement/record.hpp"

#include <cerrno>

#include <nlohmann/json.hpp>

#include "vm-agent/placement/atomic_file.hpp"
#include "vm-agent/placement/errors.hpp"
#include "vm-agent/placement/journal.hpp"
#include "vm-agent/placement/plan.hpp"

namespace eflow {

using nlohmann::json;

namespace {

constexpr std::size_t largest_record = 64 * 1024;

}  // namespace

std::string ChangeRecord::to_json() const {
    json object = {{"schema", 1}};
    if (last)
        object["last"] = {{"verb", last->verb},
                          {"at", last->at},
                          {"config_sha256", last->config_sha256},
                          {"replaced_config", last->replaced_config}};
    if (registered)
        object["registered"] = {{"id_scope", registered->id_scope},
                                {"global_endpoint", registered->global_endpoint},
                                {"registration_id", registered->registration_id},
                                {"hub_name", registered->hub_name},
                                {"device_id", registered->device_id}};
    for (const auto& one : added) object["added"].push_back({{"path", one.path}, {"text", one.text}});
    return object.dump(1) + "\n";
}

ChangeRecord ChangeRecord::from_json(std::string_view text) {
    ChangeRecord record;
    const json object = json::parse(text, nullptr, false);
    if (!object.is_object()) return record;
    try {
        if (object.contains("last")) {
            const json& last = object.at("last");
            record.last = LastChange{last.at("verb").get<std::string>(), last.at("at").get<std::string>(),
                                     last.at("config_sha256").get<std::string>(),
                                     last.at("replaced_config").get<bool>()};
        }
        if (object.contains("registered")) {
            const json& by = object.at("registered");
            record.registered =
                RegisteredBy{by.at("id_scope").get<std::string>(), by.at("global_endpoint").get<std::string>(),
                             by.at("registration_id").get<std::string>(), by.at("hub_name").get<std::string>(),
                             by.at("device_id").get<std::string>()};
        }
        for (const auto& one : object.value("added", json::array()))
            record.added.push_back({one.at("path").get<std::vector<std::string>>(), one.at("text").get<std::string>()});
        return record;
    } catch (const json::exception&) {
        return {};
    }
}

ChangeRecord read_record(const Tree& tree) {
    const auto text = tree.read(names::record, largest_record);
    return text ? ChangeRecord::from_json(text->reveal()) : ChangeRecord{};
}

void write_record(const Tree& tree, const UserTable& users, const ChangeRecord& record) {
    const auto folder = tree.directory(places::state);
    if (!folder) throw system_failure("cannot enter", places::state, ENOENT);
    const std::string name = name_of(names::record);
    fill(*folder, name, record.to_json(), {users.user("root").uid, users.group("root"), 0600}, names::record);
    rename_filled(*folder, name, names::record);
    sync_folder(*folder, names::record);
}

}  // namespace eflow
