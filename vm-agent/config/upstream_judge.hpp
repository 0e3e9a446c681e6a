#pragma once

#include <string>
#include <vector>

#include "shared/toml_reader.hpp"

namespace eflow {

/// One thing that is wrong in a config.toml, and where.
struct Complaint {
    std::size_t line = 0;
    std::string path;  ///< of the key, dotted, or [of the table]; "" for the file itself
    std::string what;  ///< a sentence's end: "must be a URL with its scheme, not a whole number"
    std::string remedy;
    bool refused = true;  ///< `iotedge config apply` refuses the file; else it takes it and the value does not work
};

/// All that upstream's types (upstream_types.cpp) say against the file, in the order of its lines; walked as serde
/// walks them, and what apply refuses after that (IIS apply.rs:195, EDGE apply.rs:520).
std::vector<Complaint> judge_types(const Toml& root);

/// A path or name of the file as it may be shown: hostile bytes replaced, cut at 200.
std::string shown_path(const std::string& path);

}  // namespace eflow
