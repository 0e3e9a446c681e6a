#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace eflow {

/// The file URI of an absolute path, percent-encoded as upstream's Url::from_file_path does.
std::string file_uri(std::string_view absolute_path);
/// The path of a file URI in any form that upstream reads as one (file:/p, FILE:///p, file://localhost/p, dot
/// segments), percent-decoded; nothing when it is not a file URI, or one with another host.
std::optional<std::string> path_of_file_uri(std::string_view uri);

}  // namespace eflow
