#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "vm-agent/cli/support_html.hpp"
#include "vm-agent/health/summary.hpp"

namespace eflow {

namespace {

constexpr double width = 1000;

std::string number(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f", value);
    return text.data();
}

std::string rectangle(double x, double y, double w, double h, const std::string& css, double radius = 4) {
    return "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(std::max(w, 0.0)) +
           "\" height=\"" + number(h) + "\" rx=\"" + number(radius) + "\" class=\"" + css + "\"";
}

std::string words(double x, double y, const std::string& css, std::string_view text, const char* anchor = "start") {
    return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" class=\"" + css + "\" text-anchor=\"" + anchor +
           "\">" + escaped(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& css) {
    return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) +
           "\" class=\"" + css + "\"/>\n";
}

std::string opened(double height, const char* label) {
    return "<svg viewBox=\"0 0 " + number(width) + " " + number(height) + "\" role=\"img\" aria-label=\"" + label +
           "\" xmlns=\"http://www.w3.org/2000/svg\">\n";
}

/// At most `most` characters, cut between two of them.
std::string shortened(const std::string& text, std::size_t most) {
    std::size_t characters = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80U) continue;
        if (++characters == most && i + 1 < text.size()) return text.substr(0, i) + "…";
    }
    return text;
}

std::string date(Instant instant) {
    return to_text(instant).substr(0, 10);
}

std::string days(long left) {
    if (left < 0) return "expired " + std::to_string(-left) + (left == -1 ? " day ago" : " days ago");
    return std::to_string(left) + (left == 1 ? " day left" : " days left");
}

const char* colour_of(const CertificateFacts& one, Instant now) {
    constexpr long soon = 30;
    constexpr long urgent = 7;
    if (now < one.not_before || one.days_left < urgent) return "bad";
    return one.days_left < soon ? "warn" : "good";
}

std::string name_of(const CertificateFacts& one) {
    return one.common_name && !one.common_name->empty() ? *one.common_name : one.subject;
}

const char* colour_of_phase(std::string_view phase) {
    if (phase == "running" || phase == "awaiting-deployment") return "good";
    if (phase == "failed") return "bad";
    if (phase == "degraded") return "warn";
    if (phase == "provisioning" || phase == "deploying") return "busy";
    return "idle";
}

const char* colour_of_severity(std::string_view severity) {
    if (severity == "failed") return "bad";
    if (severity == "warning") return "warn";
    return "";
}

/// A stretch of time in one state.
struct Stretch {
    Stamp from;
    Stamp to;
    std::string state;
    std::string text;
};

/// Time across the drawing.
class Axis {
public:
    Axis(Stamp from, Stamp to, double left, double right) : from_(from), to_(to), left_(left), right_(right) {}

    [[nodiscard]] double at(Stamp time) const {
        const double span = static_cast<double>((to_ - from_).count());
        const double share = span <= 0 ? 1 : static_cast<double>((time - from_).count()) / span;
        return left_ + std::clamp(share, 0.0, 1.0) * (right_ - left_);
    }

    [[nodiscard]] std::string ticks(double top, double bottom) const {
        constexpr int count = 6;
        const auto span = to_ - from_;
        std::string out;
        for (int i = 0; i < count; ++i) {
            const Stamp time = from_ + span * i / (count - 1);
            const double x = at(time);
            const std::string full = to_text(std::chrono::floor<std::chrono::seconds>(time));
            const std::string shown = span > std::chrono::hours(72)  ? full.substr(0, 10)
                                      : span > std::chrono::hours(1) ? full.substr(5, 5) + " " + full.substr(11, 5)
                                                                     : full.substr(11, 8);
            out += line(x, top, x, bottom, "grid");
            out += words(x, bottom + 18, "small faint", shown, i == 0 ? "start" : i == count - 1 ? "end" : "middle");
        }
        return out;
    }

private:
    Stamp from_;
    Stamp to_;
    double left_;
    double right_;
};

std::string drawn(const Axis& axis, const std::vector<Stretch>& stretches, double y, double height,
                  const char* (*colour)(std::string_view), bool named) {
    constexpr double for_a_name = 8.2;
    std::string out;
    for (const auto& one : stretches) {
        const std::string css = colour(one.state);
        if (css.empty()) continue;
        const double x = axis.at(one.from);
        const double w = std::max(3.0, axis.at(one.to) - x);
        out += rectangle(x, y, w, height, "fill-" + css, 3) + "><title>" +
               escaped(one.state + " from " + to_text(std::chrono::floor<std::chrono::seconds>(one.from)) +
                       (one.text.empty() ? "" : ": " + shortened(one.text, 300))) +
               "</title></rect>\n";
        if (named && w > for_a_name * static_cast<double>(one.state.size()))
            out += words(x + w / 2, y + height / 2 + 4.5, "small on", one.state, "middle");
    }
    return out;
}

}  // namespace

std::string draw_chain(const std::vector<CertificateFacts>& chain, Instant now) {
    constexpr double row = 92;
    constexpr double left = 430;
    constexpr double right = width - 10;
    if (chain.empty()) return {};
    const bool complete = chain.back().subject == chain.back().issuer;
    const double height = row * static_cast<double>(chain.size()) + (complete ? 0 : 52);
    std::string out = opened(height, "Certificate chain, leaf first");
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const CertificateFacts& one = chain[i];
        const double y = row * static_cast<double>(i);
        const std::string colour = colour_of(one, now);
        if (i + 1 < chain.size() || !complete)
            out += line(22, y + 46, 22, y + row + 18, i + 1 < chain.size() ? "link" : "link dashed");
        out += "<circle cx=\"22\" cy=\"" + number(y + 32) + "\" r=\"13\" class=\"fill-" + colour + "\"/>\n";
        out += words(22, y + 36.5, "small on", std::to_string(i + 1), "middle");
        out += words(50, y + 26, "strong", shortened(name_of(one), 42));
        const bool root = one.subject == one.issuer;
        out += words(50, y + 45, "small faint",
                     std::string(i == 0 ? (one.ca ? "leaf, but a CA" : "leaf")
                                 : root ? "root"
                                        : "intermediate") +
                         " · " + one.key + " · " + shortened(one.signature, 30));
        out += words(50, y + 62, "tiny mono faint", one.sha256.substr(0, 32));

        const double total = static_cast<double>((one.not_after - one.not_before).count());
        const double gone =
            total <= 0 ? 1 : std::clamp(static_cast<double>((now - one.not_before).count()) / total, 0.0, 1.0);
        const double x = left + gone * (right - left);
        out += rectangle(left, y + 24, right - left, 14, "track", 7) + "/>\n";
        out += rectangle(left, y + 24, std::max(8.0, x - left), 14, "fill-" + colour, 7) + "><title>" +
               number(gone * 100) + " % of its life is over</title></rect>\n";
        out += line(x, y + 19, x, y + 43, "now");
        out += words(left, y + 58, "small faint", date(one.not_before));
        out += words(right, y + 58, "small faint", date(one.not_after), "end");
        out += words((left + right) / 2, y + 58, "small strong text-" + colour,
                     now < one.not_before ? "not valid yet" : days(one.days_left), "middle");
    }
    if (!complete) {
        const double y = row * static_cast<double>(chain.size());
        out += "<circle cx=\"22\" cy=\"" + number(y + 30) + "\" r=\"12\" class=\"hollow\"/>\n";
        out += words(50, y + 28, "faint", shortened(chain.back().issuer, 90));
        out += words(50, y + 44, "small faint", "its issuer is not in the file; DPS must know it, or one below it");
    }
    return out + "</svg>\n";
}

std::string draw_timeline(const std::vector<HistoryEntry>& history, Phase phase, Instant now) {
    constexpr std::size_t most_lanes = 14;
    constexpr double left = 250;
    constexpr double right = width - 10;
    constexpr double lane = 24;
    if (history.empty()) return {};
    const Stamp end = std::max(Stamp(now), history.back().at);
    Stamp begin = end;
    for (const auto& entry : history) begin = std::min(begin, entry.at);
    // Something before the first change shows from what it changed.
    begin -= std::max<std::chrono::microseconds>((end - begin) / 40, std::chrono::seconds(1));

    std::vector<Stretch> phases;
    std::map<std::string, std::vector<Stretch>> lanes;
    std::map<std::string, Stamp> last;
    std::vector<const HistoryEntry*> events;
    for (const auto& entry : history) {
        if (entry.kind == "phase") {
            if (phases.empty())
                phases.push_back({begin, entry.at, entry.from, ""});
            else
                phases.back().to = entry.at;
            phases.push_back({entry.at, end, entry.to, entry.text});
        } else if (entry.kind == "finding") {
            auto& of_check = lanes[entry.what];
            if (of_check.empty())
                of_check.push_back({begin, entry.at, entry.from, ""});
            else
                of_check.back().to = entry.at;
            of_check.push_back({entry.at, end, entry.to, entry.text});
            last[entry.what] = entry.at;
        } else {
            events.push_back(&entry);
        }
    }
    if (phases.empty()) phases.push_back({begin, end, std::string(to_text(phase)), ""});
    std::vector<std::string> shown;
    for (const auto& [id, at] : last) shown.push_back(id);
    std::stable_sort(shown.begin(), shown.end(), [&](const auto& a, const auto& b) { return last[a] > last[b]; });
    if (shown.size() > most_lanes) shown.resize(most_lanes);

    const Axis axis(begin, end, left, right);
    const double bottom = 58 + lane * static_cast<double>(shown.size()) + (events.empty() ? 0 : lane);
    std::string out = opened(bottom + 28, "Phases and findings over time");
    out += axis.ticks(4, bottom);
    out += words(0, 28, "strong", "Phase");
    out += drawn(axis, phases, 8, 32, colour_of_phase, true);
    double y = 52;
    for (const auto& id : shown) {
        out += words(0, y + 14, "small mono", shortened(id, 32));
        out += line(left, y + 10, right, y + 10, "rail");
        out += drawn(axis, lanes[id], y + 3, 14, colour_of_severity, false);
        y += lane;
    }
    if (!events.empty()) {
        out += words(0, y + 14, "small faint", "units, modules, clock");
        constexpr std::size_t most_dots = 500;
        for (std::size_t i = events.size() > most_dots ? events.size() - most_dots : 0; i < events.size(); ++i) {
            const auto& one = *events[i];
            out += "<circle cx=\"" + number(axis.at(one.at)) + "\" cy=\"" + number(y + 10) +
                   "\" r=\"3.5\" class=\"dot\"><title>" +
                   escaped(to_text(std::chrono::floor<std::chrono::seconds>(one.at)) + " " + one.what + ": " +
                           one.from + " → " + one.to) +
                   "</title></circle>\n";
        }
    }
    return out + "</svg>\n";
}

}  // namespace eflow
