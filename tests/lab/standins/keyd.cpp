// aziot-keyd: keys of preloaded files, read as aziotks. Upstream hands out a handle and signs on request; this one
// hands the key itself to whoever may reach the socket (group aziotks), which spares the lab an OpenSSL engine.
#include <cerrno>
#include <cstring>
#include <fstream>

#include <openssl/pem.h>
#include <unistd.h>

#include "tests/lab/standins/standin.hpp"
#include "vm-agent/identity/openssl.hpp"
#include "vm-agent/identity/pem.hpp"

namespace {

using lab::Answer;

Answer refusal(const std::string& why) {
    lab::error("!!! " + why);
    return {500, {{"message", why}}};
}

/// aziot-keys/src/key_pair.rs: a file that is missing is "not found"; RSA, or EC on P-256.
Answer load(const std::string& path) {
    std::string text;
    try {
        text = lab::read_file(path);
    } catch (const std::exception& fault) {
        return errno == ENOENT ? Answer{404, {{"message", "key not found"}}} : refusal(fault.what());
    }
    const auto read = eflow::read_private_key(text, path);
    if (const auto* fault = std::get_if<eflow::Finding>(&read)) return refusal("could not load key: " + fault->detail);
    const auto& key = std::get<eflow::PrivateKey>(read);
    const std::string kind = key.description();
    if (kind.rfind("RSA", 0) != 0 && kind.rfind("EC", 0) != 0) return refusal("key is neither RSA nor EC");
    if (kind.rfind("EC", 0) == 0 && kind != "EC P-256") return refusal("key curve not recognized");
    return {200, {{"privateKey", std::string(key.pkcs8_pem().reveal())}}};
}

/// delete_inner: remove_file, a missing one is fine.
Answer remove(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return refusal("could not delete " + path + ": " + std::strerror(errno));
    lab::warn("deleted key pair " + path);
    return {204, nlohmann::json::object()};
}

/// create_inner: a new rsa-2048 as PKCS#8, written at the preloaded path.
Answer create(const std::string& path) {
    if (const Answer existing = load(path); existing.status == 200) return existing;
    const eflow::OwnedKey key(EVP_RSA_gen(2048));
    const eflow::OwnedBio bio(BIO_new(BIO_s_mem()));
    if (!key || !bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return refusal("could not generate a key");
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << eflow::text_of(bio.get());
    file.close();
    if (!file) return refusal("could not write " + path + ": " + std::strerror(errno));
    return load(path);
}

}  // namespace

int main() {
    return lab::run_service("aziot-keyd", [] {
        const toml::value config = lab::configuration("keyd");
        lab::serve([&](const lab::Call& call) -> Answer {
            const std::string prefix = "/keypair/";
            if (call.target.compare(0, prefix.size(), prefix) != 0) return {404, {{"message", "not found"}}};
            const std::string id = call.target.substr(prefix.size(), call.target.find('?') - prefix.size());
            const std::string uri =
                config.contains("preloaded_keys") ? lab::text_in(config.at("preloaded_keys"), id) : std::string();
            if (uri.empty()) return {404, {{"message", "key not found"}}};
            const std::string path = lab::path_of(uri);
            lab::info("<-- " + call.method + " " + call.target);
            if (call.method == "GET") return load(path);
            if (call.method == "DELETE") return remove(path);
            if (call.method == "POST") return create(path);
            return {405, {{"message", "method not allowed"}}};
        });
    });
}
