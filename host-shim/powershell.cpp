#include "host-shim/powershell.hpp"

#include <algorithm>

#include <eflow_embedded_scripts.hpp>

#include "shared/failure.hpp"
#include "shared/json_text.hpp"

namespace eflow {

namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// A list of texts; PowerShell makes one text of a list of one, and null of none.
std::vector<std::string> texts_of(const json& object, const char* key) {
    std::vector<std::string> out;
    const auto found = object.find(key);
    if (found == object.end()) return out;
    if (found->is_string()) out.push_back(found->get<std::string>());
    if (found->is_array())
        for (const auto& entry : *found)
            if (entry.is_string()) out.push_back(entry.get<std::string>());
    return out;
}

PowerShellError error_of(const json& object) {
    return {text_of(object, "stage"), text_of(object, "id"), text_of(object, "message"), text_of(object, "position")};
}

const json* table_of(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_object() ? &*found : nullptr;
}

std::string tail_of(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
    return std::string(text.size() > 2000 ? text.substr(text.size() - 2000) : text);
}

/// The module tells of an exception that it caught itself, and gives nothing back: a failure like one that is thrown.
std::optional<PowerShellError> exception_told_of(const Called& called) {
    const auto at = std::find_if(called.said.begin(), called.said.end(), [](const std::string& line) {
        return line.find("Exception caught!!!") != std::string::npos;
    });
    // A cmdlet that went on to its end says OK, True or what was asked for.
    if (at == called.said.end() || !called.output.empty()) return std::nullopt;
    std::string message;
    for (auto line = at + 1; line != called.said.end(); ++line) {
        const auto begin = line->find_first_not_of(" -\r\n\t");
        if (begin != std::string::npos) message += (message.empty() ? "" : "\n") + line->substr(begin);
    }
    return PowerShellError{"call", "", message.empty() ? *at : message, {}};
}

}  // namespace

std::string_view script(std::string_view name) {
    for (const auto& entry : embedded_scripts)
        if (entry.name == name) return entry.text;
    throw Failure(ExitCode::internal, "no script " + std::string(name) + " is embedded");
}

std::string quoted_argument(std::string_view text) {
    std::string out = "\"";
    std::size_t backslashes = 0;
    for (const char c : text) {
        if (c == '\\') {
            ++backslashes;
            continue;
        }
        // Backslashes count only before a quote: there each is doubled, and one more escapes the quote itself.
        out.append(c == '"' ? 2 * backslashes + 1 : backslashes, '\\');
        backslashes = 0;
        out += c;
    }
    out.append(2 * backslashes, '\\');
    return out + "\"";
}

std::string powershell_command_line(std::string_view program, std::string_view script_text) {
    return quoted_argument(program) +
           " -NoLogo -NoProfile -NonInteractive -InputFormat Text -OutputFormat Text -Command " +
           quoted_argument(script_text);
}

std::string request_line(const json& request) {
    try {
        return request.dump(-1, ' ', true) + "\n";
    } catch (const json::exception& error) {
        throw Failure(ExitCode::refused, std::string("a value cannot be handed on: ") + error.what(),
                      "Use text that is valid Unicode.");
    }
}

std::optional<json> answer_in(std::string_view standard_output, std::string_view marker) {
    std::optional<json> answer;
    while (!standard_output.empty()) {
        const auto end = standard_output.find('\n');
        std::string_view line = standard_output.substr(0, end);
        standard_output.remove_prefix(end == std::string_view::npos ? standard_output.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (!line.starts_with(marker)) continue;
        json parsed = parse_json(line.substr(marker.size()));
        if (parsed.is_object()) answer = std::move(parsed);
    }
    return answer;
}

HostFacts facts_from(const json& answer) {
    HostFacts facts;
    if (const auto* user = table_of(answer, "user"))
        facts.user =
            HostFacts::User{text_of(*user, "name"), text_of(*user, "sid"), user->value("elevated", json()) == true};
    if (const auto* windows = table_of(answer, "windows"))
        facts.windows = HostFacts::Windows{text_of(*windows, "product"), text_of(*windows, "edition"),
                                           text_of(*windows, "kind"), text_of(*windows, "build")};
    if (const auto* shell = table_of(answer, "powershell"))
        facts.powershell =
            HostFacts::PowerShell{text_of(*shell, "version"), text_of(*shell, "language"), text_of(*shell, "policy")};
    facts.installed = texts_of(answer, "installed");
    if (const auto* service = table_of(answer, "service"))
        facts.service = HostFacts::Service{text_of(*service, "status"), text_of(*service, "start")};
    if (const auto* module = table_of(answer, "module"))
        facts.module = HostFacts::Module{text_of(*module, "version"), text_of(*module, "path")};
    if (const auto* parameters = table_of(answer, "parameters"))
        for (const auto& entry : parameters->items())
            facts.parameters[entry.key()] = texts_of(*parameters, entry.key().c_str());
    if (const auto exists = answer.find("exists"); exists != answer.end() && exists->is_boolean())
        facts.exists = exists->get<bool>();
    if (const auto* vm = table_of(answer, "vm"))
        facts.vm = HostFacts::Vm{text_of(*vm, "name"), text_of(*vm, "power"), text_of(*vm, "runtime")};
    if (const auto* problems = table_of(answer, "problems"))
        for (const auto& entry : problems->items())
            if (entry.value().is_object()) facts.problems[entry.key()] = error_of(entry.value());
    return facts;
}

Called called_from(const json& answer) {
    Called called;
    called.output = texts_of(answer, "output");
    called.said = texts_of(answer, "said");
    if (const auto* error = table_of(answer, "error")) {
        called.error = error_of(*error);
        // The exception may be as bare as "Failed to provision": what the cmdlet had to say before it is with it.
        for (const auto& heard : texts_of(answer, "heard"))
            if (heard != called.error->message) called.said.push_back(heard);
    } else if (auto told = exception_told_of(called)) {
        called.error = std::move(told);
    }
    return called;
}

PowerShellError error_without_answer(std::string_view standard_error, std::string_view standard_output,
                                     unsigned exit_code) {
    const std::string error = tail_of(standard_error);
    const std::string output = tail_of(standard_output);
    std::string message = "PowerShell ended with exit code " + std::to_string(exit_code) + " and no answer";
    if (!error.empty()) message += ": " + error;
    if (!output.empty() && error.empty()) message += ": " + output;
    return {"powershell", "NoAnswer", message, {}};
}

}  // namespace eflow
