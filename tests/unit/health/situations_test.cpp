// The health model, by a table of situations: each is a healthy device with some differences, and the phase and the
// findings that follow. Further tests hold every row against what must always be so.

#include "tests/unit/health/situation.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vm-agent/health/check.hpp"
#include "vm-agent/health/horizon.hpp"
#include "vm-agent/health/summary.hpp"

namespace eflow::testing {
namespace {

std::vector<Situation> situations() {
    std::vector<Situation> all;
    for (auto part :
         {situations_of_services(), situations_of_modules(), situations_of_hub_link(), situations_of_files(),
          situations_of_machines()})
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

Observations observations_of(const Situation& situation) {
    Observations seen = healthy_device();
    for (const auto& change : situation.changes) change(seen);
    return seen;
}

/// The gravest severity of each id; skipped counts as less than ok, since it says less.
std::map<std::string, Severity> standings(const Findings& findings) {
    std::map<std::string, Severity> all;
    for (const auto& finding : findings) {
        const auto [place, fresh] = all.emplace(finding.id, finding.severity);
        if (!fresh && (place->second == Severity::skipped || finding.severity != Severity::skipped))
            place->second =
                std::max(place->second == Severity::skipped ? Severity::ok : place->second, finding.severity);
    }
    return all;
}

bool is_trouble(Severity severity) {
    return severity == Severity::warning || severity == Severity::failed;
}

std::string all_words(const Verdict& verdict) {
    std::string text = verdict.because + "\n" + verdict.next;
    for (const auto& finding : verdict.findings)
        text += "\n" + finding.summary + "\n" + finding.detail + "\n" + finding.remedy;
    return text;
}

/// Holds every row of the table against `test`, which is told the row, the observations and the verdict.
void for_each_situation(
    const std::function<void(const Situation& situation, const Observations& seen, const Verdict& verdict)>& test) {
    for (const auto& situation : situations()) {
        SCOPED_TRACE(situation.name);
        const Observations seen = observations_of(situation);
        test(situation, seen, judge(seen));
    }
}

TEST(Situations, AreToldAsTheyAre) {
    for_each_situation([](const Situation& situation, const Observations&, const Verdict& verdict) {
        EXPECT_EQ(to_text(verdict.phase), to_text(situation.phase)) << verdict.because;
        const auto found = standings(verdict.findings);
        for (const auto& [id, severity] : situation.findings) {
            const auto one = found.find(id);
            if (one == found.end())
                ADD_FAILURE() << "no finding " << id;
            else
                EXPECT_EQ(to_text(one->second), to_text(severity)) << id;
        }
        for (const auto& finding : verdict.findings) {
            if (!is_trouble(finding.severity)) continue;
            EXPECT_EQ(situation.findings.count(finding.id), 1U)
                << "not expected: " << finding.id << " " << to_text(finding.severity) << ": " << finding.summary << " ("
                << finding.detail << ")";
        }
        for (const auto& words : situation.words) EXPECT_THAT(all_words(verdict), ::testing::HasSubstr(words));
    });
}

TEST(Situations, ThePhaseNeverContradictsAFinding) {
    for_each_situation([](const Situation&, const Observations& seen, const Verdict& verdict) {
        const bool has_failed = gravest(verdict.findings) == Severity::failed;
        switch (verdict.phase) {
            case Phase::running:
            case Phase::awaiting_deployment:
            case Phase::deploying: EXPECT_FALSE(has_failed); break;
            case Phase::degraded:
            case Phase::failed: EXPECT_TRUE(has_failed); break;
            case Phase::not_provisioned:
            case Phase::provisioning:
            case Phase::unknown: break;
        }
        EXPECT_FALSE(verdict.because.empty());
        // A change that was left open is the one thing to do on a device that runs.
        EXPECT_EQ(verdict.next.empty(), verdict.phase == Phase::running && !seen.unfinished) << "what is expected next";
    });
}

TEST(Situations, EveryFindingIsACheckWithWordsForPeople) {
    for_each_situation([](const Situation&, const Observations&, const Verdict& verdict) {
        std::set<std::string> known;
        for (const auto& check : checks()) known.insert(check.id);
        for (const auto& finding : verdict.findings) {
            EXPECT_EQ(known.count(finding.id), 1U) << finding.id;
            EXPECT_FALSE(finding.summary.empty()) << finding.id;
            EXPECT_LE(finding.summary.size(), 400U) << finding.id;
            if (is_trouble(finding.severity)) {
                EXPECT_FALSE(finding.detail.empty()) << finding.id << " without evidence";
                EXPECT_FALSE(finding.remedy.empty()) << finding.id << " without what to do";
            }
        }
    });
}

TEST(Situations, NothingSteersATerminal) {
    for_each_situation([](const Situation&, const Observations&, const Verdict& verdict) {
        const auto printable = [](const std::string& text, bool lines) {
            for (std::size_t i = 0; i < text.size(); ++i) {
                const auto byte = static_cast<unsigned char>(text[i]);
                if (byte == 0x7f || (byte < 0x20 && !(lines && byte == '\n'))) return false;
                if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;
            }
            return true;
        };
        EXPECT_TRUE(printable(verdict.because, false)) << verdict.because;
        EXPECT_TRUE(printable(verdict.next, true)) << verdict.next;
        for (const auto& finding : verdict.findings) {
            EXPECT_TRUE(printable(finding.summary, false)) << finding.id;
            EXPECT_TRUE(printable(finding.detail, true)) << finding.id;
            EXPECT_TRUE(printable(finding.remedy, true)) << finding.id;
        }
    });
}

TEST(Situations, NoSecretComesOut) {
    for_each_situation([](const Situation&, const Observations& seen, const Verdict& verdict) {
        const std::string told = all_words(verdict) + to_json(summarize(seen, verdict));
        EXPECT_THAT(told, ::testing::Not(::testing::HasSubstr("PRIVATE KEY-----")));
        EXPECT_THAT(told, ::testing::Not(::testing::HasSubstr("c2VjcmV0")));
        EXPECT_THAT(told, ::testing::Not(::testing::HasSubstr("user:secret")));
    });
}

TEST(Situations, TimeAloneChangesNothingBeforeTheHorizon) {
    for_each_situation([](const Situation&, const Observations& seen, const Verdict& verdict) {
        const auto horizon = next_horizon(seen);
        if (!horizon) return;
        EXPECT_GT(*horizon, Stamp(seen.now));
        // The verdict holds up to it. How many days are left is words, not a verdict.
        Observations later = seen;
        later.now = std::chrono::floor<std::chrono::seconds>(*horizon) - 2s;
        if (later.now <= seen.now) return;
        const Verdict then = judge(later);
        EXPECT_EQ(to_text(then.phase), to_text(verdict.phase)) << then.because;
        EXPECT_EQ(standings(then.findings), standings(verdict.findings));
    });
}

TEST(Verdicts, TellTheCauseBesideThePhase) {
    Observations seen = healthy_device();
    for (auto& one : seen.files)
        if (one.id == "files.owner-and-mode") one = eflow::failed("files.owner-and-mode", "A mode is too wide", "0777", "chmod");
    given_up("docker", 1)(seen);
    no_engine("docker.service is failed")(seen);
    EXPECT_THAT(judge(seen).because, ::testing::HasSubstr("docker.service is not running"));
}

TEST(Summaries, CallAServiceReadyWhenItsSocketListens) {
    Observations seen = healthy_device();
    const auto services = [&] { return summarize(seen, judge(seen)).data["services"]; };
    EXPECT_EQ(services()["aziot-tpmd"], "ready");
    state("aziot-tpmd.socket", "failed", "failed", 5min)(seen);
    EXPECT_EQ(services()["aziot-tpmd"], "stopped");
    state("aziot-edged", "inactive", "dead", 5min)(seen);
    EXPECT_EQ(services()["aziot-edged"], "stopped") << "it is to run";
}

TEST(SituationTable, CoversTheContract) {
    EXPECT_GE(situations().size(), 110U);
    std::map<std::string, std::set<Severity>> seen;
    std::set<Phase> phases;
    for (const auto& situation : situations()) {
        const Verdict verdict = judge(observations_of(situation));
        phases.insert(verdict.phase);
        for (const auto& [id, severity] : standings(verdict.findings)) seen[id].insert(severity);
    }
    EXPECT_EQ(phases.size(), 8U) << "every phase";
    for (const auto& check : checks()) {
        EXPECT_EQ(seen[check.id].count(Severity::ok), 1U) << check.id << " is never well";
        EXPECT_TRUE(seen[check.id].count(Severity::failed) + seen[check.id].count(Severity::warning) > 0)
            << check.id << " never fails";
    }
}

/// For tests/remedies_test.py, which judges what people are told to run: a line each, where the environment names a file.
/// Into the file that REMEDIES names, for tests/remedies_test.py; into nothing where nobody asks.
TEST(SituationTable, WritesItsRemedies) {
    const char* path = std::getenv("REMEDIES");
    std::ofstream file(path != nullptr ? path : "/dev/null");
    const auto write = [&](const std::string& where, const std::string& remedy) {
        if (!remedy.empty()) file << nlohmann::json{{"where", where}, {"remedy", remedy}}.dump() << "\n";
    };
    for (const auto& situation : situations()) {
        const Verdict verdict = judge(observations_of(situation));
        write(situation.name, verdict.next);
        for (const auto& finding : verdict.findings) write(situation.name + (": " + finding.id), finding.remedy);
    }
    EXPECT_TRUE(file.good());
}

TEST(SituationTable, HasTheContractsChecks) {
    std::set<std::string> known;
    for (const auto& check : checks()) EXPECT_TRUE(known.insert(check.id).second) << check.id << " stands twice";
    for (const char* id : {
             "identity.cert-readable",
             "identity.key-readable",
             "identity.key-usable",
             "identity.key-matches",
             "identity.leaf-first",
             "identity.cn-matches-registration-id",
             "identity.cn-valid",
             "identity.chain-complete",
             "identity.chain-verifies",
             "identity.not-a-ca",
             "identity.client-auth",
             "identity.key-strength",
             "identity.signature-strength",
             "identity.current",
             "identity.expires-soon",
             "identity.before-2038",
             "files.owner-and-mode",
             "files.readable-by-aziotcs",
             "files.readable-by-aziotks",
             "files.key-protected",
             "files.no-stray-keys",
             "config.well-formed",
             "config.known-keys",
             "config.scope-id",
             "config.endpoint",
             "config.matches-manifest",
             "config.applied",
             "config.timeouts",
             "config.hostname",
             "services.aziot-edged",
             "services.aziot-identityd",
             "services.aziot-keyd",
             "services.aziot-certd",
             "services.aziot-tpmd",
             "services.restarts",
             "services.last-error",
             "services.docker",
             "modules.edge-agent",
             "modules.edge-hub",
             "modules.edge-hub-storage",
             "modules.restart-loops",
             "modules.deployment",
             "host.clock",
             "host.disk-space",
             "host.log-rotation",
             "host.dns-server",
             "host.proxy-consistent",
             "cloud.resolves",
             "cloud.dps-reachable",
             "cloud.hub-reachable",
             "cloud.registration",
         })
        EXPECT_EQ(known.count(id), 1U) << id;
}

}  // namespace
}  // namespace eflow::testing
