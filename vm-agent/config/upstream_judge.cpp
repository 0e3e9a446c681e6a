#include "vm-agent/config/upstream_judge.hpp"

#include <algorithm>
#include <iterator>

#include "vm-agent/config/misnomers.hpp"
#include "vm-agent/config/upstream_values.hpp"

namespace eflow {

namespace {

bool fits(const Complaints& all) {
    return std::none_of(all.begin(), all.end(), [](const Complaint& one) { return one.refused; });
}
void append(Complaints& to, Complaints from) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
}
std::string below(const std::string& path, std::string_view key) {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
}

std::string header(const Place& place) {
    return "[" + place.path + "]";
}

Complaints value_of(const Toml& value, const UpstreamType& type, const Place& place);

const TomlEntry* entry_of(const TomlTable& table, const UpstreamKey& key, const TomlEntry** second = nullptr) {
    const TomlEntry* found = nullptr;
    for (std::string_view names = key.names; !names.empty();) {
        const TomlEntry* entry = table.find(next_word(names, '|'));
        if (entry == nullptr) continue;
        if (found != nullptr && second != nullptr) *second = entry;
        if (found == nullptr) found = entry;
    }
    return found;
}

Complaints part_of(const TomlTable& table, const UpstreamType& type, const Place& place);

/// Whether a key of the type stands in the table.
bool touches(const TomlTable& table, const UpstreamType& type) {
    for (std::string_view types = type.list; !types.empty() && type.form == Form::untagged;)
        if (touches(table, upstream_type(next_word(types)))) return true;
    if (type.form == Form::tagged) return table.find(type.tag) != nullptr;
    for (const auto& key : keys_of(type.name)) {
        if (key.names == "*") continue;
        if (key.names.empty() ? touches(table, upstream_type(key.type)) : entry_of(table, key) != nullptr) return true;
    }
    return false;
}

Complaints missing(const TomlTable& table, const UpstreamKey& key, const UpstreamType& type, const Place& place) {
    if (place.path.empty())
        return {{1, "", std::string("there is no [") + std::string(key.names) + "]",
                 "Provision this device: eflow-agent provision --help"}};
    const std::string name(key.names.substr(0, key.names.find('|')));
    if (const TomlEntry* other = misnamed(table, name))
        return {{other->line, header(place),
                 "lacks " + name + ", and has " + shown_path(other->key) + " that nothing reads",
                 "Rename " + other->key + " to " + name + "."}};
    return {{place.line, header(place), "lacks " + name,
             "Add " + name + " to [" + place.path + "]" +
                 (type.expected.empty() ? "." : ": " + std::string(type.expected) + ".")}};
}

Complaints key_of(const TomlTable& table, const UpstreamKey& key, const Place& place) {
    const UpstreamType& type = upstream_type(key.type);
    const TomlEntry* second = nullptr;
    const TomlEntry* entry = entry_of(table, key, &second);
    if (entry == nullptr) return key.need == Need::required ? missing(table, key, type, place) : Complaints{};
    if (second != nullptr)
        return {{second->line, below(place.path, second->key),
                 "is another name of " + entry->key + ", which stands here too", "Keep one of the two."}};
    return value_of(
        entry->value, type,
        {.path = below(place.path, entry->key), .line = entry->line, .buffered = place.buffered, .variant = false});
}

Complaints other_keys(const TomlTable& table, const UpstreamKey& rest, const Place& place) {
    Complaints all;
    for (const auto& entry : table.entries) {
        const auto rows = keys_of(rest.table);
        if (std::none_of(rows.begin(), rows.end(), [&](const auto& row) { return row.names == entry.key; }))
            append(all,
                   value_of(
                       entry.value, upstream_type(rest.type),
                       {.path = below(place.path, entry.key), .line = entry.line, .buffered = true, .variant = false}));
    }
    return all;
}

Complaints record(const TomlTable& table, const UpstreamType& type, Place place) {
    Complaints all;
    if (type.name == "aziot") place.buffered = true;
    for (const auto& key : keys_of(type.name)) {
        const UpstreamType& inner = upstream_type(key.type);
        if (key.names == "*") {
            append(all, other_keys(table, key, place));
        } else if (key.need == Need::part) {
            append(all, part_of(table, inner, place));
        } else if (key.need == Need::part_if_fits) {
            auto part = part_of(table, inner, place);
            if (!fits(part) && touches(table, inner))
                all.push_back(
                    {place.line, header(place),
                     "has an incomplete or wrong " + std::string(inner.expected.empty() ? "table" : inner.expected),
                     "Give all of it, or nothing: IoT Edge ignores it as it is.", false});
            else if (fits(part))
                append(all, std::move(part));
        } else {
            append(all, key_of(table, key, place));
        }
    }
    return all;
}

/// A struct read from an array: the fields in their order.
Complaints record_of_array(const Toml::Array& array, std::size_t from, const UpstreamType& type, const Place& place) {
    const auto rows = keys_of(type.name);
    const bool has_parts =
        std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.names.empty() || row.names == "*"; });
    Complaints none{
        {place.line, place.path, "must be " + std::string(type.expected) + ", not an array", "Write it as one table."}};
    if (has_parts || place.variant) return none;
    Complaints all;
    std::size_t at = from;
    for (const auto& row : rows) {
        if (at < array.size())
            append(all, value_of(array[at], upstream_type(row.type),
                                 {.path = below(place.path, row.names),
                                  .line = array[at].line(),
                                  .buffered = place.buffered,
                                  .variant = false}));
        else if (row.need != Need::by_default)
            return none;
        ++at;
    }
    if (at < array.size() && place.buffered) return none;
    return fits(all) ? all : none;
}

Complaints tagged(const TomlTable& table, const UpstreamType& type, Place place) {
    place.buffered = true;
    const TomlEntry* tag = table.find(type.tag);
    const std::string key = below(place.path, type.tag);
    const std::string list = quoted_list(type.list);
    if (tag == nullptr)
        return {{place.line, header(place), "lacks " + std::string(type.tag),
                 "Add " + std::string(type.tag) + " to [" + place.path + "]: " + list + "."}};
    for (std::string_view types = type.list; tag->value.text() != nullptr && !types.empty();) {
        std::string_view one = next_word(types);
        if (next_word(one, ':') == *tag->value.text()) return record(table, upstream_type(one), place);
    }
    return {{tag->line, key,
             "must be " + list + (tag->value.text() == nullptr ? ", not " + std::string(tag->value.kind()) : ""),
             "Write one of them, in this spelling and in quotes."}};
}

Complaints tagged_array(const Toml::Array& array, const UpstreamType& type, Place place) {
    place.buffered = true;
    for (std::string_view types = type.list; !array.empty() && array[0].text() != nullptr && !types.empty();) {
        std::string_view one = next_word(types);
        if (next_word(one, ':') != *array[0].text()) continue;
        if (one == "nothing") return {};
        return record_of_array(array, 1, upstream_type(one), place);
    }
    return {{place.line, place.path, "must be a table, not an array", "Write it as one table."}};
}

/// How near a table comes to a variant: its keys that are there, and once more those that fit.
int nearness(const TomlTable& table, const UpstreamType& type, const Place& place) {
    int near = 0;
    if (type.form == Form::tagged) near += table.find(type.tag) != nullptr ? 2 : 0;
    for (const auto& key : keys_of(type.name)) {
        if (key.names == "*") continue;
        if (key.names.empty()) {
            near += nearness(table, upstream_type(key.type), place);
        } else if (const TomlEntry* entry = entry_of(table, key)) {
            const UpstreamType& inner = upstream_type(key.type);
            const bool wants_table = inner.form == Form::record || inner.form == Form::map_of;
            near += 1 + (fits(key_of(table, key, place)) ? 1 : 0) +
                    (wants_table == (entry->value.table() != nullptr) ? 1 : 0);
        }
    }
    return near;
}

Complaints untagged(const TomlTable& table, const UpstreamType& type, Place place) {
    place.buffered = true;
    int most = 0;
    Complaints nearest;
    bool tie = true;
    for (std::string_view types = type.list; !types.empty();) {
        const UpstreamType& one = upstream_type(next_word(types));
        if (one.form != Form::record) continue;
        auto all = record(table, one, place);
        if (fits(all)) return all;
        const int near = nearness(table, one, place);
        tie = near == most;
        if (near > most) {
            most = near;
            nearest = std::move(all);
        }
    }
    if (most > 0 && !tie) return nearest;
    return {{place.line, header(place), "must have " + std::string(type.expected),
             "Complete [" + place.path + "], or take it out."}};
}

Complaints part_of(const TomlTable& table, const UpstreamType& type, const Place& place) {
    switch (type.form) {
        case Form::tagged: return tagged(table, type, place);
        case Form::untagged: return untagged(table, type, place);
        default: return record(table, type, place);
    }
}

Complaints untagged_value(const Toml& value, const UpstreamType& type, Place place) {
    place.buffered = true;
    for (std::string_view types = type.list; !types.empty();) {
        const UpstreamType& one = upstream_type(next_word(types));
        // A variant that holds a struct of its own takes an array, one that is a struct does not.
        place.variant = one.form == Form::record && type.name != "moby_network";
        if (auto all = value_of(value, one, place); fits(all)) return all;
    }
    return wrong(value, type, place);
}

/// serde sees a date as a table with this one key (toml_datetime de.rs).
TomlTable as_table(const Toml::Datetime& date, std::size_t line) {
    constexpr auto key = "$__toml_private_datetime";
    TomlTable table;
    table.entries.push_back({key, line, Toml(date.text, line)});
    table.index.emplace(key, 0);
    return table;
}

/// Numbers outside of 64 bits are refused also under keys that nothing reads: what is buffered cannot hold them
/// (serde private/de.rs, Content), and what is skipped must still be read.
void too_large(const Toml& value, const std::string& path, std::size_t line, bool buffered, Complaints& all) {
    const auto* large = std::get_if<Toml::TooLarge>(&value.value());
    if (large != nullptr && (buffered || large->for_all))
        all.push_back(
            {line, path, "is a number that no program can hold", "Write a smaller one, or quotes around it."});
    if (const auto* array = value.array())
        for (const auto& one : *array) too_large(one, path, one.line(), buffered, all);
    if (const auto* table = value.table())
        for (const auto& entry : table->entries)
            too_large(entry.value, below(path, entry.key), entry.line, buffered, all);
}

Complaints too_large_within(const TomlTable& table, const UpstreamType& type, const Place& place) {
    const auto rows = keys_of(type.name);
    const bool flattened = type.form != Form::record || std::any_of(rows.begin(), rows.end(), [](const auto& row) {
                               return row.names.empty() || row.names == "*";
                           });
    Complaints all;
    for (const auto& entry : table.entries)
        if (std::none_of(rows.begin(), rows.end(), [&](const auto& row) { return row.names == entry.key; }))
            too_large(entry.value, below(place.path, entry.key), entry.line, flattened || place.buffered, all);
    return all;
}

Complaints table_of(const TomlTable& table, const UpstreamType& type, const Place& place) {
    if (type.form == Form::map_of) {
        Complaints all;
        const UpstreamType& inner = upstream_type(type.list);
        for (const auto& entry : table.entries)
            append(all, value_of(entry.value, inner,
                                 {.path = below(place.path, entry.key),
                                  .line = entry.line,
                                  .buffered = place.buffered,
                                  .variant = false}));
        return all;
    }
    auto all = part_of(table, type, place);
    if (fits(all)) append(all, too_large_within(table, type, place));
    return all;
}

Complaints value_of(const Toml& value, const UpstreamType& type, const Place& place) {
    const bool for_tables = type.form == Form::record || type.form == Form::map_of || type.form == Form::tagged ||
                            type.form == Form::untagged;
    if (type.form == Form::any) return {};
    if (type.form == Form::json) return json_fits(value) ? Complaints{} : wrong(value, type, place);
    if (type.form == Form::word) return judge_word(value, type, place);
    if (for_tables && value.table() != nullptr) return table_of(*value.table(), type, place);
    if (const auto* date = std::get_if<Toml::Datetime>(&value.value()); for_tables && date != nullptr)
        return fits(table_of(as_table(*date, value.line()), type, place)) ? Complaints{} : wrong(value, type, place);
    if (type.form == Form::untagged) return untagged_value(value, type, place);
    if (value.array() == nullptr || type.form == Form::map_of)
        return for_tables || type.form == Form::list_of ? wrong(value, type, place) : judge_scalar(value, type, place);
    if (type.form == Form::record) return record_of_array(*value.array(), 0, type, place);
    if (type.form == Form::tagged) return tagged_array(*value.array(), type, place);
    if (type.form != Form::list_of) return judge_scalar(value, type, place);
    Complaints all;
    for (const auto& one : *value.array())
        append(all, value_of(one, upstream_type(type.list),
                             {.path = place.path, .line = one.line(), .buffered = place.buffered, .variant = false}));
    return all;
}

}  // namespace

std::string shown_path(const std::string& path) {
    std::string out;
    for (const char c : path.substr(0, 200)) out += c >= ' ' && c <= '~' ? c : '?';
    return out.empty() ? "config.toml" : out;
}

std::vector<Complaint> judge_types(const Toml& root) {
    Complaints all =
        value_of(root, upstream_type("config"), {.path = "", .line = 1, .buffered = false, .variant = false});
    const Toml* parent = root.find("parent_hostname");
    if (parent == nullptr) parent = root.find("local_gateway_hostname");
    const Toml* source = root.find({"provisioning", "source"});
    if (parent != nullptr && source != nullptr && source->text() != nullptr && *source->text() == "dps" && fits(all))
        all.push_back({parent->line(), "parent_hostname",
                       "stands beside DPS provisioning, which IoT Edge refuses (not supported in nested mode)",
                       "Take out parent_hostname, or provision this nested device manually."});
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
    return all;
}

}  // namespace eflow
