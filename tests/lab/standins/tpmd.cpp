// aziot-tpmd: there is no TPM here.
#include "tests/lab/standins/standin.hpp"

int main() {
    return lab::run_service([] {
        lab::serve([](const lab::Call&) { return lab::refusal(500, {"internal error", "could not open the TPM"}); });
    });
}
