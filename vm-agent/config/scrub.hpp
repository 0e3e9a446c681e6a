#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eflow {

/// Takes secrets out of any text: those whose value is known, and those that their form gives away (private key blocks,
/// shared access keys and signatures, passwords and tokens behind their names, authorisation headers, user and password
/// in a URL, pkcs11 pins, long runs of base64). What goes is replaced by "***"; line feeds stay.
class Scrubber {
public:
    static constexpr std::size_t shortest = 4;  ///< a value as short as this stands everywhere by chance

    /// What is no secret whatever holds it: a name that all may know, told before the secrets are.
    void spare(std::string_view text);
    /// Remembers a secret, each of its lines, and how JSON, HTML and URLs would spell it.
    void know(std::string_view secret);

    /// More secrets were told than are looked for: a text that may hold any of them is not to be shown.
    [[nodiscard]] bool is_full() const noexcept { return full_; }

    [[nodiscard]] std::string clean(std::string_view text) const;

private:
    void add(std::string spelling);
    [[nodiscard]] std::string without_known(std::string_view text) const;
    static constexpr std::size_t most = 5000;
    std::size_t told_ = 0;
    bool full_ = false;
    std::set<std::string> spared_;
    std::unordered_map<std::string, std::vector<std::string>>
        known_;  ///< by their first `shortest` bytes, longest first
};

/// `text` without the secrets that their form alone gives away; their values are added to `found` when it is given.
std::string without_secret_forms(std::string_view text, std::vector<std::string>* found = nullptr);

}  // namespace eflow
