#include "vm-agent/cli/duration.hpp"

#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "shared/failure.hpp"

namespace eflow {

std::chrono::seconds parse_duration(std::string_view text, std::string_view option) {
    constexpr std::array<std::pair<std::string_view, int>, 6> units{
        {{"", 1}, {"s", 1}, {"sec", 1}, {"m", 60}, {"min", 60}, {"h", 3600}}};
    constexpr std::chrono::seconds longest = std::chrono::hours(24 * 7);
    int count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    if (error == std::errc{} && count >= 0)
        for (const auto& [name, seconds] : units)
            if (unit == name && std::chrono::seconds(count) <= longest / seconds)
                return std::chrono::seconds(count) * seconds;
    throw Failure(ExitCode::usage, std::string(option) + " must be a time such as 90s, 5min or 2h",
                  "At most a week; '" + std::string(text.substr(0, 40)) + "' is none.");
}

}  // namespace eflow
