#include "vm-agent/machine/listing.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "shared/failure.hpp"

namespace eflow {

namespace {

constexpr int deepest = 10;

class Listing {
public:
    Listing(std::size_t most, std::vector<std::string>& missing) : most_(most), missing_(missing) {}

    void walk(const Descriptor& folder, const std::string& path, int depth) {
        const int readable = openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (readable < 0) return miss(path, std::strerror(errno));
        const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(readable), closedir);
        if (!stream) {
            close(readable);
            return miss(path, "not enough memory");
        }
        std::vector<std::string> names;
        while (const dirent* entry = readdir(stream.get())) {
            const std::string name = entry->d_name;
            if (name == "." || name == "..") continue;
            if (found_.size() + names.size() >= most_) {
                full_ = true;
                break;
            }
            names.push_back(name);
        }
        std::sort(names.begin(), names.end());
        for (const auto& name : names) {
            ListedFile file{path + "/" + name, {}};
            if (found_.size() >= most_) full_ = true;
            if (full_ && found_.size() >= most_) return;
            if (fstatat(folder.get(), name.c_str(), &file.status, AT_SYMLINK_NOFOLLOW) != 0) {
                miss(file.path, std::strerror(errno));
                continue;
            }
            found_.push_back(file);
            if (!S_ISDIR(file.status.st_mode)) continue;
            if (depth >= deepest) {
                miss(file.path, "too deep");
                continue;
            }
            const Descriptor next(openat(folder.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            if (next.valid())
                walk(next, file.path, depth + 1);
            else
                miss(file.path, std::strerror(errno));
        }
    }

    void miss(const std::string& path, const std::string& why) {
        constexpr std::size_t most_told = 50;
        if (missing_.size() < most_told) missing_.push_back(path + ": " + why);
    }

    std::vector<ListedFile> found_;
    bool full_ = false;

private:
    std::size_t most_;
    std::vector<std::string>& missing_;
};

}  // namespace

std::vector<ListedFile> list_files(const Tree& tree, const std::string& folder, std::size_t most,
                                   std::vector<std::string>& missing) {
    Listing listing(most, missing);
    try {
        const auto itself = tree.status(folder);
        if (!itself) {
            missing.push_back(folder + ": it does not exist");
            return {};
        }
        listing.found_.push_back({folder, *itself});
        if (const auto descriptor = tree.directory(folder)) listing.walk(*descriptor, folder, 0);
    } catch (const Failure& failure) {
        missing.push_back(folder + ": " + failure.what());
    }
    if (listing.full_)
        missing.push_back(folder + ": more than " + std::to_string(most) + " files; the rest is left out");
    return std::move(listing.found_);
}

}  // namespace eflow
