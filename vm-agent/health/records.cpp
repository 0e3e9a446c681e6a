#include "vm-agent/health/records.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace eflow {

namespace {

constexpr std::string_view caused_by = "caused by: ";
constexpr std::string_view answer_mark = "!!! ";
constexpr std::string_view anyhow_causes = "Caused by:";
constexpr std::size_t longest_continued = 4000;

enum class Level { none, info, warning, error };

/// "2026-01-31T12:00:00Z [ERR!] - message" (logger/src/lib.rs); at DEBUG the target stands before the message. A line
/// without that form goes on from the one before it.
struct Line {
    Level level = Level::none;
    std::string_view at;
    std::string_view text;
};

std::string_view without_indent(std::string_view text) {
    const auto first = text.find_first_not_of(' ');
    return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

Line read_line(std::string_view whole) {
    // Some readers of a journal leave the priority that journald takes off.
    if (whole.size() > 3 && whole[0] == '<' && whole[2] == '>') whole.remove_prefix(3);
    struct Mark {
        std::string_view text;
        Level level;
    };
    constexpr Mark marks[] = {{"[ERR!] - ", Level::error},  {"[WARN] - ", Level::warning}, {"[INFO] - ", Level::info},
                              {"[DBUG] - ", Level::info},   {"[TRCE] - ", Level::info},    {"[ERR!] -", Level::error},
                              {"[WARN] -", Level::warning}, {"[INFO] -", Level::info}};
    for (const auto& mark : marks) {
        const auto at = whole.find(mark.text);
        // A time, or nothing, stands before it; further in, it is a quotation.
        if (at == std::string_view::npos || at > 40) continue;
        const auto stamp = whole.substr(0, at);
        const auto end = stamp.find_last_not_of(' ');
        return {mark.level, end == std::string_view::npos ? std::string_view() : stamp.substr(0, end + 1),
                whole.substr(at + mark.text.size())};
    }
    return {Level::none, {}, whole};
}

/// "  12: <unknown>", "   3: aziotd::main" and the "at file:line" below it (the crate backtrace, Debug). A cause that
/// anyhow counts has the same form, and is known by what it follows.
bool is_frame(std::string_view text) {
    text = without_indent(text);
    if (text.starts_with("at ") && text.find(':') != std::string_view::npos) return true;
    if (text == "[backtrace]" || text == "stack backtrace:" || text == "Stack backtrace:" || text == "<disabled>" ||
        text == "disabled backtrace" || text == "unsupported backtrace")
        return true;
    const auto digits = text.find_first_not_of("0123456789");
    return digits != 0 && digits != std::string_view::npos && digits <= 3 && text.substr(digits).starts_with(": ");
}

/// systemd on the unit, in the same journal.
bool is_of_systemd(std::string_view text) {
    const auto word = text.substr(0, text.find(' '));
    return word.ends_with(".service:") || word.ends_with(".socket:") || text.starts_with("Started ") ||
           text.starts_with("Stopped ") || text.starts_with("Stopping ") || text.starts_with("Starting ") ||
           text.starts_with("Scheduled restart ") || text.starts_with("Failed to start ");
}

int number_at(std::string_view text) {
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

class Reader {
public:
    void take(std::string_view whole) {
        const Line line = read_line(whole);
        if (line.level == Level::none)
            take_continued(line.text);
        else
            take_logged(line);
    }
    Said finish() && { return std::move(said_); }

private:
    /// What the next line may add to the last error.
    enum class Open { none, head, chain, answer, anyhow, frames };

    void take_logged(const Line& line) {
        const std::string_view text = line.text;
        if (text.starts_with(answer_mark)) return take_answered(line, text.substr(answer_mark.size()));
        if (text.starts_with("--> ")) {
            const int status = number_at(text.substr(4));
            if (open_ == Open::answer && status >= 400) said_.errors.back().status = status;
            open_ = Open::none;
            return;
        }
        if (text.starts_with("<-- ")) {
            open_ = Open::none;
            return;
        }
        if (line.level == Level::info) {
            open_ = Open::none;
            if (!text.empty()) said_.words.push_back({std::string(text), said_.errors.size()});
            return;
        }
        if (line.level == Level::error && text.starts_with(caused_by))
            return take_cause(line, text.substr(caused_by.size()));
        if (line.level == Level::error && (text.starts_with(' ') || text.starts_with('[')) && is_frame(text))
            return begin_frames();
        open({ErrorRecord::Form::logged, {std::string(text)}, {}, 0, std::string(line.at)}, Open::head);
        is_error_ = line.level == Level::error;
    }

    void take_cause(const Line& line, std::string_view cause) {
        if (open_ == Open::head && is_error_) {
            said_.errors.back().form = ErrorRecord::Form::fatal;
            gather_before();
        } else if (open_ != Open::chain) {  // its head was cut off
            open({ErrorRecord::Form::fatal, {}, {}, 0, std::string(line.at)}, Open::chain);
        }
        open_ = Open::chain;
        said_.errors.back().chain.emplace_back(cause);
    }

    void take_answered(const Line& line, std::string_view text) {
        const bool is_cause = text.starts_with(caused_by);
        if (is_cause) text.remove_prefix(caused_by.size());
        if (open_ != Open::answer) {
            open({ErrorRecord::Form::answered, {std::string(text)}, {}, 0, std::string(line.at)}, Open::answer);
            gather_before();
        } else if (is_cause) {
            said_.errors.back().chain.emplace_back(text);
        } else {
            go_on(text);
        }
    }

    void take_continued(std::string_view text) {
        const std::string_view bare = without_indent(text);
        if (bare.empty() || open_ == Open::none) return;
        if (is_of_systemd(text)) {
            open_ = Open::none;
        } else if (open_ == Open::anyhow) {
            take_anyhow(bare);
        } else if (bare == anyhow_causes && open_ == Open::head) {
            open_ = Open::anyhow;
            counted_ = 0;
        } else if (is_frame(text)) {
            begin_frames();
        } else if (open_ == Open::frames) {
            open_ = Open::none;
        } else {
            go_on(text);
        }
    }

    /// "    0: first" and "    1: second" where there are several, or the only one.
    void take_anyhow(std::string_view text) {
        if (text == "Stack backtrace:") return begin_frames();
        const bool is_numbered = is_frame(text) && text.front() >= '0' && text.front() <= '9';
        if (is_numbered) text = text.substr(text.find(": ") + 2);
        if (!is_numbered && counted_ > 0) return go_on(text);
        ++counted_;
        said_.errors.back().chain.emplace_back(text);
    }

    void begin_frames() {
        if (open_ == Open::head && is_error_) {
            said_.errors.back().form = ErrorRecord::Form::fatal;
            gather_before();
        }
        if (open_ != Open::none) open_ = Open::frames;
    }

    void go_on(std::string_view text) {
        std::string& last = said_.errors.back().chain.back();
        if (last.size() + text.size() < longest_continued) last.append("\n").append(text);
    }

    void open(ErrorRecord record, Open what) {
        // Lone errors lead to the one that follows, when nothing else stands between.
        const bool leads = open_ == Open::head && is_error_;
        const bool explains = open_ == Open::anyhow;
        leading_ = leads ? leading_ + 1 : 0;
        said_.errors.push_back(std::move(record));
        open_ = what;
        if (!explains) return;
        // What the engine answered comes first, then what could not be done for it.
        leading_ = 1;
        gather_before();
    }

    /// The lone errors directly before the last one belong to it.
    void gather_before() {
        auto& errors = said_.errors;
        const auto last = errors.end() - 1;
        const auto first = last - static_cast<std::ptrdiff_t>(leading_);
        for (auto one = first; one != last; ++one)
            for (auto& text : one->chain) last->before.push_back(std::move(text));
        errors.erase(first, last);
        leading_ = 0;
        // What was said after the ones that went comes after as many fewer.
        for (auto& word : said_.words) word.after = std::min(word.after, errors.size() - 1);
    }

    Said said_;
    Open open_ = Open::none;
    bool is_error_ = false;    ///< the open head is at ERR!
    std::size_t leading_ = 0;  ///< lone errors right before the last one
    std::size_t counted_ = 0;  ///< causes of anyhow so far
};

}  // namespace

Said read_said(const std::vector<std::string>& lines) {
    Reader reader;
    for (const auto& line : lines) reader.take(line);
    return std::move(reader).finish();
}

bool is_chatter(std::string_view whole) {
    const Line line = read_line(whole);
    if (line.level == Level::none) {
        const auto bare = without_indent(line.text);
        return bare.empty() || bare.ends_with(": <unknown>") || (bare.starts_with("at ") && is_frame(bare));
    }
    if (line.text.starts_with("<-- ")) return true;
    return line.text.starts_with("--> ") && number_at(line.text.substr(4)) < 400;
}

bool is_notice(std::string_view whole) {
    const Line line = read_line(whole);
    return line.level == Level::info && !line.text.starts_with(answer_mark);
}

bool is_start(std::string_view whole) {
    const Line line = read_line(whole);
    return line.level == Level::info &&
           (line.text == "Starting service..." || line.text == "Starting Azure IoT Edge Daemon");
}

}  // namespace eflow
