#include <windows.h>

#include <wincrypt.h>

#include <array>
#include <string_view>
#include <vector>

#include "host-shim/certificate.hpp"
#include "host-shim/pem.hpp"
#include "host-shim/win32.hpp"
#include "shared/failure.hpp"

namespace eflow {

namespace {

/// crypt32 is no "known DLL": named among the imports it could be loaded from the folder of the exe, which may be a
/// download folder. Loaded like this it comes from System32 alone.
class Crypt32 {
public:
    Crypt32() : library_(LoadLibraryExW(L"crypt32.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32)) {
        if (library_ == nullptr)
            throw Failure(ExitCode::machine_lacks, "crypt32.dll cannot be loaded: " + windows_error(GetLastError()));
        load(string_to_binary, "CryptStringToBinaryA");
        load(create_context, "CertCreateCertificateContext");
        load(free_context, "CertFreeCertificateContext");
        load(name_string, "CertGetNameStringW");
        load(hash, "CryptHashCertificate2");
    }

    decltype(&CryptStringToBinaryA) string_to_binary = nullptr;
    decltype(&CertCreateCertificateContext) create_context = nullptr;
    decltype(&CertFreeCertificateContext) free_context = nullptr;
    decltype(&CertGetNameStringW) name_string = nullptr;
    decltype(&CryptHashCertificate2) hash = nullptr;

private:
    template <class Function>
    void load(Function& function, const char* name) {
        function = reinterpret_cast<Function>(reinterpret_cast<void*>(GetProcAddress(library_, name)));
        if (function == nullptr) throw Failure(ExitCode::machine_lacks, std::string("crypt32.dll has no ") + name);
    }

    HMODULE library_;  // stays loaded: the process is short
};

std::chrono::sys_seconds time_of(const FILETIME& time) {
    const unsigned long long ticks = static_cast<unsigned long long>(time.dwHighDateTime) << 32 | time.dwLowDateTime;
    constexpr long long epoch = 11644473600;  // seconds from 1601 to 1970
    return std::chrono::sys_seconds(std::chrono::seconds(static_cast<long long>(ticks / 10000000) - epoch));
}

}  // namespace

std::variant<LeafFacts, std::string> read_leaf(const std::string& pem) {
    static const Crypt32 crypt32;
    const auto blocks = pem_blocks(pem);
    std::string_view block;
    if (blocks)
        for (const auto& candidate : *blocks)
            if (candidate.label == "CERTIFICATE" && block.empty()) block = candidate.text;
    if (block.empty()) return std::string("it holds no PEM certificate");
    DWORD size = 0;
    const auto length = static_cast<DWORD>(block.size());
    if (crypt32.string_to_binary(block.data(), length, CRYPT_STRING_BASE64HEADER, nullptr, &size, nullptr, nullptr) ==
        0)
        return "its base64 is broken: " + windows_error(GetLastError());
    std::vector<BYTE> der(size);
    if (crypt32.string_to_binary(block.data(), length, CRYPT_STRING_BASE64HEADER, der.data(), &size, nullptr,
                                 nullptr) == 0)
        return "its base64 is broken: " + windows_error(GetLastError());
    der.resize(size);
    const auto free_context = [](const CERT_CONTEXT* context) { crypt32.free_context(context); };
    const std::unique_ptr<const CERT_CONTEXT, decltype(free_context)> context(
        crypt32.create_context(X509_ASN_ENCODING, der.data(), size), free_context);
    if (!context) return "it is no X.509 certificate: " + windows_error(GetLastError());

    LeafFacts facts;
    std::array<wchar_t, 256> name{};
    char common_name[] = szOID_COMMON_NAME;
    const DWORD characters = crypt32.name_string(context.get(), CERT_NAME_ATTR_TYPE, 0, common_name, name.data(),
                                                 static_cast<DWORD>(name.size()));
    if (characters > 1) facts.common_name = narrow({name.data(), characters - 1});
    std::array<BYTE, 32> digest{};
    DWORD digest_size = static_cast<DWORD>(digest.size());
    if (crypt32.hash(L"SHA256", 0, nullptr, der.data(), size, digest.data(), &digest_size) == 0)
        return "its SHA-256 cannot be computed: " + windows_error(GetLastError());
    constexpr std::string_view digits = "0123456789abcdef";
    for (const BYTE byte : digest) {
        facts.sha256 += digits[byte >> 4];
        facts.sha256 += digits[byte & 15];
    }
    facts.not_before = time_of(context->pCertInfo->NotBefore);
    facts.not_after = time_of(context->pCertInfo->NotAfter);
    return facts;
}

}  // namespace eflow
