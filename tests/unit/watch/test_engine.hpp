#pragma once

#include <unistd.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

namespace eflow::testing {

namespace asio = boost::asio;

/// A container engine for tests, in the same loop as what is tested: each request is handed to `answer`, which sends
/// whatever it likes, when it likes.
class TestEngine {
public:
    /// One connection.
    class Client : public std::enable_shared_from_this<Client> {
    public:
        explicit Client(asio::io_context& loop) : socket_(loop) {}

        void send(std::string bytes) {
            queue_.push_back(std::move(bytes));
            if (queue_.size() == 1) write();
        }
        /// An answer with its length.
        void reply(const std::string& body, const std::string& status = "200 OK") {
            send("HTTP/1.1 " + status + "\r\nApi-Version: 1.43\r\nContent-Type: application/json\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body);
        }
        void begin_stream() { send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"); }
        void send_chunk(const std::string& bytes) {
            char size[20];
            std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
            send(size + bytes + "\r\n");
        }
        /// Closes after what is being sent.
        void close() {
            closing_ = true;
            if (queue_.empty()) shut();
        }
        void shut() {
            boost::system::error_code ignored;
            socket_.close(ignored);
        }

    private:
        friend class TestEngine;
        void write() {
            asio::async_write(socket_, asio::buffer(queue_.front()),
                              [self = shared_from_this()](const boost::system::error_code& fault, std::size_t) {
                                  if (fault) return;
                                  self->queue_.pop_front();
                                  if (!self->queue_.empty()) return self->write();
                                  if (self->closing_) self->shut();
                              });
        }
        asio::local::stream_protocol::socket socket_;
        asio::streambuf request_;
        std::deque<std::string> queue_;
        bool closing_ = false;
    };
    using Answer = std::function<void(const std::shared_ptr<Client>& client, const std::string& target)>;

    TestEngine(asio::io_context& loop, std::string path) : loop_(loop), path_(std::move(path)), acceptor_(loop) {}
    ~TestEngine() { stop(); }
    TestEngine(const TestEngine&) = delete;
    TestEngine& operator=(const TestEngine&) = delete;

    void start(Answer answer) {
        stop();
        answer_ = std::move(answer);
        acceptor_.open(asio::local::stream_protocol());
        acceptor_.bind(path_);
        acceptor_.listen();
        accept();
    }
    /// Gone, with every connection.
    void stop() {
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        for (const auto& client : clients_) client->shut();
        clients_.clear();
        unlink(path_.c_str());
    }
    std::vector<std::string> asked;  ///< the targets, in order

private:
    void accept() {
        auto client = std::make_shared<Client>(loop_);
        acceptor_.async_accept(client->socket_, [this, client](const boost::system::error_code& fault) {
            if (fault) return;
            clients_.push_back(client);
            listen(client);
            accept();
        });
    }
    void listen(const std::shared_ptr<Client>& client) {
        asio::async_read_until(client->socket_, client->request_, "\r\n\r\n",
                               [this, client](const boost::system::error_code& fault, std::size_t size) {
                                   if (fault) return;
                                   const auto begin = asio::buffers_begin(client->request_.data());
                                   const std::string head(begin, begin + static_cast<std::ptrdiff_t>(size));
                                   client->request_.consume(size);
                                   const auto from = head.find(' ') + 1;
                                   asked.push_back(head.substr(from, head.find(' ', from) - from));
                                   answer_(client, std::string(asked.back()));
                                   if (client->socket_.is_open()) listen(client);
                               });
    }

    asio::io_context& loop_;
    std::string path_;
    asio::local::stream_protocol::acceptor acceptor_;
    Answer answer_;
    std::vector<std::shared_ptr<Client>> clients_;
};

/// A loop, a folder for a socket, and an engine that listens there once it is started.
class WithEngine : public ::testing::Test {
protected:
    WithEngine() {
        std::string pattern = (std::filesystem::temp_directory_path() / "engine.XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        path_ = folder_ + "/docker.sock";
        engine_.emplace(loop_, path_);
    }
    ~WithEngine() override {
        engine_.reset();
        std::filesystem::remove_all(folder_);
    }
    /// Runs the loop until `done`; fails when nothing is left that could bring it about.
    void run_until(const std::function<bool()>& done) {
        loop_.restart();
        while (!done())
            if (loop_.run_one() == 0) {
                ADD_FAILURE() << "the loop has nothing left to do";
                return;
            }
    }
    /// Runs what can be run without waiting.
    void settle() {
        loop_.restart();
        loop_.poll();
    }

    asio::io_context loop_;
    std::string folder_;
    std::string path_;
    std::optional<TestEngine> engine_;
};

}  // namespace eflow::testing
