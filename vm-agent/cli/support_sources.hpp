#pragma once

#include <string>
#include <utility>
#include <vector>

#include "vm-agent/cli/support_html.hpp"
#include "vm-agent/config/scrub.hpp"
#include "vm-agent/placement/tree.hpp"

namespace eflow {

/// What is gathered for a support bundle: texts as they were found, and the secrets to be taken out of all of them.
struct Gathered {
    struct Text {
        std::string name;  ///< in the bundle
        std::string text;
        bool is_log = false;  ///< when it is too long, its end counts
    };
    std::vector<Text> texts;
    std::vector<std::pair<std::string, std::string>> missing;  ///< what, why
    Scrubber scrubber;
    SupportPage page;

    void add(std::string name, std::string text, bool is_log = false);
    void miss(std::string what, std::string why);
};

/// What is no secret although a variable may hold it too: the names of the device, its hub, its modules and images.
void spare_names(const Observations& seen, Gathered& bundle);
/// config.toml, what was rendered of it, and the other files that decide; secrets out of them become known.
void gather_files(const Tree& tree, Gathered& bundle);
/// Facts of the identity's certificate, of those that config.toml names and of those that lie about.
void gather_certificates(const Tree& tree, const Observations& seen, Gathered& bundle);
/// Owners, modes, sizes and times of everything that is IoT Edge's or ours.
void gather_listing(const Tree& tree, Gathered& bundle);
/// What the watcher wrote: its last status, what it remembers, what changed when.
void gather_history(const Tree& tree, Gathered& bundle);
void gather_host(const Tree& tree, const Observations& seen, Gathered& bundle);

/// The running machine's alone; each has a deadline.
void gather_units(const Observations& seen, Gathered& bundle);
void gather_journals(Gathered& bundle);
void gather_containers(const Observations& seen, Gathered& bundle);

}  // namespace eflow
