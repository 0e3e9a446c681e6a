#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vm-agent/health/records.hpp"

namespace eflow {

/// Whose fault it is.
enum class Fault { network, dps, hub, machine, engine, registry, unknown };

/// What an error says of a change that has just been made.
enum class Consequence {
    refused,      ///< the cloud said no, and waiting does not help: exit 8, the change is taken back
    tries_again,  ///< network, throttling, trouble of a service: exit 7 at the end of the time, the change stands
    local,        ///< this machine: exit 5, the change is taken back
    follows,      ///< comes of another error, which says why; alone it decides nothing
    unknown,      ///< not in the table
};

/// Who writes an error. A row may hold for several.
enum Writer : unsigned {
    identityd = 1,
    keyd = 2,
    certd = 4,
    tpmd = 8,
    edged = 16,
    aziotd = identityd | keyd | certd | tpmd,
    any_service = aziotd | edged,
};

/// Who runs in a unit ("aziot-keyd.service"); 0 for others.
[[nodiscard]] unsigned writer_of(std::string_view unit);

/// Which part of an element of the chain a row's words are.
enum class Part { whole, start, anywhere };

/// A row of the table of causes: words at a place of an error's chain, and what they mean. Rows are tried in order, and
/// the first that fits holds. Words compare without regard to case.
struct Cause {
    std::string_view id{};  ///< stable, for tests
    unsigned by = identityd;
    std::string_view under{};  ///< an element further out in the chain begins with it; "" for any place
    Part part = Part::anywhere;
    std::string_view words{};
    std::string_view also{};  ///< stands somewhere in the same record too; "" for no more than the words
    Fault fault = Fault::unknown;
    Consequence consequence = Consequence::unknown;
    std::string_view meaning{};  ///< a clause: what has happened, in words for people
    std::string_view remedy{};   ///< what works
    /// The units whose journals have the reason, where they keep it from their clients (each http/mod.rs
    /// to_http_error), the likelier first, apart by a space; "" where the words say it themselves.
    std::string_view reason_in{};
    std::string_view source{};              ///< the file and line upstream that it was read from
    std::string_view versions = "1.4-1.6";  ///< of IoT Edge that word it so
};

/// Every row, in the order in which they are tried.
[[nodiscard]] const std::vector<Cause>& causes();

/// An error and what it means.
struct Diagnosis {
    std::string unit;  ///< whose journal says so
    ErrorRecord record;
    const Cause* cause = nullptr;  ///< none: not in the table

    [[nodiscard]] Fault fault() const { return cause == nullptr ? Fault::unknown : cause->fault; }
    [[nodiscard]] Consequence consequence() const {
        return cause == nullptr ? Consequence::unknown : cause->consequence;
    }
    /// It was met while DPS or the hub was to be asked (identityd error.rs: `DPS client error`, `Hub client error`).
    [[nodiscard]] bool is_of_cloud() const;
    /// The innermost reason, as logged.
    [[nodiscard]] const std::string& words() const;
    /// The whole chain, a line each.
    [[nodiscard]] std::string told() const;
};

/// The row that fits, or none.
[[nodiscard]] const Cause* cause_of(unsigned writer, const ErrorRecord& record);

/// What is wrong by the last words in a unit's journal, oldest line first: the last error that nothing said later has
/// overtaken. Nothing when there is none.
[[nodiscard]] std::optional<Diagnosis> diagnose(std::string_view unit, const std::vector<std::string>& lines);

/// The last error alone, whatever was said after it.
[[nodiscard]] std::optional<Diagnosis> last_error(std::string_view unit, const std::vector<std::string>& lines);

}  // namespace eflow
