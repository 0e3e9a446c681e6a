#include "vm-agent/watch/file_source.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/failure.hpp"

namespace eflow {

namespace {

constexpr std::uint32_t interest = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

FileSource::FileSource(boost::asio::io_context& loop, std::vector<std::string> folders, std::function<void()> changed)
    : folders_(std::move(folders)), changed_(std::move(changed)), descriptor_(loop) {
    const int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (inotify < 0)
        throw Failure(ExitCode::machine_lacks, std::string("files cannot be watched: inotify: ") + std::strerror(errno),
                      "Raise fs.inotify.max_user_instances: sysctl fs.inotify.max_user_instances=256");
    descriptor_.assign(inotify);
}

void FileSource::start() {
    arm();
    wait();
}

/// Adding a watch that is there already changes nothing, so all are simply added again after each change.
void FileSource::arm() {
    for (const auto& folder : folders_) {
        // What was not there and is made before its parent is watched would tell of nothing: then once more.
        while (!watch_nearest(folder)) {
        }
    }
}

/// Watches the folder, or the nearest above it that is there. False when the one below that has come meanwhile.
bool FileSource::watch_nearest(const std::string& folder) {
    std::string path = folder;
    while (inotify_add_watch(descriptor_.native_handle(), path.c_str(), interest) < 0) {
        const auto slash = path.rfind('/');
        if (errno != ENOENT || slash == 0 || slash == std::string::npos) return true;
        path.erase(slash);
    }
    if (path == folder) return true;
    struct stat status {};
    const std::string below = folder.substr(0, folder.find('/', path.size() + 1));
    return stat(below.c_str(), &status) != 0 || !S_ISDIR(status.st_mode);
}

void FileSource::wait() {
    descriptor_.async_read_some(boost::asio::buffer(buffer_), [this](const boost::system::error_code& fault, std::size_t) {
        if (fault) return;
        // Which file it was does not matter: all of them are looked at again, which takes a millisecond.
        boost::system::error_code more;
        descriptor_.non_blocking(true, more);
        while (descriptor_.read_some(boost::asio::buffer(buffer_), more) > 0 && !more) {
        }
        arm();
        changed_();
        wait();
    });
}

}  // namespace eflow
