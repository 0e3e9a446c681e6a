#include "vm-agent/config/known_keys.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "shared/manifest.hpp"
#include "vm-agent/config/misnomers.hpp"
#include "vm-agent/config/upstream_types.hpp"

namespace eflow {

namespace {

constexpr auto id = "config.known-keys";
constexpr std::size_t most_findings = 50;  // a hostile file may have any number of unknown keys
constexpr std::size_t longest_name = 64;   // whose edit distance is asked for

/// A key that may stand in a table: with the variants flattened into it, one name may have several types.
struct Field {
    std::string_view name;
    std::vector<const UpstreamType*> types;
    bool used = true;  ///< false: of another source or method than the one that is chosen
};

class Fields {
public:
    Fields(const TomlTable& table, const UpstreamType& type) : table_(table) { add_type(type, true); }
    [[nodiscard]] const Field* find(std::string_view name) const {
        const auto found = std::find_if(all_.begin(), all_.end(), [&](const Field& one) { return one.name == name; });
        return found == all_.end() ? nullptr : &*found;
    }
    [[nodiscard]] bool open() const { return open_; }
    [[nodiscard]] const std::vector<Field>& all() const { return all_; }

private:
    void add_type(const UpstreamType& type, bool used) {
        if (type.form == Form::tagged) {
            add(type.tag, upstream_type("text"), used);
            const TomlEntry* tag = table_.find(type.tag);
            for (std::string_view types = type.list; !types.empty();) {
                std::string_view one = next_word(types);
                const auto word = next_word(one, ':');
                const bool chosen = tag == nullptr || tag->value.text() == nullptr || *tag->value.text() == word;
                add_type(upstream_type(one), used && chosen);
            }
        } else if (type.form == Form::untagged) {
            for (std::string_view types = type.list; !types.empty();) add_type(upstream_type(next_word(types)), used);
        } else {
            for (const auto& key : keys_of(type.name)) add_key(key, used);
        }
    }
    void add_key(const UpstreamKey& key, bool used) {
        if (key.names == "*")
            open_ = true;
        else if (key.names.empty())
            add_type(upstream_type(key.type), used);
        else
            for (std::string_view names = key.names; !names.empty();)
                add(next_word(names, '|'), upstream_type(key.type), used);
    }
    void add(std::string_view name, const UpstreamType& type, bool used) {
        const auto found = std::find_if(all_.begin(), all_.end(), [&](const Field& one) { return one.name == name; });
        Field& field = found == all_.end() ? all_.emplace_back(Field{name, {}, used}) : *found;
        field.types.push_back(&type);
        field.used = field.used || used;
    }

    const TomlTable& table_;
    std::vector<Field> all_;
    bool open_ = false;
};

/// Where each key belongs: the path of the first table that upstream's types have it in.
const std::map<std::string_view, std::string>& homes() {
    static const auto all = [] {
        std::map<std::string_view, std::string> found;
        std::set<std::string_view> seen;
        std::vector<std::pair<const UpstreamType*, std::string>> open{{&upstream_type("config"), ""}};
        const auto reach = [&](const UpstreamType& type, const std::string& path) {
            if (seen.insert(type.name).second) open.emplace_back(&type, path);
        };
        for (std::size_t i = 0; i < open.size(); ++i) {
            const UpstreamType& type = *open[i].first;
            const std::string path = open[i].second;
            for (std::string_view types = type.list; !types.empty() && type.form != Form::word;) {
                std::string_view one = next_word(types);
                if (type.form == Form::tagged) next_word(one, ':');
                if (type.form == Form::tagged || type.form == Form::untagged) reach(upstream_type(one), path);
            }
            for (const auto& key : keys_of(type.name)) {
                const UpstreamType& inner = upstream_type(key.type);
                if (key.names == "*") continue;
                if (key.names.empty()) {
                    reach(inner, path);
                    continue;
                }
                const std::string name(key.names.substr(0, key.names.find('|')));
                for (std::string_view names = key.names; !names.empty();) found.emplace(next_word(names, '|'), path);
                reach(inner, path.empty() ? name : path + "." + name);
            }
        }
        return found;
    }();
    return all;
}

class Walk {
public:
    Findings take() {
        std::stable_sort(unknown_.begin(), unknown_.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        Findings findings;
        for (auto& [line, finding] : unknown_) findings.push_back(std::move(finding));
        if (more_ > 0)
            findings.push_back(warning(id, "More keys are unknown to IoT Edge", std::to_string(more_) + " more", ""));
        if (findings.empty()) findings.push_back(ok(id, "Every key is known to IoT Edge"));
        return findings;
    }

    void value(const Toml& value, const UpstreamType& type, const std::string& path) {
        if (type.form == Form::map_of) {
            if (value.table() != nullptr) map(*value.table(), upstream_type(type.list), path);
        } else if (type.form == Form::list_of) {
            if (value.array() != nullptr)
                for (const auto& one : *value.array()) this->value(one, upstream_type(type.list), path);
        } else if (value.table() != nullptr &&
                   (type.form == Form::record || type.form == Form::tagged || type.form == Form::untagged)) {
            table(*value.table(), type, path);
        }
    }

private:
    void table(const TomlTable& table, const UpstreamType& type, const std::string& path) {
        const Fields fields(table, type);
        for (const auto& entry : table.entries) {
            const Field* field = fields.find(entry.key);
            const std::string below = path.empty() ? entry.key : path + "." + entry.key;
            if (field == nullptr) {
                if (!fields.open()) unknown(entry, path, below, fields);
            } else if (!field->used) {
                unused(entry, below);
            } else {
                for (const auto* inner : field->types) {
                    const std::size_t before = unknown_.size();
                    value(entry.value, *inner, below);
                    // Of several types that a table may have, one complains for all.
                    if (unknown_.size() > before) break;
                }
            }
        }
    }

    /// Any name may stand there, but a setting of the whole device never belongs there.
    void map(const TomlTable& table, const UpstreamType& inner, const std::string& path) {
        for (const auto& entry : table.entries) {
            const auto home = homes().find(entry.key);
            const bool setting = home != homes().end() && home->second.empty() &&
                                 (entry.value.table() == nullptr || path == "aziot_keys");
            if (setting && inner.form != Form::json) add(entry.line, path + "." + entry.key, misplaced(entry.key, ""));
            value(entry.value, inner, path + "." + entry.key);
        }
    }

    static std::string misplaced(const std::string& key, const std::string& home) {
        if (home.empty())
            return "Move " + key + " to the top of the file, before the first [table]; here it has no effect.";
        return "Move " + key + " into [" + home + "].";
    }

    void unknown(const TomlEntry& entry, const std::string& path, const std::string& below, const Fields& fields) {
        if (unknown_.size() >= most_findings) {
            ++more_;
            return;
        }
        if (const auto now = instead_of_former(entry.key); !now.empty()) {
            unknown_.emplace_back(entry.line,
                                  warning(id, "A key of IoT Edge 1.1 has no effect any more", where(entry.line, below),
                                          "Take it out; its place took " + std::string(now) + "."));
            return;
        }
        const auto meant = meant_by(entry.key);
        if (!meant.empty() && fields.find(meant) != nullptr)
            return add(entry.line, below, "Rename it to " + std::string(meant) + ".");
        const auto home = homes().find(entry.key);
        if (home != homes().end() && home->second != path)
            return add(entry.line, below, misplaced(entry.key, home->second));
        std::vector<std::string_view> names;
        for (const auto& field : fields.all()) names.push_back(field.name);
        const std::string key = entry.key.substr(0, longest_name);
        if (const auto near = nearest(key, names)) return add(entry.line, below, "Did you mean " + *near + "?");
        std::vector<std::string_view> everywhere;
        for (const auto& [name, place] : homes()) everywhere.push_back(name);
        const auto far = nearest(key, everywhere);
        if (far && edit_distance(key, *far) * 4 <= key.size()) {
            const std::string& place = homes().find(*far)->second;
            return add(
                entry.line, below,
                "Did you mean " + *far + (place.empty() ? ", at the top of the file?" : ", in [" + place + "]?"));
        }
        add(entry.line, below, "Take it out, or put it into the table where it belongs.");
    }

    void unused(const TomlEntry& entry, const std::string& below) {
        unknown_.emplace_back(entry.line,
                              warning(id, "A key has no effect with the source or method that is chosen",
                                      where(entry.line, below), "Take it out, or choose the method that uses it."));
    }

    void add(std::size_t line, const std::string& path, std::string remedy) {
        unknown_.emplace_back(line, warning(id, "A key is unknown to IoT Edge, which ignores it silently",
                                            where(line, path), std::move(remedy)));
    }

    static std::string where(std::size_t line, const std::string& path) {
        return "line " + std::to_string(line) + ": " + path;
    }

    std::vector<std::pair<std::size_t, Finding>> unknown_;
    std::size_t more_ = 0;
};

}  // namespace

Findings judge_keys(const Toml& root) {
    Walk walk;
    walk.value(root, upstream_type("config"), "");
    return walk.take();
}

}  // namespace eflow
