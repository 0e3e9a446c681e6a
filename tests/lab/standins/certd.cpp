// aziot-certd: the bytes of preloaded certificate files and of its own, read as aziotcs at every request and not judged
// (aziot-certd/src/lib.rs, get_cert_inner), and a self-signed certificate for who may have one: the Edge CA
// (lib.rs create_cert; principals of config.d).
#include <cerrno>
#include <fstream>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tests/lab/standins/standin.hpp"
#include "vm-agent/identity/openssl.hpp"

namespace {

using lab::Answer;

const std::string prefix = "/certificates/";

/// util.rs get_path and lib.rs load_inner: what fails is told by its own name.
std::string path_of(const toml::value& config, const std::string& id) {
    const std::string uri =
        config.contains("preloaded_certs") ? lab::text_in(config.at("preloaded_certs"), id) : std::string();
    try {
        return uri.empty() ? lab::own_file(lab::text_in(config, "homedir_path"), "certs", id, ".cer")
                           : lab::path_of(uri);
    } catch (const lab::Fatal& fault) {
        throw lab::Fatal({"internal error", "could not get file path corresponding to cert ID", fault.what()});
    }
}

Answer get(const toml::value& config, const std::string& id) {
    const std::string path = path_of(config, id);
    try {
        return {200, {{"pem", lab::read_file(path)}}};
    } catch (const lab::Fatal& fault) {
        if (errno == ENOENT) return lab::refusal(400, {R"(parameter "id" has an invalid value)", "not found"});
        throw lab::Fatal({"internal error", "could not read cert file", fault.what()});
    }
}

bool authorized(const toml::value& config, unsigned uid, const std::string& id) {
    if (uid == 0) return true;
    if (!config.contains("principal")) return false;
    for (const auto& principal : config.at("principal").as_array()) {
        if (principal.at("uid").as_integer() != uid) continue;
        for (const auto& known : principal.at("certs").as_array()) {
            const std::string pattern = known.as_string().str;
            if (pattern == id || (pattern.back() == '*' && id.rfind(pattern.substr(0, pattern.size() - 1), 0) == 0))
                return true;
        }
    }
    return false;
}

std::string self_signed(const std::string& key_pem, const std::string& name) {
    const eflow::OwnedBio in(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
    const eflow::OwnedKey key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
    const eflow::OwnedX509 certificate(X509_new());
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), std::time(nullptr));
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 90L * 24 * 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
    X509_set_pubkey(certificate.get(), key.get());
    for (const auto& [id, text] : {std::pair{NID_basic_constraints, "critical,CA:TRUE"},
                                   std::pair{NID_key_usage, "critical,digitalSignature,keyCertSign"}}) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, text);
        X509_add_ext(certificate.get(), extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    const eflow::OwnedBio out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate.get());
    return eflow::text_of(out.get());
}

Answer create(const toml::value& config, const lab::Call& call, const std::string& id) {
    if (!authorized(config, call.uid, id))
        return lab::refusal(401, {"user " + std::to_string(call.uid) + " is not authorized to modify the cert " + id});
    const std::string path = path_of(config, id);
    const Answer key = lab::ask("/run/aziot/keyd.sock", "GET", "/keypair/" + id + lab::api_version);
    if (key.status != 200) throw lab::Fatal({"internal error", "could not create cert", lab::message_of(key)});
    const std::string pem = self_signed(key.body.at("privateKey"), "aziot-edge CA lab");
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << pem;
    file.close();
    if (!file) throw lab::Fatal({"internal error", "could not write cert file", lab::os_error(errno)});
    return {201, {{"pem", pem}}};
}

}  // namespace

int main() {
    return lab::run_service([] {
        const toml::value config = lab::configuration("certd");
        lab::serve([&](const lab::Call& call) -> Answer {
            if (call.target.compare(0, prefix.size(), prefix) != 0) return lab::refusal(404, {"not found"});
            const std::string id = call.target.substr(prefix.size(), call.target.find('?') - prefix.size());
            try {
                return call.method == "PUT" ? create(config, call, id) : get(config, id);
            } catch (const lab::Fatal& fault) {
                return lab::refusal(500, fault.causes);
            }
        });
    });
}
