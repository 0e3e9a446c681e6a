#include <windows.h>

#include <aclapi.h>
#include <ntsecapi.h>
#include <sddl.h>
#include <shlobj.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "host-shim/files.hpp"
#include "host-shim/win32.hpp"
#include "shared/failure.hpp"

namespace eflow {

namespace {

// Owner and group Administrators; nothing inherited from above; full control for Administrators and SYSTEM, below too.
constexpr wchar_t private_access[] = L"O:BAG:BAD:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)";

struct LocalFreeOf {
    void operator()(void* memory) const noexcept { LocalFree(memory); }
};
struct TaskFreeOf {
    void operator()(void* memory) const noexcept { CoTaskMemFree(memory); }
};

[[noreturn]] void fail(const std::string& what, DWORD error = GetLastError()) {
    throw Failure(ExitCode::machine_lacks, what + ": " + windows_error(error));
}

/// Long paths as they are, whatever the system's setting.
std::wstring path_of(const std::string& path) {
    std::wstring text = wide(path);
    std::replace(text.begin(), text.end(), L'/', L'\\');
    const bool drive = text.size() > 2 && text[1] == L':' && text[2] == L'\\';
    return drive && text.size() > 240 ? L"\\\\?\\" + text : text;
}

std::unique_ptr<void, LocalFreeOf> private_descriptor() {
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    if (ConvertStringSecurityDescriptorToSecurityDescriptorW(private_access, SDDL_REVISION_1, &descriptor, nullptr) ==
        0)
        fail("no security descriptor could be made");
    return std::unique_ptr<void, LocalFreeOf>(descriptor);
}

/// The account that runs this owns `owner`.
bool is_own_account(PSID owner) {
    HANDLE opened = nullptr;
    if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &opened) == 0) return false;
    const Handle token(opened);
    std::array<std::max_align_t, 16> buffer{};
    DWORD size = 0;
    if (GetTokenInformation(token.get(), TokenUser, buffer.data(), sizeof(buffer), &size) == 0) return false;
    return EqualSid(reinterpret_cast<const TOKEN_USER*>(buffer.data())->User.Sid, owner) != 0;
}

bool leads_elsewhere(const std::string& path) {
    const DWORD attributes = GetFileAttributesW(path_of(path).c_str());
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
}

/// A folder that stood there already: a real one, made by an administrator or this account, and ours alone from now on.
void adopt_folder(const std::string& path, PSECURITY_DESCRIPTOR wanted) {
    const Handle folder(CreateFileW(path_of(path).c_str(),
                                    READ_CONTROL | WRITE_DAC | WRITE_OWNER | FILE_READ_ATTRIBUTES,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING,
                                    FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
    if (folder.get() == INVALID_HANDLE_VALUE) fail(path + " cannot be opened");
    const std::string remedy = "Remove it, and find out who made it; then run this again.";
    BY_HANDLE_FILE_INFORMATION information{};
    if (GetFileInformationByHandle(folder.get(), &information) == 0) fail(path + " cannot be looked at");
    if ((information.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0 ||
        (information.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
        throw Failure(ExitCode::machine_lacks, path + " is no folder, or leads elsewhere", remedy);
    PSID owner = nullptr;
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    if (const DWORD error = GetSecurityInfo(folder.get(), SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, nullptr,
                                            nullptr, nullptr, &descriptor);
        error != ERROR_SUCCESS)
        fail("the owner of " + path + " cannot be seen", error);
    const std::unique_ptr<void, LocalFreeOf> kept(descriptor);
    const bool system =
        IsWellKnownSid(owner, WinBuiltinAdministratorsSid) != 0 || IsWellKnownSid(owner, WinLocalSystemSid) != 0;
    if (!system && !is_own_account(owner))
        throw Failure(ExitCode::machine_lacks, path + " belongs to another account than Administrators and SYSTEM",
                      remedy);
    BOOL present = FALSE;
    BOOL defaulted = FALSE;
    PACL access = nullptr;
    PSID administrators = nullptr;
    if (GetSecurityDescriptorDacl(wanted, &present, &access, &defaulted) == 0 ||
        GetSecurityDescriptorOwner(wanted, &administrators, &defaulted) == 0)
        fail("no access list could be made");
    const auto parts = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    if (const DWORD error =
            SetSecurityInfo(folder.get(), SE_FILE_OBJECT, parts, administrators, nullptr, access, nullptr);
        error != ERROR_SUCCESS)
        fail("the access list of " + path + " cannot be set", error);
}

bool overwrite_and_remove(const std::string& path) {
    {
        const Handle file(CreateFileW(path_of(path).c_str(), GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                                      FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_WRITE_THROUGH, nullptr));
        if (file.get() != INVALID_HANDLE_VALUE) {
            LARGE_INTEGER size{};
            GetFileSizeEx(file.get(), &size);
            const std::array<char, 4096> zeroes{};
            for (LONGLONG left = size.QuadPart; left > 0; left -= static_cast<LONGLONG>(zeroes.size())) {
                DWORD written = 0;
                if (WriteFile(file.get(), zeroes.data(), static_cast<DWORD>(std::min<LONGLONG>(left, 4096)), &written,
                              nullptr) == 0)
                    break;
            }
            FlushFileBuffers(file.get());
        }
    }
    return DeleteFileW(path_of(path).c_str()) != 0 || GetLastError() == ERROR_FILE_NOT_FOUND;
}

}  // namespace

std::variant<SecretBytes, std::string> read_file(const std::string& path, std::size_t limit) {
    // A path may name a pipe: its server must not be able to act as who opens it.
    const Handle file(CreateFileW(path_of(path).c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                                  SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr));
    if (file.get() == INVALID_HANDLE_VALUE) return windows_error(GetLastError());
    // A pipe or a console device would never end.
    if (GetFileType(file.get()) != FILE_TYPE_DISK) return std::string("it is no regular file");
    LARGE_INTEGER size{};
    if (GetFileSizeEx(file.get(), &size) == 0) return windows_error(GetLastError());
    if (size.QuadPart > static_cast<LONGLONG>(limit)) return "it has more than " + std::to_string(limit) + " bytes";
    SecretBytes bytes(static_cast<std::size_t>(size.QuadPart));
    std::size_t done = 0;
    while (done < bytes.size()) {
        DWORD count = 0;
        if (ReadFile(file.get(), bytes.data() + done, static_cast<DWORD>(bytes.size() - done), &count, nullptr) == 0)
            return windows_error(GetLastError());
        if (count == 0) return std::string("it became shorter while it was read");
        done += count;
    }
    return bytes;
}

std::string private_folder() {
    PWSTR found = nullptr;
    if (SHGetKnownFolderPath(FOLDERID_ProgramData, 0, nullptr, &found) != S_OK)
        throw Failure(ExitCode::machine_lacks, "Windows does not tell where ProgramData is");
    const std::unique_ptr<void, TaskFreeOf> kept(found);
    const std::string path = narrow(found) + "\\eflow-shim";
    const auto descriptor = private_descriptor();
    SECURITY_ATTRIBUTES attributes{sizeof(attributes), descriptor.get(), FALSE};
    if (CreateDirectoryW(path_of(path).c_str(), &attributes) == 0) {
        if (GetLastError() != ERROR_ALREADY_EXISTS) fail(path + " cannot be made");
        adopt_folder(path, descriptor.get());
    }
    return path;
}

void make_folder(const std::string& path) {
    if (CreateDirectoryW(path_of(path).c_str(), nullptr) == 0 && GetLastError() != ERROR_ALREADY_EXISTS)
        fail(path + " cannot be made");
    if (leads_elsewhere(path))
        throw Failure(ExitCode::machine_lacks, path + " leads elsewhere", "Remove it, and find out who made it.");
}

void write_new_file(const std::string& path, std::string_view content) {
    const Handle file(
        CreateFileW(path_of(path).c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW, FILE_FLAG_WRITE_THROUGH, nullptr));
    if (file.get() == INVALID_HANDLE_VALUE) fail(path + " cannot be made");
    while (!content.empty()) {
        DWORD count = 0;
        if (WriteFile(file.get(), content.data(), static_cast<DWORD>(std::min<std::size_t>(content.size(), 1 << 20)),
                      &count, nullptr) == 0)
            fail(path + " cannot be written");
        content.remove_prefix(count);
    }
    if (FlushFileBuffers(file.get()) == 0) fail(path + " cannot be written");
}

void replace_file(const std::string& path, std::string_view content) {
    const std::string beside = path + ".new";
    DeleteFileW(path_of(beside).c_str());
    write_new_file(beside, content);
    if (MoveFileExW(path_of(beside).c_str(), path_of(path).c_str(),
                    MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) == 0)
        fail(path + " cannot be replaced");
}

Handle lock_file(const std::string& path) {
    Handle file(
        CreateFileW(path_of(path).c_str(), GENERIC_WRITE, 0, nullptr, OPEN_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, nullptr));
    if (file.get() == INVALID_HANDLE_VALUE) {
        if (GetLastError() == ERROR_SHARING_VIOLATION)
            throw Failure(ExitCode::machine_lacks, "another eflow-shim is at work on this host; nothing was changed",
                          "Wait until it has ended, then run this again.");
        fail(path + " cannot be made");
    }
    return file;
}

std::vector<std::string> names_in(const std::string& folder, const std::string& prefix) {
    std::vector<std::string> names;
    WIN32_FIND_DATAW entry{};
    const HANDLE search = FindFirstFileW(path_of(folder + "\\" + prefix + "*").c_str(), &entry);
    if (search == INVALID_HANDLE_VALUE) return names;
    do {
        const std::string name = narrow(entry.cFileName);
        if (name != "." && name != "..") names.push_back(name);
    } while (FindNextFileW(search, &entry) != 0);
    FindClose(search);
    return names;
}

bool wipe_folder(const std::string& folder) {
    // A link is no folder of ours: it goes, what it leads to stays.
    if (leads_elsewhere(folder)) return RemoveDirectoryW(path_of(folder).c_str()) != 0;
    auto names = names_in(folder, "");
    std::stable_partition(names.begin(), names.end(),
                          [](const std::string& name) { return name.find(".key.") != std::string::npos; });
    bool all = true;
    for (const auto& name : names) all = overwrite_and_remove(folder + "\\" + name) && all;
    return RemoveDirectoryW(path_of(folder).c_str()) != 0 && all;
}

std::string own_folder() {
    std::wstring path(32768, L'\0');
    path.resize(GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
    const auto slash = path.find_last_of(L'\\');
    return narrow(path.substr(0, slash == std::wstring::npos ? 0 : slash + 1));
}

std::string random_hex_digits() {
    std::array<unsigned char, 16> bytes{};
    if (RtlGenRandom(bytes.data(), static_cast<ULONG>(bytes.size())) == 0)
        throw Failure(ExitCode::machine_lacks, "Windows gives no random numbers");
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

}  // namespace eflow
