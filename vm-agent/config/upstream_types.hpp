#pragma once

#include <string_view>

namespace eflow {

/// How a value of a type is read. The first ones are scalars, each with its own grammar; see types() for the names.
enum class Form {
    any,
    json,  ///< any, but no number that the services' files cannot hold
    text,
    c_text,  ///< a text without NUL, or an array of bytes (Rust's CString)
    boolean,
    number,  ///< from `least` to `most`
    url,
    file_url,
    key_uri,
    policy,
    duration,
    days,  ///< a duration of whole days
    time_of_day,
    base64,
    connection_string,
    watchdog_retries,  ///< "infinite", or a number
    word,              ///< one of `list`
    list_of,           ///< array of the type in `list`
    map_of,            ///< table whose values are all of the type in `list`
    record,            ///< table with the keys that types_keys() has for it
    tagged,            ///< one of the types in `list`, chosen by the text under `tag` (serde's `tag = "…"`)
    untagged,          ///< the first of the types in `list` that fits (serde's `untagged`)
};

struct UpstreamType {
    std::string_view name;
    Form form = Form::any;
    std::string_view list;      ///< names between blanks; of a tagged type "word:type"
    std::string_view expected;  ///< in words: "must be …"
    std::string_view tag;
    long long least = 0;
    long long most = 0;
};

enum class Need {
    required,
    optional,      ///< Option<T>
    by_default,    ///< #[serde(default)]
    part,          ///< #[serde(flatten)]: its keys stand in the same table
    part_if_fits,  ///< #[serde(flatten)] of an Option: what does not fit is ignored in silence
};

/// A key of a record. `names` are alternatives between bars; "*" takes every other name. Rows of one table stand
/// together and in upstream's order, which counts where serde reads a struct from an array.
struct UpstreamKey {
    std::string_view table;
    std::string_view names;
    std::string_view type;
    Need need = Need::required;
};

/// The type of that name; the table is complete, a test sees to it.
const UpstreamType& upstream_type(std::string_view name);

struct UpstreamKeys {
    const UpstreamKey* first = nullptr;
    const UpstreamKey* last = nullptr;
    [[nodiscard]] const UpstreamKey* begin() const { return first; }
    [[nodiscard]] const UpstreamKey* end() const { return last; }
};
/// The rows of a record; none for a type that is no record.
UpstreamKeys keys_of(std::string_view table);
/// All rows.
UpstreamKeys all_keys();

/// The first word of `words`, which are separated by `between`; takes it off.
std::string_view next_word(std::string_view& words, char between = ' ');

}  // namespace eflow
