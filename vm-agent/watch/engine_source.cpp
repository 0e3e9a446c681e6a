#include "vm-agent/watch/engine_source.hpp"

#include <algorithm>
#include <utility>

namespace eflow {

namespace {

constexpr auto agent_logs = "/containers/edgeAgent/logs?stdout=1&stderr=1&timestamps=1&tail=500";
constexpr std::chrono::hours longest_agent_pause{1};
constexpr std::size_t most_recent = 1024;  // the engine itself remembers 256
constexpr std::int64_t overlap = 1'000'000'000;
// {"type":["container"]}
constexpr auto containers_only = "&filters=%7B%22type%22%3A%5B%22container%22%5D%7D";

bool is_runtime(const std::string& name) {
    return name == "edgeAgent" || name == "edgeHub";
}

/// Actions after which a container is not what it was. exec_*, top, attach and the like change nothing.
bool changes_something(const ContainerEvent& event) {
    for (const char* prefix : {"exec_", "top", "attach", "detach", "resize", "archive-path", "extract-to-dir", "copy",
                               "export", "commit"})
        if (event.action.starts_with(prefix)) return false;
    return true;
}

/// "1790000000.123456789", as `since` takes it: a second before the last event. The engine's events are not quite in the
/// order of their times, and a clock that is set moves them.
std::string since(std::int64_t nanos) {
    nanos = std::max<std::int64_t>(0, nanos - overlap);
    const std::string fraction = std::to_string(nanos % 1'000'000'000);
    return std::to_string(nanos / 1'000'000'000) + "." + std::string(9 - fraction.size(), '0') + fraction;
}

}  // namespace

EngineSource::EngineSource(boost::asio::io_context& loop, std::string socket_path, Handlers handlers)
    : EngineSource(loop, std::move(socket_path), std::move(handlers), Pace{}) {}

EngineSource::EngineSource(boost::asio::io_context& loop, std::string socket_path, Handlers handlers, Pace pace)
    : loop_(loop), socket_path_(std::move(socket_path)), handlers_(std::move(handlers)), retry_(loop), pace_(pace), agent_retry_(loop) {}

void EngineSource::start() {
    if (wanted_) return;
    wanted_ = true;
    told_lost_ = false;
    pause_ = pace_.shortest_pause;
    connect();
}

void EngineSource::move_to(std::string socket_path) {
    if (socket_path == socket_path_) return;
    const bool wanted = wanted_;
    rest(socket_path_ + " is not the engine that IoT Edge uses any more");
    socket_path_ = std::move(socket_path);
    last_nanos_ = 0;  // another engine, another stream
    recent_.clear();
    recent_order_.clear();
    if (wanted) start();
}

void EngineSource::rest(const std::string& why) {
    wanted_ = false;
    lose(why);
}

void EngineSource::probe() {
    if (prefix_.empty() || call_) return;
    get("/_ping", call_, [this](const Sight<HttpAnswer>& answer) {
        if (!answer.value) lose(answer.why);
    });
}

void EngineSource::connect() {
    get("/_ping", call_, [this](const Sight<HttpAnswer>& answer) {
        if (!answer.value) return lose(answer.why);
        const auto prefix = answer.value->status == 200 ? version_prefix_of(answer.value->api_version) : std::nullopt;
        if (!prefix) return lose(socket_path_ + " is no container engine");
        prefix_ = *prefix;
        follow_events();
    });
}

void EngineSource::lose(const std::string& why) {
    prefix_.clear();
    call_.reset();
    events_.reset();
    agent_call_.reset();
    agent_log_.reset();
    agent_retry_.cancel();
    inspections_.clear();
    waiting_.clear();
    listing_ = false;
    event_lines_ = {};
    if (!told_lost_) handlers_.lost(why);
    told_lost_ = true;
    if (!wanted_) {
        retry_.cancel();
        return;
    }
    retry_.expires_after(pause_);
    pause_ = std::min(pause_ * 2, pace_.longest_pause);
    retry_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled && wanted_) connect();
    });
}

/// The stream first, then the list: what happens between the two is in both.
void EngineSource::follow_events() {
    std::string target = prefix_ + "/events?";
    if (last_nanos_ > 0) target += "since=" + since(last_nanos_);
    HttpStream::Handlers handlers;
    handlers.begun = [this] { list(); };
    handlers.data = [this](std::string_view bytes) {
        event_lines_.feed(bytes, [this](std::string_view line) { take(line); });
    };
    handlers.ended = [this](const std::string& why) { lose(socket_path_ + ": " + why); };
    events_ = std::make_unique<HttpStream>(loop_, socket_path_, target + containers_only, std::move(handlers),
                                           pace_.deadline);
}

void EngineSource::list() {
    listing_ = true;
    get(prefix_ + "/containers/json?all=1", call_, [this](const Sight<HttpAnswer>& answer) {
        if (!answer.value) return lose(answer.why);
        if (answer.value->status != 200)
            return lose(socket_path_ + " answered " + std::to_string(answer.value->status));
        auto containers = read_container_list(answer.value->body, socket_path_);
        if (!containers.value) return lose(containers.why);
        told_lost_ = false;
        pause_ = pace_.shortest_pause;
        agent_runs_ = false;
        agent_pause_ = pace_.longest_pause;
        for (const auto& one : *containers.value) {
            if (is_runtime(one.name)) inspect(one.name);
            agent_runs_ = agent_runs_ || (one.name == "edgeAgent" && one.state == "running");
        }
        handlers_.listed(std::move(*containers.value));
        listing_ = false;
        for (const auto& event : std::exchange(waiting_, {})) handle(event);
        if (agent_runs_ && !agent_call_ && !agent_log_) read_agent();
    });
}

void EngineSource::take(std::string_view line) {
    auto event = read_event(line);
    if (!event) return;
    if (event->nanos != 0) last_nanos_ = event->nanos;
    if (!changes_something(*event)) return;
    // `since` gives some of them again. Their times alone do not tell which: a clock may have been set back.
    if (event->nanos != 0) {
        const auto [place, fresh] =
            recent_.insert(std::to_string(event->nanos) + " " + event->id + " " + event->action);
        if (!fresh) return;
        recent_order_.push_back(place);
        if (recent_order_.size() > most_recent) {
            recent_.erase(recent_order_.front());
            recent_order_.pop_front();
        }
    }
    if (listing_)
        waiting_.push_back(std::move(*event));
    else
        handle(*event);
}

void EngineSource::handle(const ContainerEvent& event) {
    handlers_.happened(event);
    if (!is_runtime(event.name)) return;
    if (event.action != "destroy") inspect(event.name);
    if (event.name != "edgeAgent") return;
    if (event.action == "die" || event.action == "destroy") agent_runs_ = false;
    if (event.action != "start") return;
    agent_runs_ = true;
    agent_log_.reset();
    agent_pause_ = pace_.longest_pause;
    read_agent();
}

void EngineSource::inspect(const std::string& name) {
    Inspection& inspection = inspections_[name];
    if (inspection.call) {
        inspection.again = true;
        return;
    }
    get(prefix_ + "/containers/" + name + "/json", inspection.call, [this, name](const Sight<HttpAnswer>& answer) {
        if (!answer.value) return lose(answer.why);
        if (std::exchange(inspections_[name].again, false)) return inspect(name);
        const auto seen = read_container(answer.value->status, answer.value->body, socket_path_);
        // An engine that cannot say more of one container (a broken one, after a power cut) serves as well for the rest.
        if (seen.value && *seen.value) handlers_.inspected(**seen.value);
    });
}

/// What it has said last comes as one answer, so that nothing is judged half way through; then as it is written.
void EngineSource::read_agent() {
    get(prefix_ + agent_logs, agent_call_, [this](const Sight<HttpAnswer>& answer) {
        if (answer.value && answer.value->status != 200 && handlers_.agent_unheard)
            handlers_.agent_unheard(describe_answer(socket_path_, answer.value->status, answer.value->body));
        if (!answer.value || answer.value->status != 200) return read_agent_later();
        std::vector<LoggedLine> lines;
        agent_heard_.clear();
        for (const auto& line : split_log(answer.value->body)) {
            lines.push_back(read_logged_line(line));
            if (lines.back().at != Stamp{}) agent_heard_.insert(line.substr(0, line.find(' ')));
        }
        handlers_.agent_had_said(lines);
        follow_agent();
    });
}

/// A line of the stream, unless it stands among the last ones that came before.
void EngineSource::hear_agent(std::string_view line) {
    if (!agent_heard_.empty() && agent_heard_.count(std::string(line.substr(0, line.find(' ')))) > 0) return;
    agent_heard_.clear();  // all of those stand before it
    agent_pause_ = pace_.longest_pause;
    handlers_.agent_said(read_logged_line(line));
}

/// With the last lines once more: what was written since the answer is among them.
void EngineSource::follow_agent() {
    agent_frames_ = {};
    agent_lines_ = {};
    HttpStream::Handlers handlers;
    handlers.begun = [] {};
    handlers.data = [this](std::string_view bytes) {
        agent_frames_.feed(bytes, [this](std::string_view text) {
            agent_lines_.feed(text, [this](std::string_view line) { hear_agent(line); });
        });
    };
    handlers.ended = [this](const std::string&) {
        agent_log_.reset();
        read_agent_later();
    };
    agent_log_ = std::make_unique<HttpStream>(loop_, socket_path_, prefix_ + agent_logs + "&follow=1", std::move(handlers),
                                              pace_.deadline);
}

/// A log ends with its container, whose next start opens it anew. One that ends before that is opened again, after pauses
/// that grow: with some log drivers there is none to be had.
void EngineSource::read_agent_later() {
    agent_retry_.expires_after(agent_pause_);
    agent_pause_ = std::min<std::chrono::milliseconds>(agent_pause_ * 2, longest_agent_pause);
    agent_retry_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled && agent_runs_ && !prefix_.empty() && !agent_call_ && !agent_log_) read_agent();
    });
}

void EngineSource::get(const std::string& target, std::unique_ptr<HttpGet>& slot, HttpGet::Done done) {
    slot = std::make_unique<HttpGet>(loop_, socket_path_, target, pace_.deadline,
                                     [&slot, done = std::move(done)](Sight<HttpAnswer> answer) {
                                         slot.reset();
                                         done(std::move(answer));
                                     });
}

}  // namespace eflow
