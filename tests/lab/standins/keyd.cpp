// aziot-keyd: keys of preloaded files and of its own home, read as aziotks. Upstream hands out a handle and signs on
// request; this one hands the key itself to whoever may reach the socket (group aziotks), which spares the lab an
// OpenSSL engine. What it logs and answers when a file fails is upstream's (aziot-keys/src/key_pair.rs,
// implementation.rs:580-596, aziot-keyd/src/error.rs).
#include <cerrno>
#include <fstream>

#include <openssl/pem.h>
#include <unistd.h>

#include "tests/lab/standins/standin.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/pem.hpp"

namespace {

using lab::Answer;

/// err_external: the reason goes to the journal alone; the caller learns "internal error".
Answer external(const std::string& operation, const std::string& reason) {
    lab::error(reason);
    return lab::refusal(500, {"internal error", operation, operation + ": AZIOT_KEYS_RC_ERR_EXTERNAL"});
}

/// key_pair.rs load_inner: a file that is missing is "not found"; RSA, or EC on P-256 (EcCurve has one variant).
Answer load(const std::string& path) {
    const std::string operation = "could not load key pair";
    std::string text;
    try {
        text = lab::read_file(path);
    } catch (const lab::Fatal& fault) {
        if (errno != ENOENT) return external(operation, fault.what());
        lab::error(R"(invalid parameter "id": not found)");
        return lab::refusal(400, {"a parameter has an invalid value"});
    }
    const auto read = eflow::read_private_key(text, path);
    if (const auto* fault = std::get_if<eflow::Finding>(&read)) return external(operation, fault->detail);
    const auto& key = std::get<eflow::PrivateKey>(read);
    const std::string kind = key.description();
    const std::string parameter = "could not get key pair parameter";
    if (kind.rfind("RSA", 0) != 0 && kind.rfind("EC", 0) != 0) return external(parameter, "key is neither RSA nor EC");
    if (kind.rfind("EC", 0) == 0 && kind != "EC P-256") return external(parameter, "key curve not recognized");
    return {200, {{"privateKey", std::string(key.pkcs8_pem().reveal())}}};
}

/// delete_inner: remove_file, a missing one is fine.
Answer remove(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return external("could not delete key pair", lab::os_error(errno));
    return {204, nlohmann::json::object()};
}

/// create_inner: a new rsa-2048 as PKCS#8, written at the preloaded path; a malformed file counts as a missing one.
Answer create(const std::string& path) {
    const std::string operation = "could not create key pair";
    if (::access(path.c_str(), F_OK) == 0) {
        if (::access(path.c_str(), R_OK) != 0) return external(operation, lab::os_error(errno));
        if (const Answer existing = load(path); existing.status == 200) return existing;
    }
    const eflow::OwnedKey key(EVP_RSA_gen(2048));
    const eflow::OwnedBio bio(BIO_new(BIO_s_mem()));
    if (!key || !bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return external(operation, "could not generate a key");
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << eflow::text_of(bio.get());
    file.close();
    if (!file) return external(operation, lab::os_error(errno));
    return load(path);
}

}  // namespace

int main() {
    return lab::run_service([] {
        const toml::value config = lab::configuration("keyd");
        lab::serve([&](const lab::Call& call) -> Answer {
            const std::string prefix = "/keypair/";
            if (call.target.compare(0, prefix.size(), prefix) != 0) return lab::refusal(404, {"not found"});
            const std::string id = call.target.substr(prefix.size(), call.target.find('?') - prefix.size());
            const std::string uri =
                config.contains("preloaded_keys") ? lab::text_in(config.at("preloaded_keys"), id) : std::string();
            std::string path;
            try {
                path = uri.empty()
                           ? lab::own_file(lab::text_in(config.at("aziot_keys"), "homedir_path"), "keys", id, ".key")
                           : lab::path_of(uri);
            } catch (const lab::Fatal& fault) {
                return external(call.method == "POST" ? "could not create key pair" : "could not load key pair",
                                fault.what());
            }
            if (call.method == "GET") return load(path);
            if (call.method == "DELETE") return remove(path);
            if (call.method == "POST") return create(path);
            return lab::refusal(405, {"method not allowed"});
        });
    });
}
