#include "host-shim/options.hpp"

#include <gtest/gtest.h>

#include "shared/failure.hpp"

namespace eflow {
namespace {

Options parsed(const std::vector<std::string>& arguments) {
    return parse_command_line(arguments).options.value();
}

std::string refusal(const std::vector<std::string>& arguments) {
    try {
        parse_command_line(arguments);
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code(), ExitCode::usage);
        return failure.what();
    }
    return "accepted";
}

TEST(Options, TheContractsNames) {
    const Options options =
        parsed({"provision", "--scope-id", "S", "--registration-id=R", "--identity-cert", "C", "--identity-key", "K",
                "--global-endpoint", "E", "--deploy", "--dry-run", "--json", "--timeout", "2h", "--agent", "A"});
    EXPECT_EQ(options.verb, ShimVerb::provision);
    EXPECT_EQ(options.scope_id, "S");
    EXPECT_EQ(options.registration_id, "R");
    EXPECT_EQ(options.certificate, "C");
    EXPECT_EQ(options.private_key, "K");
    EXPECT_EQ(options.global_endpoint, "E");
    EXPECT_EQ(options.agent, "A");
    EXPECT_TRUE(options.deploy && options.dry_run && options.json);
    EXPECT_EQ(options.timeout, std::chrono::hours(2));
}

TEST(Options, ProvisionEflowVmsNamesWhateverTheirCase) {
    const Options options = parsed({"provision", "-ProvisioningType", "dpsx509", "-SCOPEID", "S", "-registrationId:R",
                                    "-identityCertPath", "C", "-identityPrivateKey", "K", "-globalEndpoint", "E"});
    EXPECT_EQ(options.scope_id, "S");
    EXPECT_EQ(options.registration_id, "R");
    EXPECT_EQ(options.certificate, "C");
    EXPECT_EQ(options.private_key, "K");
    EXPECT_EQ(options.global_endpoint, "E");
    EXPECT_EQ(parsed({"provision", "-identityPrivKeyPath:C:\\k.pem"}).private_key, "C:\\k.pem");
}

TEST(Options, ValuesStayAsTheyAre) {
    for (const std::string value : {"-x", "--json", "a=b", "a:b", " ", "\"", "`$(x)`", "né’"})
        EXPECT_EQ(parsed({"provision", "--scope-id", value}).scope_id, value);
    EXPECT_EQ(parsed({"provision", "--scope-id=a=b"}).scope_id, "a=b");
}

TEST(Options, FaultsNameTheArgumentAndTheNearestOne) {
    EXPECT_EQ(refusal({"provison"}), "'provison' is not a verb; did you mean provision?");
    EXPECT_NE(refusal({"provision", "--scopeid", "x"}).find("did you mean --scope-id?"), std::string::npos);
    EXPECT_EQ(refusal({"provision", "--scope-id"}), "--scope-id needs a value");
    EXPECT_EQ(refusal({"provision", "--scope-id", ""}), "--scope-id has an empty value");
    EXPECT_EQ(refusal({"provision", "--scope-id", "a", "-scopeId", "b"}), "--scope-id is given twice");
    EXPECT_EQ(refusal({"provision", "--deploy=yes"}), "--deploy takes no value");
    EXPECT_EQ(refusal({"status", "--deploy"}), "--deploy means nothing to status");
    EXPECT_EQ(refusal({"provision", "stray"}), "'stray' is not an option");
    EXPECT_EQ(refusal({"provision", "--manifest", "a", "--autodeploy-config", "b"}),
              "--manifest and --autodeploy-config exclude each other");
    EXPECT_NE(refusal({"provision", "-provisioningType", "DpsTPM"}).find("DpsX509 only"), std::string::npos);
    EXPECT_EQ(refusal({"provision", "--enrollment", "both"}), "--enrollment must be group or individual");
    EXPECT_EQ(refusal({"provision", "--scope-id", std::string("a\0b", 3)}), "an argument holds a NUL character");
    EXPECT_EQ(refusal({"\x1b[2J"}).find('\x1b'), std::string::npos);
}

TEST(Options, Timeouts) {
    EXPECT_EQ(parse_timeout("90"), std::chrono::seconds(90));
    EXPECT_EQ(parse_timeout("5min"), std::chrono::minutes(5));
    EXPECT_EQ(parse_timeout("24h"), std::chrono::hours(24));
    for (const char* bad : {"", "0", "-1", "25h", "5 min", "1e3", "99999999999999999999", "min", "1d"})
        EXPECT_THROW(parse_timeout(bad), Failure) << bad;
    EXPECT_EQ(parsed({"provision"}).timeout, std::chrono::minutes(15));
    EXPECT_EQ(parsed({"provision", "--deploy"}).timeout, std::chrono::hours(1));
    EXPECT_EQ(parsed({"provision", "--deploy", "--timeout", "9s"}).timeout, std::chrono::seconds(9));
}

TEST(Options, HelpNamesEveryVerbOptionAndExitCode) {
    const std::string all = parse_command_line({}).text;
    for (const char* word : {"provision", "verify", "status", "uninstall", "collect-logs", "70"})
        EXPECT_NE(all.find(word), std::string::npos) << word;
    const std::string help = parse_command_line({"provision", "--help"}).text;
    for (const char* word :
         {"--scope-id S", "--autodeploy-config FILE", "--accept-eula", "-identityPrivateKey", "--timeout TIME"})
        EXPECT_NE(help.find(word), std::string::npos) << word;
    EXPECT_EQ(help.find("--yes"), std::string::npos);
    EXPECT_FALSE(parse_command_line({"--version"}).options);
}

}  // namespace
}  // namespace eflow
