#include "vm-agent/watch/http_stream.hpp"

#include <array>
#include <utility>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

namespace eflow {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::size_t longest_line = 1024 * 1024;
constexpr std::size_t largest_answer = 8 * 1024 * 1024;

}  // namespace

struct HttpStream::State : std::enable_shared_from_this<HttpStream::State> {
    State(asio::io_context& loop, Handlers given) : stream(loop), handlers(std::move(given)), buffer(64 * 1024) {
        parser.body_limit(boost::none);
    }

    void start(const std::string& socket_path, const std::string& target, std::chrono::milliseconds patience) {
        request.version(11);
        request.method(http::verb::get);
        request.target(target);
        request.set(http::field::host, "docker");
        stream.expires_after(patience);
        stream.async_connect(asio::local::stream_protocol::endpoint(socket_path),
                             [self = shared_from_this()](const boost::system::error_code& fault) {
                                 if (self->fine(fault)) self->ask();
                             });
    }

    void ask() {
        http::async_write(stream, request, [self = shared_from_this()](const auto& fault, std::size_t) {
            if (!self->fine(fault)) return;
            http::async_read_header(self->stream, self->buffer, self->parser, [self](const auto& read, std::size_t) {
                if (!self->fine(read)) return;
                if (self->parser.get().result() != http::status::ok)
                    return self->end("the engine answered " + std::to_string(self->parser.get().result_int()));
                self->stream.expires_never();
                if (self->alive) self->handlers.begun();
                self->read();
            });
        });
    }

    void read() {
        parser.get().body().data = piece.data();
        parser.get().body().size = piece.size();
        http::async_read_some(stream, buffer, parser, [self = shared_from_this()](boost::system::error_code fault, std::size_t) {
            if (fault == http::error::need_buffer) fault = {};
            if (!self->fine(fault)) return;
            const std::size_t size = self->piece.size() - self->parser.get().body().size;
            if (size > 0) self->handlers.data({self->piece.data(), size});
            if (!self->alive) return;
            if (self->parser.is_done()) return self->end("the engine ended the stream");
            self->read();
        });
    }

    bool fine(const boost::system::error_code& fault) {
        if (!alive) return false;
        if (!fault) return true;
        end(fault.message());
        return false;
    }

    void end(const std::string& why) {
        alive = false;
        boost::system::error_code ignored;
        stream.socket().close(ignored);
        // A handler may end this stream's owner: it gets a copy of its own.
        const auto ended = handlers.ended;
        ended(why);
    }

    beast::basic_stream<asio::local::stream_protocol> stream;
    Handlers handlers;
    http::request<http::empty_body> request;
    http::response_parser<http::buffer_body> parser;
    beast::flat_buffer buffer;
    std::array<char, 16 * 1024> piece{};
    bool alive = true;
};

HttpStream::HttpStream(asio::io_context& loop, const std::string& socket_path, const std::string& target,
                       Handlers handlers, std::chrono::milliseconds patience)
    : state_(std::make_shared<State>(loop, std::move(handlers))) {
    state_->start(socket_path, target, patience);
}

HttpStream::~HttpStream() {
    state_->alive = false;
    boost::system::error_code ignored;
    state_->stream.socket().close(ignored);
}

struct HttpGet::State : std::enable_shared_from_this<HttpGet::State> {
    State(asio::io_context& loop, std::string path, Done given)
        : stream(loop), socket_path(std::move(path)), done(std::move(given)) {
        parser.body_limit(largest_answer);
    }

    void start(const std::string& target, std::chrono::milliseconds deadline) {
        request.version(11);
        request.method(http::verb::get);
        request.target(target);
        request.set(http::field::host, "docker");
        request.set(http::field::connection, "close");
        stream.expires_after(deadline);
        stream.async_connect(asio::local::stream_protocol::endpoint(socket_path),
                             [self = shared_from_this()](const boost::system::error_code& fault) {
                                 if (fault) return self->end(fault);
                                 self->ask();
                             });
    }

    void ask() {
        http::async_write(stream, request, [self = shared_from_this()](const auto& fault, std::size_t) {
            if (fault) return self->end(fault);
            http::async_read(self->stream, self->buffer, self->parser,
                             [self](const auto& read, std::size_t) { self->end(read); });
        });
    }

    void end(const boost::system::error_code& fault) {
        if (!done) return;
        boost::system::error_code ignored;
        stream.socket().close(ignored);
        using Answer = Sight<HttpAnswer>;
        Answer answer;
        if (fault == beast::error::timeout)
            answer = Answer::unseen(socket_path + " did not answer in time");
        else if (fault)
            answer = Answer::unseen(socket_path + ": " + fault.message());
        else
            answer = Answer::of({parser.get().result_int(), std::string(parser.get()["Api-Version"]),
                                 std::move(parser.get().body())});
        // What is called may end this object's owner.
        std::exchange(done, nullptr)(std::move(answer));
    }

    beast::basic_stream<asio::local::stream_protocol> stream;
    std::string socket_path;
    Done done;
    http::request<http::empty_body> request;
    http::response_parser<http::string_body> parser;
    beast::flat_buffer buffer;
};

HttpGet::HttpGet(asio::io_context& loop, const std::string& socket_path, const std::string& target,
                 std::chrono::milliseconds deadline, Done done)
    : state_(std::make_shared<State>(loop, socket_path, std::move(done))) {
    state_->start(target, deadline);
}

HttpGet::~HttpGet() {
    state_->done = nullptr;
    boost::system::error_code ignored;
    state_->stream.socket().close(ignored);
}

void LineCutter::feed(std::string_view bytes, const std::function<void(std::string_view line)>& each) {
    for (;;) {
        const auto end = bytes.find('\n');
        if (end == std::string_view::npos) break;
        if (!dropping_ && rest_.size() + end <= longest_line) {
            rest_.append(bytes.substr(0, end));
            const std::string line = std::exchange(rest_, {});
            each(line);
        }
        dropping_ = false;
        rest_.clear();
        bytes.remove_prefix(end + 1);
    }
    if (dropping_) return;
    rest_.append(bytes);
    if (rest_.size() > longest_line) {
        rest_.clear();
        dropping_ = true;
    }
}

void LogUnframer::feed(std::string_view bytes, const std::function<void(std::string_view text)>& each) {
    if (!begun_ && !bytes.empty()) {
        begun_ = true;
        plain_ = static_cast<unsigned char>(bytes.front()) > 2;
    }
    if (plain_) return each(bytes);
    while (!bytes.empty()) {
        if (left_ == 0) {
            const std::size_t take = std::min<std::size_t>(8 - header_.size(), bytes.size());
            header_.append(bytes.substr(0, take));
            bytes.remove_prefix(take);
            if (header_.size() < 8) return;
            for (std::size_t i = 4; i < 8; ++i) left_ = left_ << 8 | static_cast<unsigned char>(header_[i]);
            header_.clear();
            continue;
        }
        const std::size_t take = std::min(left_, bytes.size());
        each(bytes.substr(0, take));
        left_ -= take;
        bytes.remove_prefix(take);
    }
}

}  // namespace eflow
