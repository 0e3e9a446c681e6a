#include "host-shim/run.hpp"

#include <algorithm>
#include <istream>
#include <ostream>

#include "host-shim/options.hpp"
#include "host-shim/render.hpp"
#include "host-shim/verbs.hpp"
#include "host-shim/workflow.hpp"
#include "shared/failure.hpp"
#include "shared/report.hpp"

namespace eflow {

namespace {

Report perform(const Options& options, Host& host) {
    switch (options.verb) {
        case ShimVerb::provision: return provision(options, host);
        case ShimVerb::verify: return verify(options, host);
        case ShimVerb::status: return status(options, host);
        case ShimVerb::uninstall: return uninstall(options, host);
        case ShimVerb::collect_logs: return collect_logs(options, host);
    }
    throw Failure(ExitCode::internal, "a verb that nobody does");
}

bool agreed(std::istream& in, std::ostream& err) {
    err << "This takes the device's identity and the agent out of the VM. Continue? [y/N] " << std::flush;
    std::string answer;
    std::getline(in, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

Report report_of(const Failure& failure, const char* verb) {
    Report report;
    report.program = "eflow-shim";
    report.version = EFLOW_VERSION;
    report.verb = verb;
    report.exit_code = failure.code();
    report.findings.push_back(failed("shim.run", failure.what(), "", failure.remedy()));
    return report;
}

}  // namespace

int run_shim(const std::vector<std::string>& arguments, Host& host, std::istream& in, std::ostream& out,
             std::ostream& err) {
    CommandLine line;
    try {
        line = parse_command_line(arguments);
    } catch (const Failure& failure) {
        err << "eflow-shim: " << plain_text(failure.what()) << "\n" << failure.remedy() << "\n";
        if (std::find(arguments.begin(), arguments.end(), "--json") != arguments.end())
            out << to_json(report_of(failure, "")) << "\n";
        return static_cast<int>(failure.code());
    }
    if (!line.options) {
        out << line.text;
        return 0;
    }
    const Options& options = *line.options;
    if (options.verb == ShimVerb::uninstall && !options.yes && !agreed(in, err)) {
        err << "Nothing was changed.\n";
        return static_cast<int>(ExitCode::machine_lacks);
    }
    Report report;
    try {
        report = perform(options, host);
    } catch (const Failure& failure) {
        report = report_of(failure, to_text(options.verb));
    } catch (const std::exception& error) {
        report = report_of(Failure(ExitCode::internal, std::string("a fault of eflow-shim: ") + error.what(),
                                   "Please report it, with the log in %ProgramData%\\eflow-shim\\log."),
                           to_text(options.verb));
    }
    host.conclude(report);
    if (options.json)
        out << to_json(report) << "\n";
    else
        out << told(report);
    out.flush();
    return static_cast<int>(report.exit_code);
}

}  // namespace eflow
