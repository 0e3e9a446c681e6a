#include "vm-agent/health/causes.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "vm-agent/health/causes_rows.hpp"

namespace eflow {

namespace {

constexpr std::array<std::string_view, 2> cloud_heads{"DPS client error", "Hub client error"};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(char a, char b) {
    return lower(a) == lower(b);
}

bool begins(std::string_view text, std::string_view words) {
    return text.size() >= words.size() && std::equal(words.begin(), words.end(), text.begin(), same);
}

bool contains(std::string_view text, std::string_view words) {
    return std::search(text.begin(), text.end(), words.begin(), words.end(), same) != text.end();
}

bool fits(Part part, std::string_view text, std::string_view words) {
    switch (part) {
        case Part::whole: return text.size() == words.size() && begins(text, words);
        case Part::start: return begins(text, words);
        case Part::anywhere: return contains(text, words);
    }
    return false;
}

bool says(const ErrorRecord& record, std::string_view words) {
    const auto has = [&](const std::string& text) { return contains(text, words); };
    return std::any_of(record.chain.begin(), record.chain.end(), has) ||
           std::any_of(record.before.begin(), record.before.end(), has);
}

bool fits(const Cause& row, const ErrorRecord& record) {
    if (!row.also.empty() && !says(record, row.also)) return false;
    auto first = record.chain.begin();
    if (!row.under.empty()) {
        first =
            std::find_if(first, record.chain.end(), [&](const std::string& text) { return begins(text, row.under); });
        if (first == record.chain.end()) return false;
        ++first;
    } else if (std::any_of(record.before.begin(), record.before.end(),
                           [&](const std::string& text) { return fits(row.part, text, row.words); })) {
        return true;
    }
    return std::any_of(first, record.chain.end(),
                       [&](const std::string& text) { return fits(row.part, text, row.words); });
}

/// A word of a service that overtakes its errors.
struct Recovery {
    unsigned by;
    std::string_view word;
    /// Which: those below this element, "" for all, and of one form alone where `only` is set.
    std::string_view under;
    std::optional<ErrorRecord::Form> only;
};

constexpr auto fatal = ErrorRecord::Form::fatal;
constexpr auto answered = ErrorRecord::Form::answered;
constexpr auto logged = ErrorRecord::Form::logged;

constexpr Recovery recoveries[] = {
    // aziot-identityd/src/lib.rs, identity.rs, aziot-cloud-client-async dps/mod.rs
    {identityd, "Identity reconciliation complete", "", {}},
    {identityd, "Provisioned with backup", "DPS client error", {}},
    {identityd, "Provisioned with backup", "", logged},
    {identityd, "DPS registration complete", "DPS client error", {}},
    {identityd, "DPS registration complete", "", logged},
    {identityd, "Provisioning complete", "DPS client error", {}},
    {identityd, "Successfully provisioned", "DPS client error", {}},
    // aziotd/src/main.rs: the service is up; a new process has answered nothing yet
    {aziotd, "Starting server", "", fatal},
    {keyd | certd | tpmd, "Starting service", "", answered},
    // aziot-edged/src/main.rs, watchdog.rs
    {edged, "Edge runtime is running", "", {}},
    {edged, "Started Edge runtime module", "", {}},
    {edged, "Device is ", "Failed to obtain device identity", {}},
};

bool overtakes(const Recovery& recovery, const ErrorRecord& record) {
    if (recovery.only && *recovery.only != record.form) return false;
    return recovery.under.empty() || std::any_of(record.chain.begin(), record.chain.end(),
                                                 [&](const std::string& text) { return begins(text, recovery.under); });
}

}  // namespace

unsigned writer_of(std::string_view unit) {
    struct Name {
        std::string_view text;
        Writer writer;
    };
    constexpr Name names[] = {{"aziot-identityd.service", identityd}, {"aziot-keyd.service", keyd},
                              {"aziot-certd.service", certd},         {"aziot-tpmd.service", tpmd},
                              {"aziot-edged.service", edged}};
    for (const auto& name : names)
        if (name.text == unit) return name.writer;
    return 0;
}

const std::vector<Cause>& causes() {
    static const std::vector<Cause> all = [] {
        std::vector<Cause> rows;
        for (const auto part : {causes_of_machine(), causes_of_keys(), causes_of_engine(), causes_of_tls(),
                                causes_of_cloud(), causes_of_network()})
            rows.insert(rows.end(), part.begin(), part.end());
        return rows;
    }();
    return all;
}

const Cause* cause_of(unsigned writer, const ErrorRecord& record) {
    for (const auto& row : causes())
        if ((row.by & writer) != 0 && fits(row, record)) return &row;
    return nullptr;
}

bool Diagnosis::is_of_cloud() const {
    if (writer_of(unit) != identityd) return false;
    const Fault whose = fault();
    if (record.form == ErrorRecord::Form::logged)
        return whose == Fault::network || whose == Fault::dps || whose == Fault::hub;
    return std::any_of(record.chain.begin(), record.chain.end(), [](const std::string& text) {
        return std::find(cloud_heads.begin(), cloud_heads.end(), text) != cloud_heads.end();
    });
}

const std::string& Diagnosis::words() const {
    return record.chain.back();
}

std::string Diagnosis::told() const {
    std::string text;
    for (const auto& part : record.before) text += (text.empty() ? "" : "\n") + part;
    for (const auto& part : record.chain) text += (text.empty() ? "" : "\n") + part;
    return text;
}

namespace {

std::optional<Diagnosis> read_last(std::string_view unit, const std::vector<std::string>& lines,
                                   bool unless_overtaken) {
    const unsigned writer = writer_of(unit);
    Said said = read_said(lines);
    std::optional<Diagnosis> last;
    auto word = said.words.begin();
    const auto hear = [&](std::size_t until) {
        for (; word != said.words.end() && word->after <= until; ++word)
            for (const auto& recovery : recoveries)
                if (unless_overtaken && last && (recovery.by & writer) != 0 && begins(word->text, recovery.word) &&
                    overtakes(recovery, last->record))
                    last.reset();
    };
    for (std::size_t i = 0; i < said.errors.size(); ++i) {
        hear(i);
        ErrorRecord& record = said.errors[i];
        const Cause* cause = cause_of(writer, record);
        const bool tells_nothing_new =
            last && (cause == nullptr ? record.form == logged : cause->consequence == Consequence::follows);
        if (!tells_nothing_new) last = Diagnosis{std::string(unit), std::move(record), cause};
    }
    hear(said.errors.size());
    return last;
}

}  // namespace

std::optional<Diagnosis> diagnose(std::string_view unit, const std::vector<std::string>& lines) {
    return read_last(unit, lines, true);
}

std::optional<Diagnosis> last_error(std::string_view unit, const std::vector<std::string>& lines) {
    return read_last(unit, lines, false);
}

}  // namespace eflow
