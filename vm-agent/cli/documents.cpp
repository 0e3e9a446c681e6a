#include "vm-agent/cli/documents.hpp"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "shared/exit_code.hpp"
#include "vm-agent/cli/verb.hpp"

namespace eflow {

namespace {

/// An option as the parser has it.
struct Told {
    std::vector<std::string> names;  ///< "--root", "-v"; empty for a positional one
    std::string value;               ///< what its value is called; empty for a flag
    std::vector<std::string> choices;
    std::string description;
};

struct Command {
    std::string name;  ///< "cert verify"; empty for the program itself
    std::string summary;
    std::string examples;
    std::vector<Told> options;
};

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream{std::string(text)};
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

Told told(const CLI::Option& option) {
    Told told;
    for (const auto& name : option.get_lnames()) told.names.push_back("--" + name);
    for (const auto& name : option.get_snames()) told.names.push_back("-" + name);
    told.description = option.get_description();
    if (option.get_items_expected_max() == 0) return told;
    // "WHEN:{auto,always,never}": the parser appends what its validators say.
    const std::string type = option.get_type_name();
    told.value = type.substr(0, type.find(':'));
    const auto open = type.find(":{");
    if (open != std::string::npos) told.choices = split(type.substr(open + 2, type.find('}') - open - 2), ',');
    if (told.names.empty()) told.value = option.get_single_name();
    if (told.value.empty()) told.value = "VALUE";
    return told;
}

std::vector<Told> options_of(const CLI::App& app) {
    std::vector<Told> options;
    for (const CLI::Option* option : app.get_options()) options.push_back(told(*option));
    return options;
}

std::vector<Command> commands() {
    std::vector<Command> commands;
    visit_command_line([&](const CLI::App& app) {
        commands.push_back({"", app.get_description(), "", options_of(app)});
        for (const Verb& verb : known_verbs()) {
            const CLI::App* command = &app;
            for (const auto& word : split(verb.name, ' ')) command = command->get_subcommand(word);
            commands.push_back({verb.name, verb.summary, verb.examples, options_of(*command)});
        }
    });
    return commands;
}

std::string roff(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '\\')
            safe += "\\e";
        else if (c == '-')
            safe += "\\-";
        else
            safe += c;
    }
    if (!safe.empty() && (safe.front() == '.' || safe.front() == '\'')) safe.insert(0, "\\&");
    return safe;
}

std::string page_of(const Command& command) {
    std::string name = "eflow-agent" + (command.name.empty() ? "" : " " + command.name);
    std::replace(name.begin(), name.end(), ' ', '-');
    return name;
}

std::string option_entries(const std::vector<Told>& options) {
    std::string text;
    for (const auto& option : options) {
        text += ".TP\n";
        std::string names;
        for (const auto& one : option.names) names += (names.empty() ? "\\fB" : ", \\fB") + roff(one) + "\\fR";
        if (!option.value.empty()) names += (names.empty() ? "\\fI" : " \\fI") + roff(option.value) + "\\fR";
        text += names + "\n" + roff(option.description);
        if (!option.choices.empty()) {
            text += "\n.br\nOne of:";
            for (const auto& choice : option.choices) text += " " + roff(choice);
        }
        text += "\n";
    }
    return text;
}

std::string preformatted(std::string_view text) {
    std::string block = ".nf\n";
    for (const auto& line : split(text, '\n')) block += roff(line) + "\n";
    return block + ".fi\n";
}

std::string synopsis(const Command& command) {
    std::string text = "\\fBeflow\\-agent\\fR [\\fIoptions\\fR] ";
    if (command.name.empty()) return text + "\\fIverb\\fR [\\fIits options\\fR]\n";
    text += "\\fB" + roff(command.name) + "\\fR";
    for (const auto& option : command.options) {
        if (std::find(option.names.begin(), option.names.end(), "--help") != option.names.end()) continue;
        text += "\n";
        if (option.names.empty())
            text += "\\fI" + roff(option.value) + "\\fR";
        else
            text += "[\\fB" + roff(option.names.front()) + "\\fR" +
                    (option.value.empty() ? "" : " \\fI" + roff(option.value) + "\\fR") + "]";
    }
    return text + "\n";
}

std::string exit_codes() {
    std::string text = ".SH EXIT STATUS\n";
    for (const int code : {0, 1, 2, 3, 4, 5, 6, 7, 8, 70})
        text += ".TP\n" + std::to_string(code) + "\n" + roff(meaning(static_cast<ExitCode>(code))) + "\n";
    return text;
}

std::string files() {
    std::string text = ".SH FILES\n";
    const auto entry = [&](const char* path, const char* what) {
        text += std::string(".TP\n.I ") + roff(path) + "\n" + roff(what) + "\n";
    };
    entry("/etc/aziot/config.toml",
          "what IoT Edge is configured by; only the tables that the agent manages are changed");
    entry("/var/aziot/certs, /var/aziot/secrets", "the identity's certificate and private key");
    entry("/var/lib/eflow-agent", "the agent's own state: the previous configuration, and the history in watch/");
    entry("/run/eflow-agent/status.json", "the watcher's last verdict");
    return text;
}

std::string page(const Command& command, const std::vector<Command>& all) {
    std::string title = page_of(command);
    std::string text = ".TH " + roff(title) + " 1 \"\" \"EFLOW Companion\" \"EFLOW Companion\"\n.SH NAME\n" +
                       roff(title) + " \\- " + roff(command.summary) + "\n.SH SYNOPSIS\n" + synopsis(command) +
                       ".SH DESCRIPTION\n" + roff(command.summary) + ".\n";
    if (text.ends_with("..\n")) text.replace(text.size() - 3, 3, ".\n");
    if (command.name.empty()) {
        text += ".SH VERBS\n";
        for (const auto& one : all)
            if (!one.name.empty()) text += ".TP\n.B " + roff(one.name) + "\n" + roff(one.summary) + "\n";
    }
    text += ".SH OPTIONS\n" + option_entries(command.options);
    if (!command.name.empty()) {
        text +=
            ".PP\nWith every verb: \\fB\\-\\-root\\fR, \\fB\\-\\-json\\fR, \\fB\\-\\-verbose\\fR, "
            "\\fB\\-\\-quiet\\fR, \\fB\\-\\-color\\fR; see\n.BR eflow\\-agent (1).\n";
        text += ".SH EXAMPLES\n" + preformatted(command.examples);
    }
    text += exit_codes() + files() + ".SH SEE ALSO\n";
    std::string others;
    for (const auto& one : all)
        if (one.name != command.name) others += (others.empty() ? "" : ",\n") + (".BR " + roff(page_of(one))) + " (1)";
    // Each entry is a line of its own, with its comma behind the section.
    for (std::size_t at = 0; (at = others.find(",\n", at)) != std::string::npos; at += 2) others.replace(at, 2, " ,\n");
    for (std::size_t at = 0; (at = others.find("(1) ,", at)) != std::string::npos;) others.replace(at, 5, "(1),");
    return text + others + "\n";
}

std::string joined(const std::vector<std::string>& words, const char* between) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : between) + word;
    return text;
}

/// The branch of a `case` that completes the value of each option of a command.
std::string value_branches(const Command& command) {
    std::string text;
    for (const auto& option : command.options) {
        if (option.value.empty() || option.names.empty()) continue;
        text += "            " + joined(option.names, "|") + ") ";
        if (!option.choices.empty())
            text += "_eflow_agent_words '" + joined(option.choices, " ") + "'";
        else if (option.value == "FILE")
            text += "_eflow_agent_files";
        else if (option.value == "DIR")
            text += "_eflow_agent_files -d";
        else
            text += "COMPREPLY=()";
        text += "; return ;;\n";
    }
    return text;
}

std::string option_words(const Command& command) {
    std::vector<std::string> words;
    for (const auto& option : command.options) words.insert(words.end(), option.names.begin(), option.names.end());
    return joined(words, " ");
}

bool takes_files(const Command& command) {
    return std::any_of(command.options.begin(), command.options.end(),
                       [](const Told& option) { return option.names.empty(); });
}

constexpr const char* completion_head = R"(# Completion of eflow-agent for bash, written from the program's own parser.
_eflow_agent_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word"); }
_eflow_agent_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "${1:--f}" -- "$word")
}

_eflow_agent() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb= i
    COMPREPLY=()
    # The verb: its one or two words, past the options before it.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
)";

}  // namespace

std::map<std::string, std::string> manual_pages() {
    const auto all = commands();
    std::map<std::string, std::string> pages;
    for (const auto& command : all) pages[page_of(command) + ".1"] = page(command, all);
    return pages;
}

std::string bash_completion() {
    const auto all = commands();
    const Command& program = all.front();
    std::vector<std::string> first;
    std::map<std::string, std::vector<std::string>> seconds;
    std::vector<std::string> whole;
    for (const auto& command : all) {
        if (command.name.empty()) continue;
        whole.push_back('"' + command.name + '"');
        const auto words = split(command.name, ' ');
        if (std::find(first.begin(), first.end(), words[0]) == first.end()) first.push_back(words[0]);
        if (words.size() == 2) seconds[words[0]].push_back(words[1]);
    }
    std::vector<std::string> with_value;
    for (const auto& option : program.options)
        if (!option.value.empty()) with_value.insert(with_value.end(), option.names.begin(), option.names.end());

    std::string text = completion_head;
    text += "            " + joined(with_value, "|") + ") ((i++)) ;;\n            -*) ;;\n";
    text += "            *) verb+=\"${verb:+ }${COMP_WORDS[i]}\" ;;\n        esac\n        case $verb in " +
            joined(whole, "|") + ") break ;; esac\n    done\n";
    text += "    case $verb in\n";
    for (const auto& command : all) {
        if (command.name.empty()) continue;
        text +=
            "    \"" + command.name + "\")\n        case $before in\n" + value_branches(command) + "        esac ;;\n";
    }
    text += "    esac\n    case $before in\n" + value_branches(program) + "    esac\n    case $verb in\n";
    text += "        \"\") _eflow_agent_words \"" + joined(first, " ") + " " + option_words(program) + "\" ;;\n";
    for (const auto& [group, words] : seconds)
        text += "        " + group + ") _eflow_agent_words \"" + joined(words, " ") + "\" ;;\n";
    for (const auto& command : all) {
        if (command.name.empty()) continue;
        text += "        \"" + command.name + "\") ";
        if (takes_files(command)) text += "[[ $word == -* ]] || { _eflow_agent_files; return; }\n            ";
        text += "_eflow_agent_words \"" + option_words(command) + " " + option_words(program) + "\" ;;\n";
    }
    return text + "    esac\n}\ncomplete -F _eflow_agent eflow-agent\n";
}

}  // namespace eflow
