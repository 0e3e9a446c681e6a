#include "vm-agent/watch/metrics.hpp"

#include <array>

#include "vm-agent/health/check.hpp"
#include "vm-agent/health/horizon.hpp"
#include "vm-agent/health/hub_link.hpp"

namespace eflow {

namespace {

std::string escaped(std::string_view text) {
    std::string plain;
    for (const char c : text) {
        if (c == '\\' || c == '"') plain += '\\';
        if (c == '\n')
            plain += "\\n";
        else
            plain += c;
    }
    return plain;
}

class Text {
public:
    explicit Text(MetricsFormat format) : format_(format) {}

    void gauge(const char* name, const char* help) { family(name, name, "gauge", help); }
    /// `name` without _total.
    void counter(const std::string& name, const char* help) {
        const std::string total = name + "_total";
        family(total, format_ == MetricsFormat::openmetrics ? name : total, "counter", help);
    }
    void sample(const std::string& labels, const std::string& value) {
        text_ += name_ + (labels.empty() ? "" : "{" + labels + "}") + " " + value + "\n";
    }
    void sample(const std::string& labels, long long value) { sample(labels, std::to_string(value)); }
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    void family(const std::string& sample_name, const std::string& family_name, const char* type, const char* help) {
        name_ = sample_name;
        text_ += "# HELP " + family_name + " " + help + "\n# TYPE " + family_name + " " + type + "\n";
    }
    MetricsFormat format_;
    std::string name_;
    std::string text_;
};

std::string label(const char* name, std::string_view value) {
    return std::string(name) + "=\"" + escaped(value) + "\"";
}

}  // namespace

std::string to_metrics(const Observations& seen, const Verdict& verdict, const WatchCounters& counters,
                       MetricsFormat format) {
    static constexpr std::array phases{Phase::not_provisioned, Phase::provisioning, Phase::awaiting_deployment,
                                       Phase::deploying,       Phase::running,      Phase::degraded,
                                       Phase::failed,          Phase::unknown};
    Text out(format);
    out.gauge("eflow_phase", "Where the device is: 1 for its phase, 0 for the others.");
    for (const Phase phase : phases) out.sample(label("phase", to_text(phase)), verdict.phase == phase ? 1 : 0);

    out.gauge("eflow_check_failed", "1 for a check that has failed, 0.5 for a warning, 0 for one that is well.");
    for (const auto& check : checks()) {
        std::optional<Severity> worst;
        for (const auto& finding : verdict.findings)
            if (finding.id == check.id && finding.severity != Severity::skipped)
                worst = std::max(worst.value_or(Severity::ok), finding.severity);
        if (worst)
            out.sample(label("id", check.id),
                       *worst == Severity::failed ? "1" : *worst == Severity::warning ? "0.5" : "0");
    }

    if (const auto expiry = first_expiry(seen)) {
        out.gauge("eflow_certificate_expiry_timestamp_seconds",
                  "When the first certificate of the device's identity expires, in seconds since 1970.");
        out.sample("", expiry->time_since_epoch().count());
    }
    if (seen.units.value) {
        out.gauge("eflow_unit_active", "1 for a unit that is active.");
        for (const auto& unit : *seen.units.value)
            out.sample(label("unit", unit.name), unit.active == "active" ? 1 : 0);
        out.gauge("eflow_unit_restarts", "Automatic restarts of a service since it was started by hand.");
        for (const auto& unit : *seen.units.value)
            if (unit.name.ends_with(".service")) out.sample(label("unit", unit.name), unit.restarts);
    }
    if (seen.containers.value) {
        out.gauge("eflow_module_running", "1 for a module that runs.");
        for (const auto& module : *seen.containers.value)
            if (module.is_module()) out.sample(label("module", module.name), module.state == "running" ? 1 : 0);
    }
    if (const auto deployment = deployment_now(seen)) {
        out.gauge("eflow_deployment_status", "The deployment's status as edgeAgent told it last (0: under way).");
        out.sample("", deployment->code);
    }
    if (!seen.disks.empty()) {
        out.gauge("eflow_disk_free_bytes", "Room on a file system.");
        for (const auto& disk : seen.disks) out.sample(label("path", disk.path), std::to_string(disk.free));
    }
    out.counter("eflow_watch_events", "What the watcher has seen happen.");
    out.sample(label("source", "units"), std::to_string(counters.unit_events));
    out.sample(label("source", "containers"), std::to_string(counters.container_events));
    out.sample(label("source", "files"), std::to_string(counters.file_events));
    out.counter("eflow_watch_judgements", "How often the watcher has judged.");
    out.sample("", std::to_string(counters.judgements));
    out.counter("eflow_watch_reconnects", "How often a source was lost and found again.");
    out.sample("", std::to_string(counters.reconnects));
    return out.text() + (format == MetricsFormat::openmetrics ? "# EOF\n" : "");
}

}  // namespace eflow
