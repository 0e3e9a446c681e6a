#include "host-shim/log.hpp"

#include <array>
#include <chrono>
#include <ctime>
#include <fstream>
#include <utility>

#include "host-shim/render.hpp"

namespace eflow {

namespace {

constexpr int kept = 3;

std::string stamp() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    // Days since 1970 into a date (Howard Hinnant's civil_from_days): gmtime is shared state, and named otherwise on
    // Windows.
    const auto day = std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(now)));
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(std::chrono::sys_seconds(std::chrono::seconds(now)) - day);
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()));
    return text.data();
}

}  // namespace

Log::Log(std::filesystem::path folder, std::size_t largest) : folder_(std::move(folder)), largest_(largest) {}

void Log::rotate() {
    std::error_code ignored;
    const auto name = [&](int number) {
        return folder_ / (number == 0 ? std::string("eflow-shim.log") : "eflow-shim.log." + std::to_string(number));
    };
    if (std::filesystem::file_size(name(0), ignored) < largest_ || ignored) return;
    std::filesystem::remove(name(kept), ignored);
    for (int number = kept; number > 0; --number) std::filesystem::rename(name(number - 1), name(number), ignored);
}

void Log::write(const std::string& line) {
    rotate();
    std::ofstream file(folder_ / "eflow-shim.log", std::ios::app | std::ios::binary);
    // A line is a line: what came from outside must not be able to forge another.
    std::string text = plain_text(line);
    for (char& c : text)
        if (c == '\n') c = '|';
    file << stamp() << " " << text << "\n";
}

}  // namespace eflow
