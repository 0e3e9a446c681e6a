#include "vm-agent/watch/engine_source.hpp"

#include <algorithm>
#include <utility>

namespace eflow {

namespace {

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
    : loop_(loop), socket_path_(std::move(socket_path)), handlers_(std::move(handlers)), retry_(loop), pace_(pace) {}

void EngineSource::start() {
    if (wanted_) return;
    wanted_ = true;
    told_lost_ = false;
    pause_ = pace_.shortest_pause;
    connect();
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
    agent_log_.reset();
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
        bool agent_runs = false;
        for (const auto& one : *containers.value) {
            if (is_runtime(one.name)) inspect(one.name);
            agent_runs = agent_runs || (one.name == "edgeAgent" && one.state == "running");
        }
        handlers_.listed(std::move(*containers.value));
        listing_ = false;
        for (const auto& event : std::exchange(waiting_, {})) handle(event);
        if (agent_runs && !agent_log_) follow_agent();
    });
}

void EngineSource::take(std::string_view line) {
    auto event = read_event(line);
    if (!event) return;
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
        last_nanos_ = event->nanos;
    }
    if (!changes_something(*event)) return;
    if (listing_)
        waiting_.push_back(std::move(*event));
    else
        handle(*event);
}

void EngineSource::handle(const ContainerEvent& event) {
    handlers_.happened(event);
    if (!is_runtime(event.name)) return;
    if (event.action != "destroy") inspect(event.name);
    if (event.name == "edgeAgent" && event.action == "start") follow_agent();
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
        if (!seen.value) return lose(seen.why);
        if (*seen.value) handlers_.inspected(**seen.value);
    });
}

void EngineSource::follow_agent() {
    agent_frames_ = {};
    agent_lines_ = {};
    const std::string tail = agent_read_ ? "&tail=50" : "&tail=500";
    HttpStream::Handlers handlers;
    handlers.begun = [this] { agent_read_ = true; };
    handlers.data = [this](std::string_view bytes) {
        agent_frames_.feed(bytes, [this](std::string_view text) {
            agent_lines_.feed(text, [this](std::string_view line) { handlers_.agent_said(std::string(line)); });
        });
    };
    // It ends with the container; the next start of it opens another.
    handlers.ended = [this](const std::string&) { agent_log_.reset(); };
    agent_log_ = std::make_unique<HttpStream>(
        loop_, socket_path_, prefix_ + "/containers/edgeAgent/logs?follow=1&stdout=1&stderr=1" + tail,
        std::move(handlers), pace_.deadline);
}

void EngineSource::get(const std::string& target, std::unique_ptr<HttpGet>& slot, HttpGet::Done done) {
    slot = std::make_unique<HttpGet>(loop_, socket_path_, target, pace_.deadline,
                                     [&slot, done = std::move(done)](Sight<HttpAnswer> answer) {
                                         slot.reset();
                                         done(std::move(answer));
                                     });
}

}  // namespace eflow
