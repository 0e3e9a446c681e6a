#include "shared/report.hpp"

#include <array>
#include <utility>

#include "shared/failure.hpp"
#include "shared/json_text.hpp"

namespace eflow {

namespace {

using nlohmann::json;

constexpr std::array<std::pair<Phase, std::string_view>, 8> phases{{
    {Phase::not_provisioned, "not-provisioned"},
    {Phase::provisioning, "provisioning"},
    {Phase::awaiting_deployment, "awaiting-deployment"},
    {Phase::deploying, "deploying"},
    {Phase::running, "running"},
    {Phase::degraded, "degraded"},
    {Phase::failed, "failed"},
    {Phase::unknown, "unknown"},
}};

constexpr std::array<std::pair<Action, std::string_view>, 4> actions{{
    {Action::created, "created"},
    {Action::replaced, "replaced"},
    {Action::kept, "kept"},
    {Action::removed, "removed"},
}};

constexpr std::array<std::pair<Severity, std::string_view>, 4> severities{{
    {Severity::ok, "ok"},
    {Severity::skipped, "skipped"},
    {Severity::warning, "warning"},
    {Severity::failed, "failed"},
}};

template <class Table, class Key>
std::string_view word_of(const Table& table, Key key) {
    for (const auto& [value, word] : table)
        if (value == key) return word;
    return table.back().second;
}

template <class Table>
auto value_of(const Table& table, const json& object, const char* field) {
    const auto word = object.at(field).get<std::string>();
    for (const auto& [value, name] : table)
        if (name == word) return value;
    throw Failure(ExitCode::internal,
                  "the report's field '" + std::string(field) + "' holds an unknown word, '" + word + "'",
                  "Use the same version of eflow-agent and eflow-shim.");
}

}  // namespace

std::string_view to_text(Phase phase) {
    return word_of(phases, phase);
}
std::string_view to_text(Action action) {
    return word_of(actions, action);
}

std::string to_json(const Report& report) {
    json findings = json::array();
    for (const auto& finding : report.findings)
        findings.push_back({{"id", finding.id},
                            {"severity", to_text(finding.severity)},
                            {"summary", finding.summary},
                            {"detail", finding.detail},
                            {"remedy", finding.remedy}});
    json changes = json::array();
    for (const auto& change : report.changes)
        changes.push_back({{"path", change.path},
                           {"action", to_text(change.action)},
                           {"owner", change.owner},
                           {"group", change.group},
                           {"mode", change.mode}});
    const json object = {{"schema", Report::schema},
                         {"program", report.program},
                         {"version", report.version},
                         {"verb", report.verb},
                         {"ok", report.exit_code == ExitCode::done},
                         {"exit_code", static_cast<int>(report.exit_code)},
                         {"phase", to_text(report.phase)},
                         {"findings", std::move(findings)},
                         {"changes", std::move(changes)},
                         {"data", report.data}};
    return object.dump(2, ' ', false, json::error_handler_t::replace);
}

Report report_from_json(std::string_view text) {
    try {
        const json object = parse_json(text);
        if (object.is_discarded())
            throw Failure(ExitCode::internal, "the report is not JSON, or nests too deep",
                          "Use the same version of eflow-agent and eflow-shim.");
        if (object.at("schema").get<int>() != Report::schema)
            throw Failure(ExitCode::internal,
                          "the report has schema " + object.at("schema").dump() + ", this program reads 1",
                          "Use the same version of eflow-agent and eflow-shim.");
        Report report;
        report.program = object.at("program").get<std::string>();
        report.version = object.at("version").get<std::string>();
        report.verb = object.at("verb").get<std::string>();
        report.exit_code = static_cast<ExitCode>(object.at("exit_code").get<int>());
        report.phase = value_of(phases, object, "phase");
        for (const auto& finding : object.at("findings"))
            report.findings.push_back({finding.at("id").get<std::string>(), value_of(severities, finding, "severity"),
                                       finding.at("summary").get<std::string>(),
                                       finding.at("detail").get<std::string>(),
                                       finding.at("remedy").get<std::string>()});
        for (const auto& change : object.at("changes"))
            report.changes.push_back({change.at("path").get<std::string>(), value_of(actions, change, "action"),
                                      change.at("owner").get<std::string>(), change.at("group").get<std::string>(),
                                      change.at("mode").get<std::string>()});
        report.data = object.at("data");
        return report;
    } catch (const json::exception& error) {
        throw Failure(ExitCode::internal, std::string("the report is not what schema 1 says: ") + error.what(),
                      "Use the same version of eflow-agent and eflow-shim.");
    }
}

}  // namespace eflow
