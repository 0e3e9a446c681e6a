#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "vm-agent/machine/containers.hpp"
#include "vm-agent/watch/http_stream.hpp"

namespace eflow {

/// The container engine in the loop: its containers once, then its events, from the last one on after a connection was
/// lost; edgeAgent and edgeHub in detail after each of theirs; and edgeAgent's log as it is written. Nothing here blocks:
/// an engine that is gone, silent or speaks garbage is told of, and tried again until it is there.
class EngineSource {
public:
    struct Handlers {
        std::function<void(std::vector<ContainerSeen> containers)> listed;  ///< after each connection
        std::function<void(const ContainerEvent& event)> happened;
        std::function<void(const ContainerSeen& container)> inspected;
        /// The last 500 lines of edgeAgent's log: with each connection, and each start of edgeAgent.
        std::function<void(const std::vector<LoggedLine>& lines)> agent_had_said;
        std::function<void(const LoggedLine& line)> agent_said;  ///< after those
        std::function<void(const std::string& why)> lost;
        std::function<void(const std::string& why)> agent_unheard;  ///< its log cannot be read
    };

    /// How long an answer may take, and the pauses between attempts to connect: each twice the last, up to the longest.
    struct Pace {
        std::chrono::milliseconds deadline{3000};
        std::chrono::milliseconds shortest_pause{250};
        std::chrono::milliseconds longest_pause{4000};
    };

    EngineSource(boost::asio::io_context& loop, std::string socket_path, Handlers handlers);
    EngineSource(boost::asio::io_context& loop, std::string socket_path, Handlers handlers, Pace pace);

    /// Connects and stays so until `rest`.
    void start();
    /// Follows the engine at another socket from now on.
    void move_to(std::string socket_path);
    /// Lets go of the engine: its service does not run, and a connection would make systemd start it.
    void rest(const std::string& why);
    /// Asks for a sign of life: an engine that has gone silent tells of no event either.
    void probe();

private:
    void connect();
    void lose(const std::string& why);
    void follow_events();
    void list();
    void take(std::string_view line);
    void handle(const ContainerEvent& event);
    void inspect(const std::string& name);
    void read_agent();
    void hear_agent(std::string_view line);
    void follow_agent();
    void read_agent_later();
    void get(const std::string& target, std::unique_ptr<HttpGet>& slot, HttpGet::Done done);

    boost::asio::io_context& loop_;
    std::string socket_path_;
    Handlers handlers_;
    boost::asio::steady_timer retry_;
    Pace pace_;
    std::chrono::milliseconds pause_{};
    bool wanted_ = false;
    bool told_lost_ = false;
    std::string prefix_;            ///< of the API version; empty while there is no connection
    std::int64_t last_nanos_ = 0;     ///< of the last event that came
    std::set<std::string> recent_;  ///< the last events, since a new connection gives some of them again
    std::deque<std::set<std::string>::const_iterator> recent_order_;
    bool listing_ = false;          ///< events that come meanwhile wait, so that an older list does not undo them
    std::vector<ContainerEvent> waiting_;
    std::unique_ptr<HttpGet> call_;  ///< ping or list
    std::unique_ptr<HttpStream> events_;
    LineCutter event_lines_;
    struct Inspection {
        std::unique_ptr<HttpGet> call;
        bool again = false;  ///< something happened while it was under way
    };
    std::map<std::string, Inspection> inspections_;
    bool agent_runs_ = false;
    std::unique_ptr<HttpGet> agent_call_;
    std::unique_ptr<HttpStream> agent_log_;
    LogUnframer agent_frames_;
    LineCutter agent_lines_;
    std::set<std::string> agent_heard_;  ///< the times of the last lines, which the stream begins with once more
    boost::asio::steady_timer agent_retry_;
    std::chrono::milliseconds agent_pause_{};
};

}  // namespace eflow
