#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "vm-agent/health/observations.hpp"

namespace eflow {

/// A GET over a unix socket whose answer does not end (the engine's events, a log that is followed), in the loop.
class HttpStream {
public:
    static constexpr std::chrono::milliseconds default_patience{5000};

    struct Handlers {
        std::function<void()> begun;                       ///< the engine has accepted the request
        std::function<void(std::string_view bytes)> data;  ///< a piece of the body as it came
        std::function<void(const std::string& why)> ended;
    };

    /// Until the answer has begun, `patience` is the deadline; a stream may be silent for long after that.
    HttpStream(boost::asio::io_context& loop, const std::string& socket_path, const std::string& target,
               Handlers handlers, std::chrono::milliseconds patience = default_patience);
    /// Ends it; no handler is called any more.
    ~HttpStream();
    HttpStream(const HttpStream&) = delete;
    HttpStream& operator=(const HttpStream&) = delete;

private:
    struct State;
    std::shared_ptr<State> state_;
};

struct HttpAnswer {
    unsigned status = 0;
    std::string api_version;  ///< header Api-Version
    std::string body;         ///< at most 8 MiB
};

/// A GET over a unix socket with one answer, under one deadline, in the loop.
class HttpGet {
public:
    using Done = std::function<void(Sight<HttpAnswer>)>;
    /// `done` is called once; it may destroy this.
    HttpGet(boost::asio::io_context& loop, const std::string& socket_path, const std::string& target,
            std::chrono::milliseconds deadline, Done done);
    /// Ends it; `done` is not called any more.
    ~HttpGet();
    HttpGet(const HttpGet&) = delete;
    HttpGet& operator=(const HttpGet&) = delete;

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// Cuts bytes into lines; what is not ended yet waits, and a line over a megabyte is dropped.
class LineCutter {
public:
    void feed(std::string_view bytes, const std::function<void(std::string_view line)>& each);

private:
    std::string rest_;
    bool dropping_ = false;
};

/// Takes the engine's eight-byte headers out of a log stream.
class LogUnframer {
public:
    void feed(std::string_view bytes, const std::function<void(std::string_view text)>& each);

private:
    std::string header_;
    std::size_t left_ = 0;
    bool plain_ = false;
    bool begun_ = false;
};

}  // namespace eflow
