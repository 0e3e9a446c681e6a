// aziot-certd: the bytes of preloaded certificate files, read as aziotcs at every request and not judged
// (cert/aziot-certd/src/lib.rs, get_cert_inner). It issues nothing.
#include "tests/lab/standins/standin.hpp"

int main() {
    return lab::run_service("aziot-certd", [] {
        const toml::value config = lab::configuration("certd");
        lab::serve([&](const lab::Call& call) -> lab::Answer {
            const std::string prefix = "/certificates/";
            if (call.target.compare(0, prefix.size(), prefix) != 0) return {404, {{"message", "not found"}}};
            lab::info("<-- " + call.method + " " + call.target);
            const std::string id = call.target.substr(prefix.size(), call.target.find('?') - prefix.size());
            if (call.method == "PUT") return {403, {{"message", "unauthorized: no issuance is configured for " + id}}};
            const std::string uri =
                config.contains("preloaded_certs") ? lab::text_in(config.at("preloaded_certs"), id) : std::string();
            if (uri.empty()) return {404, {{"message", "not found"}}};
            try {
                return {200, {{"pem", lab::read_file(lab::path_of(uri))}}};
            } catch (const std::exception& fault) {
                lab::error(std::string("!!! ") + fault.what());
                return {500, {{"message", fault.what()}}};
            }
        });
    });
}
