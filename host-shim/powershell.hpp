#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "host-shim/host.hpp"

namespace eflow {

/// How the shim speaks with Windows PowerShell 5.1. Every call is one process that runs one fixed script of
/// host-shim/scripts, given as text with -Command: an execution policy, AllSigned too, is about script files and does
/// not touch it (about_Execution_Policies), and no policy is overridden. The request is one line of ASCII JSON on
/// standard input, which the script sees as $input, so no code page alters it; the answer is one line of ASCII JSON on
/// standard output behind a random marker, so nothing that a cmdlet prints can be taken for it.

/// The script of this name, as it was embedded.
std::string_view script(std::string_view name);

/// `text` as one argument of a Windows command line (the rules of CommandLineToArgvW).
std::string quoted_argument(std::string_view text);

/// The whole command line: full path, no profile, no prompt, plain text both ways, and the script.
std::string powershell_command_line(std::string_view program, std::string_view script_text);

/// The request as it is written to standard input. Texts that are not UTF-8 throw Failure(refused).
std::string request_line(const nlohmann::json& request);

/// The object behind the last line that begins with `marker`, or nothing.
std::optional<nlohmann::json> answer_in(std::string_view standard_output, std::string_view marker);

/// What facts.ps1 answers. Throws Failure(internal) when it is not that.
HostFacts facts_from(const nlohmann::json& answer);

/// What call.ps1 answers.
Called called_from(const nlohmann::json& answer);

/// PowerShell ended without an answer: what it said on standard error tells why.
PowerShellError error_without_answer(std::string_view standard_error, std::string_view standard_output,
                                     unsigned exit_code);

}  // namespace eflow
