// Certificates and keys in the forms that people have them: each is named, and the command in its remedy makes PEM of it that is
// then taken. The commands run in bash, with the openssl of this machine.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "shared/shell_quote.hpp"
#include "tests/support/test_certificates.hpp"
#include "vm-agent/identity/forms.hpp"
#include "vm-agent/identity/pem.hpp"

namespace eflow {
namespace {

using ::testing::HasSubstr;
using testing::make;
using testing::Pair;
using testing::Wish;

const Pair& issuer() {
    static const Pair one = make(Wish::authority("Issuer"));
    return one;
}
const Pair& identity() {
    static const Pair one = make({}, &issuer());
    return one;
}

/// A folder of its own, with leaf.pem, issuer.pem, chain.pem and key.pem in it.
class Forms : public ::testing::Test {
protected:
    void SetUp() override {
        if (std::system("openssl version >/dev/null 2>&1") != 0)
            FAIL() << "the program openssl is missing: packaging/dev/install-deps installs it";
        std::string pattern = (std::filesystem::temp_directory_path() / "forms-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        write("leaf.pem", identity().pem());
        write("issuer.pem", issuer().pem());
        write("chain.pem", identity().pem() + issuer().pem());
        write("key.pem", identity().key_pem());
        write("ec.pem", identity().key_pem("traditional"));
    }
    void TearDown() override {
        if (!folder_.empty()) std::filesystem::remove_all(folder_);
    }

    void write(const std::string& name, const std::string& bytes) const { std::ofstream(folder_ / name, std::ios::binary) << bytes; }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(folder_ / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    /// Runs `script` in the folder; passphrases are asked of its standard input, since it has no terminal.
    [[nodiscard]] bool run(const std::string& script) const {
        write("script", "set -e\n" + script + "\n");
        write("answers", "secret\nsecret\n");
        const std::string command =
            "cd " + shell_path(folder_.string()) + " && setsid --wait bash ./script <answers >output 2>&1";
        return std::system(command.c_str()) == 0;
    }
    /// The commands of a remedy: what stands behind the first ": " of a line, or a line that begins with a program.
    [[nodiscard]] static std::string commands(const std::string& remedy) {
        std::string script;
        for (std::size_t at = 0; at < remedy.size();) {
            const std::size_t end = std::min(remedy.find('\n', at), remedy.size());
            const std::string line = remedy.substr(at, end - at);
            at = end + 1;
            const std::size_t colon = line.find(": ");
            if (!line.starts_with('(') && colon != std::string::npos) script += line.substr(colon + 2) + "\n";
        }
        return script;
    }
    /// That one of the files made by the remedy is what was wanted.
    void expect_made(const std::string& made, Wanted wanted, const std::string& what) const {
        const std::string bytes = read(made);
        const bool good = wanted == Wanted::certificate ? std::holds_alternative<std::vector<Certificate>>(read_certificates(bytes, made))
                                                        : std::holds_alternative<PrivateKey>(read_private_key(bytes, made));
        EXPECT_TRUE(good) << what << ":\n" << bytes << "\n" << read("output");
    }

    std::filesystem::path folder_;
};

struct Case {
    const char* maker;  ///< a script that writes "my file" from the files of the folder
    Wanted wanted;
    const char* named;       ///< a word of what it is called
    const char* made = nullptr;  ///< the file that the remedy's command makes; none: there is no command
};

const std::vector<Case> cases{
    {"openssl x509 -in leaf.pem -outform DER -out 'my file'", Wanted::certificate, "DER", "full-chain.pem"},
    {"openssl crl2pkcs7 -nocrl -certfile chain.pem -outform DER -out 'my file'", Wanted::certificate, "P7B", "full-chain.pem"},
    {"openssl crl2pkcs7 -nocrl -certfile chain.pem -out 'my file'", Wanted::certificate, "P7B", "full-chain.pem"},
    {"openssl crl2pkcs7 -nocrl -certfile chain.pem | sed 's/PKCS7/PKCS #7 SIGNED DATA/' > 'my file'", Wanted::certificate, "P7B", "full-chain.pem"},
    {"openssl crl2pkcs7 -nocrl -certfile chain.pem | sed 's/PKCS7/CMS/' > 'my file'", Wanted::certificate, "CMS", "full-chain.pem"},
    {"openssl pkcs12 -export -in chain.pem -inkey key.pem -passout pass:secret -out 'my file'", Wanted::certificate, "PFX", "full-chain.pem"},
    {"openssl pkcs12 -export -in chain.pem -inkey key.pem -passout pass:secret -out 'my file'", Wanted::key, "PFX", "device.key.pem"},
    {"openssl pkcs12 -export -legacy -certpbe PBE-SHA1-RC2-40 -in chain.pem -inkey key.pem -passout pass:secret -out 'my file'", Wanted::certificate,
     "old cipher", "full-chain.pem"},
    {"openssl pkcs12 -export -legacy -certpbe PBE-SHA1-RC2-40 -in chain.pem -inkey key.pem -passout pass:secret -out 'my file'", Wanted::key,
     "old cipher", "device.key.pem"},
    {"openssl pkcs12 -export -in chain.pem -inkey key.pem -passout pass:secret | base64 > 'my file'", Wanted::certificate, "base64", "full-chain.pem"},
    {"openssl pkcs12 -export -in chain.pem -inkey key.pem -passout pass:secret | base64 -w0 > 'my file'", Wanted::key, "base64", "device.key.pem"},
    {"openssl x509 -in leaf.pem -outform DER | base64 > 'my file'", Wanted::certificate, "base64", "full-chain.pem"},
    {"openssl pkey -in key.pem -outform DER | base64 > 'my file'", Wanted::key, "base64", "device.key.pem"},
    {"openssl pkey -in key.pem -outform DER -out 'my file'", Wanted::key, "DER", "device.key.pem"},
    {"openssl ec -in key.pem -outform DER -out 'my file'", Wanted::key, "DER", "device.key.pem"},
    {"openssl pkcs8 -topk8 -in key.pem -outform DER -passout pass:secret -out 'my file'", Wanted::key, "encrypted", "device.key.pem"},
    {"openssl pkcs8 -topk8 -v1 PBE-SHA1-RC2-40 -provider legacy -provider default -in key.pem -outform DER -passout pass:secret -out 'my file'", Wanted::key,
     "old cipher", "device.key.pem"},
    {"openssl pkcs8 -topk8 -in key.pem -passout pass:secret -out 'my file'", Wanted::key, "encrypted", "decrypted.key.pem"},
    {"openssl ec -in key.pem -aes128 -passout pass:secret -out 'my file'", Wanted::key, "encrypted", "decrypted.key.pem"},
    {"cp key.pem 'my file'; chmod 600 'my file'; ssh-keygen -q -p -N '' -f 'my file'", Wanted::key, "OpenSSH", "device.key.pem"},
    {"tr '\\n' '\\r' < chain.pem > 'my file'", Wanted::certificate, "CR alone", "full-chain.pem"},
    {"tr '\\n' '\\r' < key.pem > 'my file'", Wanted::key, "CR alone", "device.key.pem"},
    {"gzip -c chain.pem > 'my file'", Wanted::certificate, "gzip", "full-chain.pem"},
    {"gzip -c key.pem > 'my file'", Wanted::key, "gzip", "device.key.pem"},
    {"bzip2 -c chain.pem > 'my file'", Wanted::certificate, "bzip2", "full-chain.pem"},
    {"xz -c chain.pem > 'my file'", Wanted::certificate, "xz", "full-chain.pem"},
    {"(printf '{\"cert\": \"'; sed 's/$/\\\\n/' chain.pem | tr -d '\\n'; printf '\"}') > 'my file'", Wanted::certificate, "\\n", "full-chain.pem"},
    {"(printf '{\"key\": \"'; sed 's/$/\\\\r\\\\n/' key.pem | tr -d '\\n'; printf '\"}') > 'my file'", Wanted::key, "\\n", "device.key.pem"},
    {"sed 's/^/\"/; s/$/\\\\n\"/' chain.pem > 'my file'", Wanted::certificate, "\\n", "full-chain.pem"},
    {"sed 's/^/    /' chain.pem > 'my file'", Wanted::certificate, "indented", "full-chain.pem"},
    {"sed 's/^/> /' chain.pem > 'my file'", Wanted::certificate, "quoted", "full-chain.pem"},
    {"sed 's/^/# /' key.pem > 'my file'", Wanted::key, "commented out", "device.key.pem"},
    {"(printf %s \"$(cat leaf.pem)\"; cat issuer.pem) > 'my file'", Wanted::certificate, "two lines have become one", "full-chain.pem"},
    {"tr '\\n' ' ' < chain.pem > 'my file'", Wanted::certificate, "one", "full-chain.pem"},
    {"sed 's/-----/----/g' chain.pem > 'my file'", Wanted::certificate, "hyphens", "full-chain.pem"},
    {"sed 's/-----/\xe2\x80\x94\xe2\x80\x94/g' chain.pem > 'my file'", Wanted::certificate, "hyphens", "full-chain.pem"},
    {"openssl req -new -key key.pem -subj /CN=x -out 'my file'", Wanted::certificate, "CSR"},
    {"openssl req -new -key key.pem -subj /CN=x -outform DER -out 'my file'", Wanted::certificate, "CSR"},
    {"openssl pkey -in key.pem -pubout -out 'my file'", Wanted::key, "public key"},
    {"openssl pkey -in key.pem -pubout -outform DER -out 'my file'", Wanted::key, "public key"},
    {"ssh-keygen -i -m PKCS8 -f <(openssl pkey -in key.pem -pubout) > 'my file'", Wanted::key, "SSH public key"},
    {"cp key.pem 'my file'", Wanted::certificate, "private key"},
    {"cp leaf.pem 'my file'", Wanted::key, "certificate"},
    {"sed 's/CERTIFICATE/PRIVATE KEY/' leaf.pem > 'my file'", Wanted::key, "in truth it is a certificate"},
    {"sed 's/PRIVATE KEY/CERTIFICATE/' key.pem > 'my file'", Wanted::certificate, "in truth it is a private key"},
    {"printf -- '-----BEGIN TSS2 PRIVATE KEY-----\\nMIIB\\n-----END TSS2 PRIVATE KEY-----\\n' > 'my file'", Wanted::key, "TPM"},
    {"openssl ecparam -name prime256v1 -out 'my file'", Wanted::key, "parameters of a curve"},
    {"printf '<!DOCTYPE html><title>Sign in</title>' > 'my file'", Wanted::certificate, "a page"},
    {"printf '\\0\\0\\0\\0' > 'my file'", Wanted::key, "zeros"},
    {"printf '\\n \\n' > 'my file'", Wanted::certificate, "empty"},
    {"printf 'pkcs11:token=x;object=y' > 'my file'", Wanted::key, "pkcs11"},
    {"head -c -40 chain.pem > 'my file'", Wanted::certificate, "cut"},
    {"head -n 3 key.pem > 'my file'", Wanted::key, "cut"},
    {"tail -n +2 chain.pem > 'my file'", Wanted::certificate, "cut"},
    {"(cat leaf.pem; sed 3d issuer.pem) > 'my file'", Wanted::certificate, "certificate 2 of the file is damaged"},
    {"(cat leaf.pem; sed 's/^-----END.*/-----END X-----/' issuer.pem) > 'my file'", Wanted::certificate, "names another kind"},
};

TEST_F(Forms, EachIsNamedAndItsRemedyWorks) {
    for (const Case& one : cases) {
        ASSERT_TRUE(run(one.maker)) << one.maker << "\n" << read("output");
        const std::string bytes = read("my file");
        Finding finding;
        if (one.wanted == Wanted::certificate) {
            const auto judged = read_certificates(bytes, "my file");
            ASSERT_TRUE(std::holds_alternative<Finding>(judged)) << one.maker;
            finding = std::get<Finding>(judged);
        } else {
            const auto judged = read_private_key(bytes, "my file");
            ASSERT_TRUE(std::holds_alternative<Finding>(judged)) << one.maker;
            finding = std::get<Finding>(judged);
        }
        EXPECT_THAT(finding.detail, HasSubstr(one.named)) << one.maker;
        EXPECT_FALSE(finding.remedy.empty()) << one.maker;
        if (one.made != nullptr) {
            EXPECT_TRUE(run(commands(finding.remedy))) << one.maker << "\n" << finding.remedy << "\n" << read("output");
            expect_made(one.made, one.wanted, std::string(one.maker) + "\n" + finding.remedy);
            std::filesystem::remove(folder_ / one.made);
        }
        std::filesystem::remove(folder_ / "my file");
    }
}

TEST_F(Forms, WhatOpenSslReadsIsTaken) {
    const std::vector<Case> good{
        {"cp chain.pem 'my file'", Wanted::certificate, ""},
        {"sed 's/$/\\r/' chain.pem > 'my file'", Wanted::certificate, ""},
        {"sed 's/$/  \\t/' chain.pem > 'my file'", Wanted::certificate, ""},
        {"(printf '\\xef\\xbb\\xbf'; cat chain.pem) > 'my file'", Wanted::certificate, ""},
        {"iconv -f UTF-8 -t UTF-16 chain.pem > 'my file'", Wanted::certificate, ""},
        {"(printf '\\xfe\\xff'; iconv -f UTF-8 -t UTF-16BE chain.pem) > 'my file'", Wanted::certificate, ""},
        {"iconv -f UTF-8 -t UTF-16LE chain.pem > 'my file'", Wanted::certificate, ""},
        {"openssl pkcs12 -export -in chain.pem -inkey key.pem -passout pass: | openssl pkcs12 -passin pass: -nodes -out 'my file'", Wanted::certificate, ""},
        {"openssl x509 -in leaf.pem -text -out 'my file'", Wanted::certificate, ""},
        {"(echo 'Put what stands between -----BEGIN CERTIFICATE----- and the end into a file:'; cat chain.pem) > 'my file'", Wanted::certificate, ""},
        {"(cat leaf.pem; echo; echo; cat issuer.pem; printf 'no line end') > 'my file'", Wanted::certificate, ""},
        {"sed '2,/-----END/{/-----/!s/^/ /}' leaf.pem > 'my file'", Wanted::certificate, ""},
        {"openssl x509 -in leaf.pem -trustout -addreject clientAuth -out 'my file'", Wanted::certificate, ""},
        {"awk '/-----/{if(b)print b; b=\"\"; print; next}{b=b $0}' leaf.pem > 'my file'", Wanted::certificate, ""},
        {"cp ec.pem 'my file'", Wanted::key, ""},
        {"(openssl ecparam -name prime256v1; cat ec.pem) > 'my file'", Wanted::key, ""},
        {"(printf '\\xef\\xbb\\xbf'; cat key.pem) > 'my file'", Wanted::key, ""},
        {"iconv -f UTF-8 -t UTF-16 key.pem > 'my file'", Wanted::key, ""},
        {"cat key.pem chain.pem > 'my file'", Wanted::key, ""},
        {"printf 'Bag Attributes\\n    localKeyID: 01 00 \\nKey Attributes: <No Attributes>\\n' | cat - key.pem > 'my file'", Wanted::key, ""},
    };
    for (const Case& one : good) {
        ASSERT_TRUE(run(one.maker)) << one.maker << "\n" << read("output");
        expect_made("my file", one.wanted, one.maker);
    }
}

TEST_F(Forms, ACommandNeverWritesOverItsOwnInput) {
    const auto judged = read_certificates("\x1f\x8b", "/somewhere/full-chain.pem");
    EXPECT_THAT(std::get<Finding>(judged).remedy, HasSubstr("> converted-full-chain.pem"));
    const auto key = read_private_key("\x1f\x8b", "device.key.pem");
    EXPECT_THAT(std::get<Finding>(key).remedy, HasSubstr("> converted-device.key.pem"));
}

TEST(PemScan, IsLinear) {
    // 10,000 and 35,000 BEGIN lines took minutes when each looked for its END in all of the rest. No clock is read here: with a
    // quadratic scan this test does not come to its end.
    std::string lines;
    while (lines.size() < InputLimits::file_bytes - 64) lines += "-----BEGIN CERTIFICATE-----\n";
    EXPECT_TRUE(std::holds_alternative<Finding>(read_certificates(lines, "f")));
    std::string words;
    while (words.size() < InputLimits::file_bytes - 64) words += "-----BEGIN A -----END B ";
    EXPECT_TRUE(std::holds_alternative<Finding>(read_certificates(words, "f")));
    EXPECT_TRUE(std::holds_alternative<Finding>(read_private_key(std::string(InputLimits::file_bytes, '-'), "f")));
    EXPECT_TRUE(std::holds_alternative<Finding>(read_private_key(std::string(InputLimits::file_bytes, 'A'), "f")));
}

}  // namespace
}  // namespace eflow
