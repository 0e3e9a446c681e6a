#pragma once

#include <map>
#include <string>

namespace eflow {

/// The manual pages by file name ("eflow-agent.1", "eflow-agent-provision.1", …), in roff's man language, written from
/// the parser that `--help` is written from.
std::map<std::string, std::string> manual_pages();

/// The completion for bash, of the same parser: verbs, options, choices, and files where files are wanted.
std::string bash_completion();

}  // namespace eflow
