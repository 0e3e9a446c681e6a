#include "vm-agent/cli/support_html.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <tuple>

#include "vm-agent/health/summary.hpp"

namespace eflow {

namespace {

constexpr auto style = R"css(
:root{color-scheme:light dark;--page:#f4f6f9;--card:#fff;--ink:#17202c;--faint:#5d6a7a;--edge:#e0e6ee;--track:#e7ecf2;
--good:#1a8a54;--warn:#b26a00;--bad:#c6303e;--busy:#2f6fd6;--idle:#8794a5;--good-bg:#e5f5ec;--warn-bg:#fff3de;--bad-bg:#fdeaec;
--busy-bg:#e8f0fd;--idle-bg:#edf0f4;--on:#fff;--code:#f2f5f9;--shadow:0 1px 2px rgba(20,32,50,.05),0 6px 20px rgba(20,32,50,.05)}
@media (prefers-color-scheme:dark){:root{--page:#0f141b;--card:#171e28;--ink:#e6ecf3;--faint:#96a4b5;--edge:#27313f;--track:#26303d;
--good:#4cc38a;--warn:#f0b34c;--bad:#ff7b85;--busy:#79a8ff;--idle:#8b98a9;--good-bg:#12301f;--warn-bg:#382a10;--bad-bg:#3b191d;
--busy-bg:#16284a;--idle-bg:#222b37;--on:#0f141b;--code:#10161e;--shadow:none}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",
Roboto,"Helvetica Neue",sans-serif;-webkit-text-size-adjust:100%}main{max-width:1080px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:30px;line-height:1.2;margin:2px 0 14px;letter-spacing:-.02em;overflow-wrap:anywhere}h2{font-size:18px;margin:0 0 14px;letter-spacing:-.01em}
section,header{background:var(--card);border:1px solid var(--edge);border-radius:14px;padding:22px 24px;margin:0 0 18px;box-shadow:var(--shadow)}
.eyebrow{color:var(--faint);font-size:13px;display:flex;justify-content:space-between;gap:16px;flex-wrap:wrap}
.pill{display:inline-block;border-radius:999px;padding:3px 12px;font-weight:600;font-size:13px;white-space:nowrap}
.pill.big{font-size:16px;padding:5px 16px}
.pill.good{background:var(--good-bg);color:var(--good)}.pill.warn{background:var(--warn-bg);color:var(--warn)}
.pill.bad{background:var(--bad-bg);color:var(--bad)}.pill.busy{background:var(--busy-bg);color:var(--busy)}
.pill.idle{background:var(--idle-bg);color:var(--faint)}
.because{margin:12px 0 0;font-size:16px;max-width:75ch}.next{margin:6px 0 0;color:var(--faint);max-width:80ch}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:1px;background:var(--edge);border:1px solid var(--edge);
border-radius:10px;overflow:hidden;margin-top:20px}.tile{background:var(--card);padding:11px 14px;min-width:0}
.tile b{display:block;font-size:12px;font-weight:500;color:var(--faint)}.tile span{font-weight:600;overflow-wrap:anywhere}
.share{display:flex;height:8px;border-radius:4px;overflow:hidden;background:var(--track);gap:2px}.share+.key{margin:8px 0 16px}
.share i{display:block;height:8px}.finding{border:1px solid var(--edge);border-left-width:4px;border-radius:10px;padding:12px 16px;margin:0 0 10px}
.finding.bad{border-left-color:var(--bad)}.finding.warn{border-left-color:var(--warn)}
.finding h3{margin:0;font-size:15px;display:flex;gap:10px;align-items:baseline;flex-wrap:wrap}.finding h3 code{font-weight:400;color:var(--faint)}
.finding p{margin:6px 0 0;white-space:pre-line;overflow-wrap:anywhere}.finding .detail{color:var(--faint)}
.remedy{background:var(--code);border-radius:8px;padding:8px 12px;margin-top:9px!important}.remedy b{font-weight:600}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em}
table{border-collapse:collapse;width:100%;font-size:14px}th{text-align:left;color:var(--faint);font-weight:500;font-size:12.5px}
td,th{padding:7px 10px 7px 0;border-bottom:1px solid var(--edge);vertical-align:baseline;overflow-wrap:anywhere}tr:last-child td{border-bottom:0}
td.when{white-space:nowrap;color:var(--faint);font-variant-numeric:tabular-nums}td.right,th.right{text-align:right;padding-right:0;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}.scroll svg{min-width:720px}svg{display:block;width:100%;height:auto;font:14px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg text{fill:var(--ink)}svg .small{font-size:12.5px}svg .tiny{font-size:11px}svg .strong{font-weight:600}svg .faint{fill:var(--faint)}
svg .on{fill:var(--on);font-weight:600}svg .mono{font-family:ui-monospace,Menlo,Consolas,monospace}
svg .text-good{fill:var(--good)}svg .text-warn{fill:var(--warn)}svg .text-bad{fill:var(--bad)}
.fill-good{fill:var(--good);background:var(--good)}.fill-warn{fill:var(--warn);background:var(--warn)}.fill-bad{fill:var(--bad);background:var(--bad)}
.fill-busy{fill:var(--busy);background:var(--busy)}.fill-idle{fill:var(--idle);background:var(--idle)}
.track{fill:var(--track)}.link{stroke:var(--edge);stroke-width:3}.dashed{stroke-dasharray:4 5}.hollow{fill:none;stroke:var(--idle);stroke-width:2;stroke-dasharray:4 4}
.now{stroke:var(--ink);stroke-width:2}.grid,.rail{stroke:var(--edge);stroke-width:1}.dot{fill:var(--busy)}
details{margin-top:12px}summary{cursor:pointer;color:var(--faint);font-weight:500}details>*:not(summary){margin-top:10px}
.bar{height:8px;border-radius:4px;background:var(--track);overflow:hidden;min-width:120px}.bar i{display:block;height:8px}
.none{color:var(--faint);margin:0}.scroll+.none{margin-top:12px}.key{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:12.5px;
color:var(--faint);margin-top:8px}.key i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}footer{color:var(--faint);font-size:13px;text-align:center}
@media (max-width:560px){main{padding:12px}section,header{padding:16px;border-radius:12px}h1{font-size:24px}}
@media print{body{background:none}section,header{box-shadow:none;break-inside:avoid}}
)css";

std::string text_at(const nlohmann::json& data, const char* table, const char* key) {
    const auto found = data.find(table);
    if (found == data.end() || !found->is_object()) return {};
    const auto value = found->find(key);
    if (value == found->end()) return {};
    return value->is_string() ? value->get<std::string>() : value->dump();
}

std::string text_at(const nlohmann::json& data, const char* key) {
    const auto found = data.find(key);
    if (found == data.end() || found->is_null()) return {};
    return found->is_string() ? found->get<std::string>() : found->dump();
}

const char* colour_of(Phase phase) {
    switch (phase) {
        case Phase::running:
        case Phase::awaiting_deployment: return "good";
        case Phase::failed: return "bad";
        case Phase::degraded: return "warn";
        case Phase::provisioning:
        case Phase::deploying: return "busy";
        default: return "idle";
    }
}

std::string pill(const std::string& colour, std::string_view text) {
    return "<span class=\"pill " + colour + "\">" + escaped(text) + "</span>";
}

std::string tile(const char* name, const std::string& value) {
    if (value.empty()) return {};
    return "<div class=\"tile\"><b>" + std::string(name) + "</b><span>" + escaped(value) + "</span></div>\n";
}

std::string section(const char* title, const std::string& body) {
    return "<section>\n<h2>" + std::string(title) + "</h2>\n" + body + "</section>\n";
}

std::string none(std::string_view why) {
    return "<p class=\"none\">" + escaped(why) + "</p>\n";
}

std::string bytes_text(double bytes) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < units.size()) {
        bytes /= 1024;
        ++unit;
    }
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), bytes < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return text.data();
}

std::string seconds_text(Stamp at) {
    std::string text = to_text(std::chrono::floor<std::chrono::seconds>(at));
    text[10] = ' ';
    return text;
}

std::string head_part(const SupportPage& page) {
    const auto& data = page.report.data;
    std::string out = "<header>\n<div class=\"eyebrow\"><span>EFLOW Companion · support report</span><span>" +
                      escaped(seconds_text(Stamp(page.now))) + " · eflow-agent " + escaped(page.version) +
                      "</span></div>\n<h1>" + escaped(page.host) + "</h1>\n";
    out += "<span class=\"pill big " + std::string(colour_of(page.report.phase)) + "\">" +
           escaped(to_text(page.report.phase)) + "</span>\n";
    if (const auto because = text_at(data, "because"); !because.empty())
        out += "<p class=\"because\">" + escaped(because) + "</p>\n";
    if (const auto next = text_at(data, "next"); !next.empty())
        out += "<p class=\"next\">Next: " + escaped(next) + "</p>\n";
    out += "<div class=\"tiles\">\n";
    out += tile("Device ID", text_at(data, "hub", "device_id")) + tile("IoT Hub", text_at(data, "hub", "hub_name"));
    out += tile("ID scope", text_at(data, "provisioning", "id_scope"));
    out += tile("Attestation", text_at(data, "provisioning", "method"));
    out += tile("Certificate's name", text_at(data, "identity", "common_name"));
    if (const auto left = text_at(data, "identity", "days_left"); !left.empty())
        out += tile("Certificate lasts", left + " days");
    out += tile("Deployment status", text_at(data, "deployment"));
    if (page.containers.value) {
        const auto& all = *page.containers.value;
        const auto modules = std::count_if(all.begin(), all.end(), [](const auto& one) { return one.is_module(); });
        const auto running = std::count_if(all.begin(), all.end(),
                                           [](const auto& one) { return one.is_module() && one.state == "running"; });
        out += tile("Modules running", std::to_string(running) + " of " + std::to_string(modules));
    }
    for (const auto& [name, value] : page.facts)
        if (name == "Operating system" || name == "Up for") out += tile(name.c_str(), value);
    return out + "</div>\n</header>\n";
}

std::string finding_part(const Finding& one) {
    const bool bad = one.severity == Severity::failed;
    std::string out = "<div class=\"finding " + std::string(bad ? "bad" : "warn") + "\">\n<h3>" +
                      pill(bad ? "bad" : "warn", to_text(one.severity)) + "<span>" + escaped(one.summary) +
                      "</span><code>" + escaped(one.id) + "</code></h3>\n";
    if (!one.detail.empty()) out += "<p class=\"detail\">" + escaped(one.detail) + "</p>\n";
    if (!one.remedy.empty()) out += "<p class=\"remedy\"><b>To do:</b> " + escaped(one.remedy) + "</p>\n";
    return out + "</div>\n";
}

std::string findings_part(const Findings& findings) {
    std::array<std::size_t, 4> counts{};
    for (const auto& one : findings) ++counts.at(static_cast<std::size_t>(one.severity));
    const auto count = [&](Severity severity) { return counts.at(static_cast<std::size_t>(severity)); };
    std::string out = "<div class=\"share\">";
    for (const auto& [severity, colour] : {std::pair(Severity::failed, "bad"), std::pair(Severity::warning, "warn"),
                                           std::pair(Severity::ok, "good"), std::pair(Severity::skipped, "idle")})
        if (count(severity) > 0)
            out += "<i class=\"fill-" + std::string(colour) + "\" style=\"flex:" + std::to_string(count(severity)) +
                   "\" title=\"" + std::to_string(count(severity)) + " " + std::string(to_text(severity)) + "\"></i>";
    out += "</div>\n<div class=\"key\">";
    for (const auto& [severity, colour, meaning] :
         {std::tuple(Severity::failed, "bad", "failed"), std::tuple(Severity::warning, "warn", "to be looked at"),
          std::tuple(Severity::ok, "good", "passed"), std::tuple(Severity::skipped, "idle", "not judged")})
        if (count(severity) > 0)
            out += std::string("<span><i class=\"fill-") + colour + "\"></i>" + std::to_string(count(severity)) + " " +
                   meaning + "</span>";
    out += "</div>\n";
    constexpr std::size_t most = 200;
    std::size_t told = 0;
    for (const auto severity : {Severity::failed, Severity::warning})
        for (const auto& one : findings)
            if (one.severity == severity && ++told <= most) out += finding_part(one);
    if (told > most) out += none(std::to_string(told - most) + " more stand in reports/check.json.");
    if (count(Severity::failed) + count(Severity::warning) == 0) out += none("Nothing needs attention.");
    const auto table = [&](Severity severity, const std::string& title, bool detail) {
        if (count(severity) == 0) return;
        out += "<details><summary>" + std::to_string(count(severity)) + " " + title + "</summary>\n<table>\n";
        std::size_t rows = 0;
        for (const auto& one : findings)
            if (one.severity == severity && ++rows <= most)
                out += "<tr><td><code>" + escaped(one.id) + "</code></td><td>" + escaped(one.summary) +
                       (detail && !one.detail.empty() ? ": " + escaped(one.detail) : "") + "</td></tr>\n";
        out += "</table></details>\n";
    };
    table(Severity::ok, "passed", false);
    table(Severity::skipped, "not judged", true);
    return section("Findings", out);
}

std::string chain_part(const SupportPage& page) {
    if (page.chain.empty()) return section("Certificate chain", none(page.no_chain));
    std::string out = "<div class=\"scroll\">" + draw_chain(page.chain, page.now) + "</div>\n";
    out += "<p class=\"none mono\">" + escaped(page.certificate_path) + "</p>\n";
    return section("Certificate chain", out);
}

std::string timeline_part(const SupportPage& page) {
    constexpr std::size_t most_told = 200;
    if (page.history.empty())
        return section("Timeline", none("There is no history: the watcher (eflow-agent watch) has not run here."));
    std::string out = "<div class=\"scroll\">" + draw_timeline(page.history, page.report.phase, page.now) + "</div>\n";
    out += "<div class=\"key\">";
    for (const auto& [colour, meaning] :
         {std::pair("good", "running, awaiting its deployment"), std::pair("busy", "provisioning, deploying"),
          std::pair("warn", "degraded; a warning"), std::pair("bad", "failed"),
          std::pair("idle", "not provisioned, unknown")})
        out += std::string("<span><i class=\"fill-") + colour + "\"></i>" + meaning + "</span>";
    out += "</div>\n";
    const auto& history = page.history;
    out += "<details><summary>The last " + std::to_string(std::min(most_told, history.size())) + " of " +
           std::to_string(history.size()) + " changes</summary>\n<table>\n";
    for (std::size_t i = history.size(); i > 0 && history.size() - i < most_told; --i) {
        const HistoryEntry& one = history[i - 1];
        out += "<tr><td class=\"when\">" + escaped(seconds_text(one.at)) + "</td><td><code>" + escaped(one.what) +
               "</code></td><td>" + escaped(one.from + " → " + one.to) + "</td><td>" + escaped(one.text) +
               "</td></tr>\n";
    }
    return section("Timeline", out + "</table></details>\n");
}

std::string services_part(const SupportPage& page) {
    if (!page.units.value) return section("Services", none("Not seen: " + page.units.why));
    std::string out =
        "<table>\n<tr><th>Unit</th><th>State</th><th>Result</th><th>Since</th><th class=\"right\">Restarts</th></tr>\n";
    for (const auto& unit : *page.units.value) {
        const bool socket = unit.name.ends_with(".socket");
        const bool absent = unit.load == "not-found";
        const char* colour = absent                                                  ? "idle"
                             : unit.active == "failed" || unit.sub == "auto-restart" ? "bad"
                             : unit.active == "active"                               ? "good"
                             : unit.active == "inactive" && !socket                  ? "idle"
                                                                                     : "warn";
        const std::string state = absent ? "not installed"
                                  : unit.active == "inactive" && !socket && unit.name != docker_service
                                      ? "ready, starts on demand"
                                      : unit.active + " (" + unit.sub + ")";
        out += "<tr><td><code>" + escaped(unit.name) + "</code></td><td>" + pill(colour, state) + "</td><td>" +
               escaped(socket ? "" : unit.result) + "</td><td class=\"when\">" +
               (unit.changed == Stamp{} ? "" : escaped(seconds_text(unit.changed))) + "</td><td class=\"right\">" +
               (socket ? "" : std::to_string(unit.restarts)) + "</td></tr>\n";
    }
    return section("Services", "<div class=\"scroll\">" + out + "</table></div>\n");
}

std::string modules_part(const SupportPage& page) {
    if (!page.containers.value) return section("Modules", none("Not seen: " + page.containers.why));
    if (page.containers.value->empty()) return section("Modules", none("There is no container."));
    std::string out = "<table>\n<tr><th>Name</th><th>State</th><th>Image</th><th>Status</th></tr>\n";
    constexpr std::size_t most = 500;
    std::size_t told = 0;
    for (const bool module : {true, false})
        for (const auto& one : *page.containers.value) {
            if (one.is_module() != module || ++told > most) continue;
            const char* colour = one.state == "running"                            ? "good"
                                 : one.state == "created" || one.state == "paused" ? "warn"
                                                                                   : "bad";
            out += "<tr><td><b>" + escaped(one.name) + "</b>" + (module ? "" : " <i>not a module</i>") + "</td><td>" +
                   pill(colour, one.state) + "</td><td class=\"mono\">" + escaped(one.image) + "</td><td>" +
                   escaped(one.status) + "</td></tr>\n";
        }
    return section("Modules", "<div class=\"scroll\">" + out + "</table></div>\n");
}

std::string host_part(const SupportPage& page) {
    std::string out = "<table>\n";
    for (const auto& [name, value] : page.facts)
        out += "<tr><td>" + escaped(name) + "</td><td>" + escaped(value) + "</td></tr>\n";
    out += "</table>\n";
    if (page.disks.empty()) return section("Host", out);
    out +=
        "<table>\n<tr><th>File system of</th><th>Used</th><th class=\"right\">Free</th><th "
        "class=\"right\">Size</th></tr>\n";
    for (const auto& disk : page.disks) {
        const double used =
            disk.total == 0 ? 0 : 100 - 100 * static_cast<double>(disk.free) / static_cast<double>(disk.total);
        std::array<char, 16> share{};
        std::snprintf(share.data(), share.size(), "%.0f%%", used);
        const std::string colour = used > 95 ? "bad" : used > 85 ? "warn" : "good";
        out += "<tr><td><code>" + escaped(disk.path) + "</code></td><td><div class=\"bar\" title=\"" + share.data() +
               "\"><i class=\"fill-" + colour + "\" style=\"width:" + share.data() +
               "\"></i></div></td><td class=\"right\">" + bytes_text(static_cast<double>(disk.free)) +
               "</td><td class=\"right\">" + bytes_text(static_cast<double>(disk.total)) + "</td></tr>\n";
    }
    return section("Host", out + "</table>\n");
}

std::string archive_part(const SupportPage& page) {
    std::string out;
    if (!page.missing.empty()) {
        out += "<table>\n<tr><th>Could not be had</th><th>Why</th></tr>\n";
        for (const auto& [what, why] : page.missing)
            out += "<tr><td>" + escaped(what) + "</td><td>" + escaped(why) + "</td></tr>\n";
        out += "</table>\n";
    }
    out += "<details><summary>" + std::to_string(page.entries.size()) +
           " files stand beside this page</summary>\n<table>\n";
    for (const auto& [name, size] : page.entries)
        out += "<tr><td><code>" + escaped(name) + "</code></td><td class=\"right\">" +
               bytes_text(static_cast<double>(size)) + "</td></tr>\n";
    return section("What is in the bundle, and what is not", out + "</table></details>\n");
}

/// The length of the UTF-8 character at `at`; 0 when it is none.
std::size_t character_at(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(at);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xc2 && first < 0xe0 ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    if (length == 0 || at + length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(at + i) & 0xc0U) != 0x80U) return 0;
    // Overlong forms, surrogates and what lies past the last plane.
    if (length > 2) {
        const unsigned second = byte(at + 1);
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
            (first == 0xf4 && second > 0x8f))
            return 0;
    }
    return length;
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = character_at(text, at);
        if (length != 1) {
            out += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(at, length);
            at += std::max<std::size_t>(length, 1);
            continue;
        }
        const char c = text[at++];
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f ? ' ' : c;
        }
    }
    return out;
}

std::string support_page(const SupportPage& page) {
    std::string out =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        "<title>" +
        escaped(page.host) + ": " + escaped(to_text(page.report.phase)) + "</title>\n<style>" + std::string(style) +
        "</style>\n</head>\n<body>\n<main>\n";
    out += head_part(page) + findings_part(page.report.findings) + chain_part(page) + timeline_part(page);
    out += services_part(page) + modules_part(page) + host_part(page) + archive_part(page);
    return out +
           "<footer>Every secret was taken out before this page was made; look through it all the same before you "
           "send it.</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace eflow
