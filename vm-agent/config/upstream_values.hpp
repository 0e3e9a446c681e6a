#pragma once

#include <string>
#include <vector>

#include "shared/toml_reader.hpp"
#include "vm-agent/config/upstream_judge.hpp"
#include "vm-agent/config/upstream_types.hpp"

namespace eflow {

using Complaints = std::vector<Complaint>;

/// Where a value stands and how serde holds it: behind flatten, tag and untagged it is buffered, and an array for a
/// struct must then have no element too many (serde private/de.rs, visit_content_seq).
struct Place {
    std::string path;
    std::size_t line = 0;
    bool buffered = false;
    bool variant = false;  ///< of an untagged enum: no array stands for such a struct
};

/// Text, number, boolean: a single value held against its type's grammar.
[[nodiscard]] Complaints judge_scalar(const Toml& value, const UpstreamType& type, const Place& place);

/// A word of a list; serde also takes a table of that one name, with nothing in it.
[[nodiscard]] Complaints judge_word(const Toml& value, const UpstreamType& type, const Place& place);

/// Whether JSON holds the value, as edged must (serde_json value/de.rs): it has no number for infinity and none at all,
/// and TOML no null for what became of them.
[[nodiscard]] bool json_fits(const Toml& value);

/// That the value is none of its type, with what is expected; `why` when more is known.
[[nodiscard]] Complaints wrong(const Toml& value, const UpstreamType& type, const Place& place,
                               const std::string& why = {});

/// The words of a list, or of a tagged type, in quotes: "a", "b" or "c".
[[nodiscard]] std::string quoted_list(std::string_view words);

}  // namespace eflow
