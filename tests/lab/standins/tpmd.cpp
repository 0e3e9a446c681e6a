// aziot-tpmd: there is no TPM here.
#include "tests/lab/standins/standin.hpp"

int main() {
    return lab::run_service("aziot-tpmd", [] {
        lab::serve([](const lab::Call&) -> lab::Answer { return {500, {{"message", "could not open the TPM"}}}; });
    });
}
