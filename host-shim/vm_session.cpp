#include "host-shim/vm_session.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "host-shim/powershell.hpp"
#include "shared/failure.hpp"

namespace eflow {

namespace {

constexpr std::size_t most_connections = 3;
// A second more than the minute: the two clocks agree on how long it is, not on when it begins.
constexpr std::chrono::seconds window{61};
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view prefix = "eflow-shim ";

bool is_plain_word(std::string_view word) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_.:/=").find(c) != std::string_view::npos;
    };
    return !word.empty() && std::all_of(word.begin(), word.end(), allowed);
}

std::vector<std::string> lines_of(const std::vector<std::string>& output) {
    std::vector<std::string> lines;
    for (const auto& text : output) {
        std::string_view rest = text;
        while (!rest.empty()) {
            const auto end = rest.find('\n');
            std::string_view line = rest.substr(0, end);
            rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            if (line.ends_with('\r')) line.remove_suffix(1);
            lines.emplace_back(line);
        }
    }
    return lines;
}

}  // namespace

std::string base64(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](std::size_t at) {
            return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0U;
        };
        const unsigned group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        out += alphabet[group >> 18];
        out += alphabet[group >> 12 & 63];
        out += i + 1 < bytes.size() ? alphabet[group >> 6 & 63] : '=';
        out += i + 2 < bytes.size() ? alphabet[group & 63] : '=';
    }
    return out;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string out;
    unsigned group = 0;
    int digits = 0;
    int padding = 0;
    for (const char c : text) {
        if (c == '\n' || c == '\r' || c == ' ') continue;
        const auto digit = alphabet.find(c);
        if (c == '=') {
            ++padding;
            group <<= 6;
        } else {
            if (digit == std::string_view::npos || padding > 0) return std::nullopt;
            group = group << 6 | static_cast<unsigned>(digit);
        }
        if (++digits < 4) continue;
        if (padding > 2) return std::nullopt;
        out += static_cast<char>(group >> 16 & 255);
        if (padding < 2) out += static_cast<char>(group >> 8 & 255);
        if (padding < 1) out += static_cast<char>(group & 255);
        group = 0;
        digits = 0;
    }
    if (digits != 0) return std::nullopt;
    return out;
}

std::string vm_command(std::string_view script_text, const std::vector<std::string>& words) {
    std::string command = "echo " + base64(script_text) + " | base64 -d | sudo sh -s --";
    for (const auto& word : words) {
        if (!is_plain_word(word)) throw Failure(ExitCode::internal, "a word for the VM is not plain");
        command += " " + word;
    }
    return command;
}

VmAnswer vm_answer(Called called) {
    VmAnswer answer;
    std::string file;
    std::string content;
    for (const auto& line : lines_of(called.output)) {
        if (!line.starts_with(prefix)) {
            if (!file.empty()) content += line;
            continue;
        }
        const std::string rest = line.substr(prefix.size());
        const auto space = rest.find(' ');
        const std::string key = rest.substr(0, space);
        const std::string value = space == std::string::npos ? "" : rest.substr(space + 1);
        if (key == "begin") {
            file = value;
            content.clear();
        } else if (key == "end") {
            if (auto bytes = from_base64(content); bytes && file == value) answer.files[file] = std::move(*bytes);
            file.clear();
        } else {
            answer.values[key] = value;
        }
    }
    answer.called = std::move(called);
    return answer;
}

void VmSession::make_room(std::size_t connections, bool even_if_cancelled) {
    if (!paced_) return;
    const auto drop_old = [&] {
        while (!recent_.empty() && host_.now() - recent_.front() >= window) recent_.pop_front();
    };
    drop_old();
    while (recent_.size() + connections > most_connections && (even_if_cancelled || !host_.cancelled())) {
        const auto excess = recent_.size() + connections - most_connections;
        const auto& last_to_go = recent_[std::min(excess, recent_.size()) - 1];
        const auto pause = std::chrono::ceil<std::chrono::seconds>(last_to_go + window - host_.now());
        host_.progress("waiting " + std::to_string(pause.count()) +
                       " s: the VM bans a host that connects more than three times a minute");
        const auto before = host_.now();
        host_.sleep(pause, even_if_cancelled);
        waited_ += std::chrono::duration_cast<std::chrono::seconds>(host_.now() - before);
        drop_old();
    }
}

void VmSession::expect(int connections) {
    make_room(static_cast<std::size_t>(connections), false);
    for (int i = 0; i < connections; ++i) recent_.push_back(host_.now());
}

VmAnswer VmSession::run(const std::string& command, const std::vector<std::string>& words, std::chrono::seconds timeout,
                        bool even_if_cancelled) {
    make_room(1, even_if_cancelled);
    std::string text(script("vm-common.sh"));
    text += script("vm-" + command + ".sh");
    recent_.push_back(host_.now());
    ++connections_;
    nlohmann::json parameters = {{"command", vm_command(text, words)}};
    if (ignore_error_) parameters["ignoreError"] = true;
    return vm_answer(host_.call("Invoke-EflowVmCommand", parameters, timeout, even_if_cancelled));
}

Called VmSession::copy(nlohmann::json parameters, std::chrono::seconds timeout) {
    make_room(1, false);
    recent_.push_back(host_.now());
    ++connections_;
    return host_.call("Copy-EflowVmFile", parameters, timeout, false);
}

Called VmSession::copy_in(const std::string& from, const std::string& to, std::chrono::seconds timeout) {
    return copy({{"fromFile", from}, {"toFile", to}, {"pushFile", true}}, timeout);
}

Called VmSession::copy_out(const std::string& from, const std::string& to, std::chrono::seconds timeout) {
    return copy({{"fromFile", from}, {"toFile", to}}, timeout);
}

}  // namespace eflow
